package redisstore

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

// TestMemory measures what Redis needs for a recipient, an event id and a subject: SENDWATCH_MEASURE=10000000 says how many of the
// first two. The figures stand in docs/SCALING.md.
func TestMemory(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("SENDWATCH_MEASURE"))
	if n == 0 {
		t.Skip("SENDWATCH_MEASURE is not set")
	}
	t.Run("recipients", func(t *testing.T) {
		o := options(t)
		o.Horizon, o.Combinations = 0, nil
		m := newMeasure(t, o)
		m.run(n, func(i int, e *event.Event) {
			e.Recipient = "somebody." + strconv.Itoa(i) + "@example.org"
			e.Time = t0.Add(time.Duration(i%180) * 24 * time.Hour)
			if i%3 == 0 {
				e.Type = event.Open
			}
		})
		if have := m.perEntry(n); have > 16 {
			t.Errorf("%.2f bytes a recipient, at most 16 are allowed", have)
		}
	})
	t.Run("event ids", func(t *testing.T) {
		o := options(t)
		o.Engagement, o.Combinations = nil, nil
		m := newMeasure(t, o)
		step := 47 * time.Hour / time.Duration(n)
		m.run(n, func(i int, e *event.Event) {
			e.ID = "evt-" + strconv.Itoa(i)
			e.Time = t0.Add(time.Duration(i) * step)
		})
		if have := m.perEntry(n); have > 11 {
			t.Errorf("%.2f bytes an event id, at most 11 are allowed", have)
		}
	})
	t.Run("subjects", func(t *testing.T) {
		// A subject that is counted all the time, 100 events an hour, for ten days; and one that is counted once.
		for _, c := range []struct {
			name             string
			subjects, events int
		}{{"busy", 1000, 2400}, {"once", 50_000, 1}} {
			o := options(t)
			o.Prefix += c.name
			o.Horizon, o.Engagement = 0, nil
			o.Combinations = []windows.Combination{{windows.Campaign}}
			m := newMeasure(t, o)
			types := []event.Type{event.Send, event.Delivery, event.Delivery, event.Open, event.Click, event.Bounce, event.Deferral, event.Complaint}
			m.run(c.subjects*c.events, func(i int, e *event.Event) {
				e.Campaign = "campaign-number-" + strconv.Itoa(i%c.subjects)
				round := i / c.subjects
				e.Type, e.Time = types[round*7%len(types)], t0.Add(time.Duration(round)*36*time.Second)
			})
			m.sweep()
			t.Logf("%s: %.0f bytes a subject", c.name, m.perEntry(c.subjects))
		}
	})
}

type measure struct {
	t      testing.TB
	s      *Store
	before int64
	now    time.Time
}

func newMeasure(t testing.TB, o Options) *measure {
	o.FeedBytes = 1 // the feed is not what is measured
	s := open(t, connect(t, testparts.Redis(t, testparts.RedisOptions{}).Addr), o)
	m := &measure{t: t, s: s, now: t0.AddDate(1, 0, 0)}
	m.before = m.used()
	return m
}

func (m *measure) used() int64 {
	info, err := m.s.Info(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return info.UsedMemory
}

func (m *measure) run(n int, next func(int, *event.Event)) {
	m.t.Helper()
	f := m.s.NewFold()
	result := event.Result{Events: make([]event.Event, 1)}
	at := int64(-1)
	for i := 0; i < n; {
		f.Start(p0, []int64{at})
		for range min(25000, n-i) {
			e := &result.Events[0]
			*e = event.Event{Type: event.Delivery, Tenant: fmt.Sprint("tenant-", i%50)}
			next(i, e)
			f.Add(p0, int64(i), &result, m.now)
			i++
		}
		if err := m.s.Apply(m.t.Context(), f); err != nil {
			m.t.Fatal(err)
		}
		f.Reset()
		at = int64(i)
	}
}

// sweep takes what is not kept at the end of the stream, as the service does.
func (m *measure) sweep() {
	newest, err := m.s.Newest(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	for range 1000 {
		if _, err := m.s.Sweep(m.t.Context(), newest); err != nil {
			m.t.Fatal(err)
		}
	}
}

// kinds logs what each kind of key takes by itself.
func (m *measure) kinds() {
	sum, count := map[string]int64{}, map[string]int64{}
	keys := m.s.client.Scan(m.t.Context(), 0, "*", 10000).Iterator()
	for keys.Next(m.t.Context()) {
		_, name, _ := strings.Cut(keys.Val(), "}:")
		kind, _, _ := strings.Cut(name, ":")
		sum[kind] += m.s.client.MemoryUsage(m.t.Context(), keys.Val(), 0).Val()
		count[kind]++
	}
	m.t.Log(sum, count)
}

func (m *measure) perEntry(n int) float64 {
	// What the last batch took on its way in is given back within seconds.
	used := m.used() - m.before
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		used = min(used, m.used()-m.before)
	}
	m.kinds()
	have := float64(used) / float64(n)
	m.t.Logf("%d: %d bytes, %.2f each; %v", n, used, have, m.s.client.HGetAll(m.t.Context(), m.s.shards[0].meta).Val())
	return have
}
