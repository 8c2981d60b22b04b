package memstore

import (
	"fmt"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// stream makes events in order of time as a pipeline would: deliveries for the most part, some of everything else.
func stream(n, recipients int, perSecond int) []event.Event {
	list := make([]event.Event, n)
	for i := range list {
		t := i % 50
		e := event.Event{
			Type: event.Delivery, Time: start.Add(time.Duration(i) * time.Second / time.Duration(perSecond)),
			ID: fmt.Sprintf("evt-%d", i), Recipient: fmt.Sprintf("user%d@%s", i*7919%recipients, [...]string{"gmail.com", "example.org"}[i%2]),
			MessageID: fmt.Sprintf("m-%d", i), Tenant: fmt.Sprintf("tenant-%d", t), IP: fmt.Sprintf("203.0.113.%d", (t*4+i/50%4)%200),
			Campaign: fmt.Sprintf("c-%d", i/5000%7),
		}
		switch {
		case i%40 == 7:
			e.Type, e.BounceClass = event.Bounce, event.Hard
		case i%10 == 3:
			e.Type = event.Open
		case i%400 == 21:
			e.Type = event.Unsubscribe
		}
		list[i] = e
	}
	return list
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	o := options()
	s := New(o)
	list := stream(40000, 1000, 100)
	for i := range list {
		s.Take(&event.Result{Events: list[i : i+1]}, start)
	}
	// All again, a little later each time: repeats, known subjects, known recipients, known buckets.
	r := &event.Result{}
	i := 0
	if n := testing.AllocsPerRun(20000, func() {
		r.Events = list[i : i+1]
		s.Take(r, start)
		i++
	}); n > 0 {
		t.Errorf("%v allocations an event", n)
	}
}

// BenchmarkTake is the cost of an event with everything on: repeats, recipients, six combinations.
func BenchmarkTake(b *testing.B) {
	for _, recipients := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("recipients=%d", recipients), func(b *testing.B) {
			list := stream(2_000_000, recipients, 40)
			b.ReportAllocs()
			b.ResetTimer()
			n := 0
			for b.Loop() {
				s := New(options())
				r := &event.Result{}
				for i := range list {
					r.Events = list[i : i+1]
					s.Take(r, start)
					if i%40 == 39 {
						for _, sub := range s.Due() {
							sub.Allow([windows.NumRates]int64{1000, 1000, 1000, 1000, 1000}, 1000)
						}
					}
				}
				n += len(list)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
			b.ReportMetric(0, "ns/op")
		})
	}
}
