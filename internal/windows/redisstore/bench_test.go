package redisstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

// load is the stream of the benchmarks: three days of event time in order, a million recipients, 50 tenants, 200 pairs of tenant
// and address, 4 campaigns a tenant and day; what a message becomes comes soon after it.
type load struct {
	rand   *rand.Rand
	at     time.Time
	pace   time.Duration
	people []string
	ips    []string
	tenant []string
	names  []string // campaigns
	queue  []event.Event
	id     uint64
	ids    []byte
}

func newLoad(people int, pace time.Duration) *load {
	l := &load{rand: rand.New(rand.NewPCG(1, 1)), at: t0, pace: pace}
	domains := []string{"gmail.com", "outlook.com", "yahoo.com", "icloud.com", "example.org", "example.net"}
	for i := range people {
		l.people = append(l.people, fmt.Sprintf("person.%d@%s", i, domains[i%len(domains)]))
	}
	for i := range 50 {
		l.tenant = append(l.tenant, fmt.Sprintf("tenant-%02d", i))
	}
	for i := range 200 {
		l.ips = append(l.ips, fmt.Sprintf("203.0.113.%d", i))
	}
	for i := range 12 {
		l.names = append(l.names, fmt.Sprintf("2026-spring-%d", i))
	}
	return l
}

// next makes one event: a send or delivery of a new message, or what comes of one of the last.
func (l *load) next(e *event.Event) {
	r := l.rand
	l.at = l.at.Add(l.pace)
	l.id++
	if len(l.queue) > 5000 && r.IntN(10) < 3 {
		*e = l.queue[r.IntN(len(l.queue))]
		e.Time = l.at
		switch n := r.IntN(100); {
		case n < 70:
			e.Type, e.Machine = event.Open, n < 20
		case n < 95:
			e.Type = event.Click
		case n < 97:
			e.Type = event.Unsubscribe
		case n < 98:
			e.Type = event.Complaint
		default:
			e.Type = event.Reply
		}
	} else {
		who := r.IntN(len(l.people))
		tenant := who % 50
		*e = event.Event{Type: event.Delivery, Time: l.at, Recipient: l.people[who], Tenant: l.tenant[tenant],
			IP: l.ips[tenant*4+r.IntN(4)], Campaign: l.names[int(l.at.Sub(t0)/(24*time.Hour))*4%12+r.IntN(4)]}
		switch n := r.IntN(100); {
		case n < 3:
			e.Type, e.BounceClass = event.Bounce, event.BounceClass(r.IntN(5))
		case n < 6:
			e.Type = event.Deferral
		case n < 30:
			e.Type = event.Send
		default:
			if len(l.queue) <= 5000 {
				l.queue = append(l.queue, *e)
			} else {
				l.queue[r.IntN(len(l.queue))] = *e
			}
		}
	}
	l.ids = strconv.AppendUint(append(l.ids[:0], "evt-0000-"...), l.id, 16)
	e.ID = string(l.ids)
}

// BenchmarkDrain measures the way from events to Redis with a backlog, in a real Redis beside it: one operation is one event.
func BenchmarkDrain(b *testing.B) {
	for _, c := range []struct {
		name    string
		repeats bool
		people  bool
		batch   int
		shards  int
	}{
		{"counts", false, false, 25000, 1}, {"counts-and-repeats", true, false, 25000, 1}, {"counts-and-recipients", false, true, 25000, 1},
		{"everything", true, true, 25000, 1}, {"everything", true, true, 50000, 1}, {"everything", true, true, 50000, 4},
		{"everything", true, true, 2000, 1}, {"counts", false, false, 2000, 1},
	} {
		b.Run(fmt.Sprintf("%s/%d/shards=%d", c.name, c.batch, c.shards), func(b *testing.B) {
			server := testparts.Redis(b, testparts.RedisOptions{})
			o := options(b)
			o.Shards = c.shards
			if !c.repeats {
				o.Horizon = 0
			}
			if !c.people {
				o.Engagement = nil
			} else {
				rules := engagement.DefaultRules()
				o.Engagement = &rules
			}
			s := open(b, connect(b, server.Addr), o)
			drain(b, s, c.batch)
		})
	}
}

func drain(b *testing.B, s *Store, batch int) {
	const total = 2_000_000
	l := newLoad(1_000_000, 3*24*time.Hour/total)
	p := windows.Partition{Topic: "mail.events"}
	f := s.NewFold()
	result := event.Result{Events: make([]event.Event, 1)}
	events := make([]event.Event, batch)
	next := int64(-1)
	var folding, applying, longest time.Duration
	var folds, applies []float64 // nanoseconds an event, by batch
	b.ResetTimer()
	b.StopTimer()
	for done := 0; done < b.N; {
		n := min(batch, b.N-done)
		for i := range n {
			l.next(&events[i])
		}
		b.StartTimer()
		start := time.Now()
		f.Start(p, slices.Repeat([]int64{next}, f.Shards()))
		for i := range n {
			result.Events[0] = events[i]
			f.Add(p, int64(done+i), &result, l.at)
		}
		folded := time.Now()
		if err := s.Apply(b.Context(), f); err != nil {
			b.Fatal(err)
		}
		folding += folded.Sub(start)
		applying += time.Since(folded)
		longest = max(longest, time.Since(folded))
		folds = append(folds, float64(folded.Sub(start))/float64(n))
		applies = append(applies, float64(time.Since(folded))/float64(n))
		f.Reset()
		b.StopTimer()
		done += n
		next = int64(done)
	}
	// On a box that others use too, the fastest tenth of the batches says most.
	for name, list := range map[string][]float64{"fold-p10-ns/op": folds, "apply-p10-ns/op": applies} {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/10], name)
	}
	b.ReportMetric(float64(folding.Nanoseconds())/float64(b.N), "fold-ns/op")
	b.ReportMetric(float64(applying.Nanoseconds())/float64(b.N), "apply-ns/op")
	b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
	// The processor's time, which other load on the box does not change.
	info, err := s.client.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	cpu := 0.0
	for _, name := range []string{"used_cpu_user_main_thread", "used_cpu_sys_main_thread"} {
		n, _ := strconv.ParseFloat(parseInfo(info)[name], 64)
		cpu += n
	}
	b.ReportMetric(cpu*1e9/float64(b.N), "redis-cpu-ns/op")
}

// BenchmarkSeries reads what the rates of one busy subject take, as an answer over HTTP does.
func BenchmarkSeries(b *testing.B) {
	server := testparts.Redis(b, testparts.RedisOptions{})
	o := options(b)
	o.Horizon, o.Engagement = 0, nil
	s := open(b, connect(b, server.Addr), o)
	l := newLoad(10_000, 10*24*time.Hour/500_000)
	f := s.NewFold()
	result := event.Result{Events: make([]event.Event, 1)}
	for at, begin := int64(0), int64(-1); at < 500_000; begin = at {
		f.Start(p0, []int64{begin})
		for range 20_000 {
			l.next(&result.Events[0])
			f.Add(p0, at, &result, l.at)
			at++
		}
		if err := s.Apply(b.Context(), f); err != nil {
			b.Fatal(err)
		}
		f.Reset()
	}
	for _, subject := range []string{"all", "tenant=tenant-01"} {
		b.Run(subject, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Series(b.Context(), subject, s.Kept(l.at)...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
