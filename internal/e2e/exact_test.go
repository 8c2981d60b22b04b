package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/engagement"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
	"sendwatch/internal/truth"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
)

// EventsEnv says how many records TestExact takes.
const EventsEnv = "SENDWATCH_E2E_EVENTS"

func records(t *testing.T) int {
	text := os.Getenv(EventsEnv)
	if text == "" {
		return 300_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1000 {
		t.Fatalf("%s=%s: expected a number from 1000", EventsEnv, text)
	}
	return n
}

// TestExact: three processes in one group drain a stream with repeats, late, rejected and ignored records, one of them being
// killed and one stopped on the way; then every counter of every subject, all totals and the recipients equal what one pass over
// the topic gives.
func TestExact(t *testing.T) {
	const partitions, shards, maxBytes = 8, 1, 4096
	// All of the stream lies within the horizon: a producer that tries again may repeat any of it, and how far the partitions
	// are apart meanwhile must not matter.
	w := sharedWorld(t, fmt.Sprintf("events: {max_bytes: %d}\ndedupe: {horizon: 120h}\n", maxBytes))
	w.shards, w.horizon = shards, 120*time.Hour
	testparts.CreateTopic(t, w.brokers, w.topic(), partitions)
	n := records(t)
	stream := truth.NewStream(truth.Options{Seed: 51, Records: n, End: time.Now(), Span: 72 * time.Hour, MaxBytes: maxBytes, Horizon: w.horizon})
	began := time.Now()
	w.fill(stream, 0, n/2)
	t.Logf("half of %d records written in %s", n, time.Since(began).Round(time.Millisecond))

	first, second, third := w.process("first"), w.process("second"), w.process("third")
	began = time.Now()
	w.fill(stream, n/2, n)
	if err := second.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := third.Stop(); err != nil {
		t.Fatal(err)
	}
	fourth := w.process("fourth")
	t.Logf("the rest written, one process killed, one stopped and another one started in %s", time.Since(began).Round(time.Millisecond))

	oracle := truth.NewOracle(stream, w.client)
	if err := oracle.Read(t.Context(), w.topic(), partitions); err != nil {
		t.Fatal(err)
	}
	w.drained(first, 3*time.Minute, oracle, partitions)
	t.Logf("drained %s after that", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	counts := oracle.Count(w.oracleOptions(), time.Now())
	report, err := truth.Comparison{Redis: w.state(shards), Oracle: counts, Combinations: windows.DefaultCombinations(),
		At: time.Now().Add(2 * time.Minute), Recipients: stream.SomeRecipients(max(1, n/20_000))}.Compare(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s (%s; %+v)", report, time.Since(began).Round(time.Millisecond), counts.Totals())
	if !report.OK() {
		t.Fail()
	}
	w.answersEqual(fourth, counts)
}

// fill produces a part of the stream, a thousand records at once.
func (w *world) fill(s *truth.Stream, from, to int) {
	w.t.Helper()
	batch := make([]kafka.Record, 0, 1000)
	for n := from; n < to; n++ {
		r := s.At(n)
		batch = append(batch, kafka.Record{Key: r.Key, Value: r.Value})
		if len(batch) == cap(batch) || n == to-1 {
			w.produce(w.topic(), batch...)
			batch = batch[:0]
		}
	}
}

// drained waits until the state has every partition up to where the oracle has read it.
func (w *world) drained(m *testparts.Monitor, within time.Duration, o *truth.Oracle, partitions int) {
	w.t.Helper()
	w.eventually(within, "all partitions read", func() string {
		var s status
		if err := get(m, "/api/v1/status", &s); err != nil {
			return err.Error()
		}
		ends := 0
		for _, p := range s.Partitions {
			if p.NextOffset == o.End(windows.Partition{Topic: p.Topic, ID: p.Partition}) {
				ends++
			}
		}
		if ends < partitions {
			return fmt.Sprintf("%+v", s.Partitions)
		}
		return ""
	})
}

// answersEqual asks a process over HTTP for what the state was compared by.
func (w *world) answersEqual(m *testparts.Monitor, oracle *memstore.Store) {
	w.t.Helper()
	var s status
	if err := get(m, "/api/v1/status", &s); err != nil {
		w.t.Fatal(err)
	}
	want := oracle.Totals()
	if s.Events.Read != want.Read || s.Events.Counted != want.Counted || s.Events.Duplicate != want.Duplicate || s.Events.Late != want.Late || s.Events.Ignored != want.Ignored {
		w.t.Errorf("status says %+v, expected %+v", s.Events, want)
	}
	now := time.Now().UTC()
	from, to := now.Add(-100*24*time.Hour), now.Add(time.Hour)
	span := windows.Span{Step: windows.Day, First: windows.Day.Bucket(from) + 1, Last: windows.Day.Bucket(to)}
	for _, key := range []string{"all", "tenant=tenant-07", "tenant=default", "tenant=tenant-49,provider=yahoo", "tenant=tenant-01,campaign=c2%2C 50%25 off"} {
		sub, ok := oracle.Subject(key)
		if !ok {
			w.t.Fatalf("the oracle has no subject %s", key)
		}
		sum := sub.Series().Sum(span)
		var have answer.Counts
		query := url.Values{"subject": {key}, "from": {from.Format(time.RFC3339)}, "to": {to.Format(time.RFC3339)}, "step": {"1d"}}
		if err := get(m, "/api/v1/counts?"+query.Encode(), &have); err != nil {
			w.t.Error(err)
			continue
		}
		if diff := cmp.Diff(answer.TallyOf(&sum), have.Total); diff != "" {
			w.t.Errorf("%s -expected +answered:\n%s", key, diff)
		}
	}
	for _, tenant := range []string{"default", "tenant-00", "tenant-48"} {
		var have answer.Engagement
		if err := get(m, "/api/v1/engagement?tenant="+url.QueryEscape(tenant), &have); err != nil {
			w.t.Error(err)
			continue
		}
		b := oracle.Breakdown(tenant, engagement.DayOf(have.AsOf))
		expected := answer.RecipientTally{Known: b.Known, Engaged: b.Engaged, New: b.New, Unengaged: b.Unengaged, Engaged30d: b.Engaged30d, Engaged90d: b.Engaged90d}
		if have.Recipients != expected {
			w.t.Errorf("engagement of %s: answered %+v, expected %+v", tenant, have.Recipients, expected)
		}
		sub, _ := oracle.Subject("tenant=" + tenant)
		sum := sub.Series().Sum(windows.SpanAt(windows.Day, 30*24*time.Hour, have.AsOf))
		delivered := answer.DeliveredByStates{Total: sum[windows.Delivered], Engaged: sum[windows.DeliveredEngaged], New: sum[windows.DeliveredNew],
			Unengaged: sum[windows.DeliveredUnengaged], Suppressed: sum[windows.DeliveredSuppressed]}
		if have.Delivered != delivered {
			w.t.Errorf("deliveries of %s: answered %+v, expected %+v", tenant, have.Delivered, delivered)
		}
	}
}
