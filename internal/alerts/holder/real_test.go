package holder

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/alerts"
	"sendwatch/internal/alerts/kafkasink"
	"sendwatch/internal/alerts/redisstate"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

// TestOnRealParts tells the story on a real Redis and a real Kafka: with a process killed after every part of it, and with all of
// Redis lost after every second one.
func TestOnRealParts(t *testing.T) {
	if testing.Short() {
		t.Skip("real parts")
	}
	want := lines(undisturbed(t))
	server := testparts.Redis(t, testparts.RedisOptions{})
	broker := testparts.SharedKafka(t)
	testparts.CreateTopic(t, broker.Addr, "story", 3)
	client, err := kafka.New(kafka.Options{Brokers: []string{broker.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	sink := kafkasink.New(client, client, "story", "")

	w := worldOn(t, server.Addr)
	p := w.startOn("process", nil, sink)
	for i, part := range story(w) {
		part()
		w.settled()
		p.kill()
		<-p.done
		if i%2 == 1 {
			if err := w.client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if w.store, err = redisstate.Open(t.Context(), w.client, redisstate.Options{Prefix: "p"}); err != nil {
				t.Fatal(err)
			}
		}
		p = w.startOn(fmt.Sprintf("process-%d", i), nil, sink)
	}

	got := &topic{}
	err = sink.After(context.Background(), alerts.TopicPosition{}, func(batch []alerts.Entry, _ alerts.TopicPosition) error {
		got.log = append(got.log, batch...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, lines(got.firsts(t))); diff != "" {
		t.Errorf("-undisturbed +killed:\n%s", diff)
	}
	records, _, err := w.store.List(t.Context(), redisstate.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, r := range records {
		if r.Status == alerts.Firing {
			open = append(open, r.Token())
		}
	}
	if len(open) > 0 {
		t.Errorf("still open at the end: %s", strings.Join(open, ", "))
	}
}

// TestLatency measures from counting to publication on real parts: well below a second.
func TestLatency(t *testing.T) {
	if testing.Short() {
		t.Skip("real parts")
	}
	server := testparts.Redis(t, testparts.RedisOptions{})
	broker := testparts.SharedKafka(t)
	testparts.CreateTopic(t, broker.Addr, "latency", 1)
	client, err := kafka.New(kafka.Options{Brokers: []string{broker.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := worldOn(t, server.Addr)
	p := w.startOn("process", nil, kafkasink.New(client, client, "latency", ""))
	w.settled()
	var worst time.Duration
	for i := range 20 {
		began := time.Now()
		w.mail(time.Second, fmt.Sprintf("tenant=t%d", i), 900, 100)
		w.eventually("published", func() bool { return p.holder.Status().Published == int64(i+1) })
		worst = max(worst, time.Since(began))
	}
	t.Logf("worst of 20: %v", worst)
}
