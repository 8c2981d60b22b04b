package kafkasink

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sendwatch/internal/alerts"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

func onBoth(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("kfake", func(t *testing.T) {
		c, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		test(t, c.ListenAddrs()[0])
	})
	t.Run("real", func(t *testing.T) {
		if testing.Short() {
			t.Skip("real broker")
		}
		test(t, testparts.SharedKafka(t).Addr)
	})
}

func client(t *testing.T, addr string) *kafka.Client {
	t.Helper()
	c, err := kafka.New(kafka.Options{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// publish tries until it succeeds, as the holder does: a new topic's leader may not be known everywhere yet.
func publish(t *testing.T, s *Sink, entries []alerts.Entry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		err := s.Publish(ctx, entries)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

func entry(id, subject string, seq int64) alerts.Entry {
	r := alerts.Record{
		ID: id, Seq: seq, Incident: id, Change: alerts.Fired, Policy: "p", Rate: "bounce", Window: "24h", SubjectKey: subject,
		EvaluatedAt: time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC), Definition: strings.Repeat("x", 3000),
	}
	return alerts.Entry{Record: r, Encoded: r.Encode()}
}

func TestPublishAndReadBack(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := strings.ReplaceAll(t.Name(), "/", ".")
		testparts.CreateTopic(t, addr, topic, 3)
		c := client(t, addr)
		s := New(c, c, topic, "")
		var entries []alerts.Entry // more than one request takes
		for i := range 300 {
			entries = append(entries, entry(fmt.Sprintf("e%d", i%7), fmt.Sprintf("tenant=t%d", i%7), int64(i/7+1)))
		}
		publish(t, s, entries)
		if err := s.Publish(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Produce(t.Context(), topic, kafka.Record{Key: []byte("x"), Value: []byte("no alert")}); err != nil {
			t.Fatal(err)
		}

		read := func(from alerts.TopicPosition) (seqs map[string][]int64, at alerts.TopicPosition) {
			t.Helper()
			seqs, at = map[string][]int64{}, from
			err := s.After(t.Context(), from, func(batch []alerts.Entry, next alerts.TopicPosition) error {
				for _, e := range batch {
					if old := seqs[e.Record.ID]; len(old) > 0 && e.Record.Seq <= old[len(old)-1] {
						continue // a repeat, of a request that failed half-way
					}
					seqs[e.Record.ID] = append(seqs[e.Record.ID], e.Record.Seq)
					if string(e.Encoded) != string(e.Record.Encode()) {
						t.Errorf("other bytes came back: %s", e.Encoded)
					}
				}
				at = next
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return seqs, at
		}
		all, at := read(alerts.TopicPosition{})
		n := 0
		for id, seqs := range all {
			n += len(seqs)
			for i, seq := range seqs {
				if seq != int64(i+1) {
					t.Fatalf("%s: seqs %v are not in order", id, seqs)
				}
			}
		}
		if n != 300 || s.Foreign() != 1 {
			t.Errorf("%d records and %d foreign ones, expected 300 and 1", n, s.Foreign())
		}
		if more, _ := read(at); len(more) != 0 {
			t.Errorf("behind the end: %v", more)
		}
		publish(t, s, []alerts.Entry{entry("late", "all", 1)})
		if more, _ := read(at); len(more) != 1 || len(more["late"]) != 1 {
			t.Errorf("after the position: %v, expected one record", more)
		}

		// A topic made anew, and a log that ends before the position, are read from the beginning.
		anew := alerts.TopicPosition{TopicID: "00000000000000000000000000000000", Next: at.Next}
		if again, _ := read(anew); len(again) != 8 {
			t.Errorf("a topic made anew: %d episodes, expected 8", len(again))
		}
		beyond := alerts.TopicPosition{TopicID: at.TopicID, Next: map[int]int64{0: 1 << 40, 1: 1 << 40, 2: 1 << 40}}
		if again, end := read(beyond); len(again) != 8 || end.Next[0] >= 1<<40 {
			t.Errorf("a log that went back: %d episodes, position %v", len(again), end)
		}
	})
}

// TestHeaders looks at a record with another client library.
func TestHeaders(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := strings.ReplaceAll(t.Name(), "/", ".")
		testparts.CreateTopic(t, addr, topic, 1)
		c := client(t, addr)
		e := entry("e1", "tenant=acme,ip=203.0.113.9", 2)
		publish(t, New(c, c, topic, "/here"), []alerts.Entry{e})
		reader, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic))
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		fetches := reader.PollFetches(t.Context())
		if fetches.NumRecords() != 1 {
			t.Fatalf("%d records, %v", fetches.NumRecords(), fetches.Err())
		}
		r := fetches.Records()[0]
		got := map[string]string{"key": string(r.Key)}
		for _, h := range r.Headers {
			got[h.Key] = string(h.Value)
		}
		want := map[string]string{
			"key": "tenant=acme,ip=203.0.113.9", "ce_id": "e1/2", "ce_type": "sendwatch.alert.fired", "ce_source": "/here",
			"ce_time": "2026-03-02T09:30:00Z", "ce_specversion": "1.0", "ce_subject": "tenant=acme,ip=203.0.113.9", "content-type": "application/json",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if string(r.Value) != string(e.Encoded) {
			t.Errorf("value %s", r.Value)
		}
	})
}

func TestMissingTopicSaysSo(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		c := client(t, addr)
		err := New(c, c, "nowhere", "").After(t.Context(), alerts.TopicPosition{}, nil)
		if err == nil || !strings.Contains(err.Error(), "nowhere does not exist") {
			t.Errorf("error %v", err)
		}
	})
}
