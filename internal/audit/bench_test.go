package audit

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// stream makes n events of a sending pipeline over the given time: 50 tenants of different size, four sending addresses
// each, campaigns, responses that come later than the mail. One tenant in ten has a bad list.
func stream(n, recipients int, over time.Duration) []event.Event {
	random := rand.New(rand.NewPCG(7, 7))
	list := make([]event.Event, n)
	for i := range list {
		tenant := int(50 * random.Float64() * random.Float64())
		e := event.Event{
			Type: event.Delivery, Time: start.Add(over / time.Duration(n) * time.Duration(i)),
			ID: fmt.Sprintf("%08x-%d", random.Uint32(), i), MessageID: fmt.Sprintf("m-%d", i),
			Recipient: fmt.Sprintf("user%d@%s", random.IntN(recipients), [...]string{"gmail.com", "example.org", "x.net"}[random.IntN(3)]),
			Tenant:    fmt.Sprintf("tenant-%d", tenant), IP: fmt.Sprintf("203.0.113.%d", tenant*4+random.IntN(4)),
			Campaign: fmt.Sprintf("c-%d", i*10/n*3+random.IntN(3)),
		}
		bounces := 0.01
		if tenant%10 == 9 {
			bounces = 0.06
		}
		switch p := random.Float64(); {
		case p < bounces:
			e.Type, e.BounceClass = event.Bounce, event.BounceClass(random.IntN(4))
		case p < bounces+0.003:
			e.Type = event.Unsubscribe
		case p < bounces+0.0034:
			e.Type = event.Complaint
		case p < bounces+0.15:
			e.Type = event.Open
		case p < bounces+0.17:
			e.Type = event.Click
		}
		list[i] = e
	}
	return list
}

// cpuTime is what the process has used of all processors, in nanoseconds: on a box that others use too it says more than time.
func cpuTime() int64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	return use.Utime.Nano() + use.Stime.Nano()
}

// BenchmarkAudit is what an event costs behind the decoder, with everything on.
func BenchmarkAudit(b *testing.B) {
	for _, c := range []struct {
		events int
		over   time.Duration
	}{{1_000_000, 72 * time.Hour}, {3_000_000, 72 * time.Hour}, {1_000_000, time.Hour}} {
		b.Run(fmt.Sprintf("events=%d/over=%s", c.events, c.over), func(b *testing.B) {
			list := stream(c.events, 1_000_000, c.over)
			pack, _ := policy.Pack("dynamics-365")
			o := options([]policy.Policy{pack}, windows.DefaultWindows())
			b.ResetTimer()
			n, looks, alerts, before := 0, 0, 0, cpuTime()
			for b.Loop() {
				a := New(o)
				r := &event.Result{}
				for i := range list {
					r.Events = list[i : i+1]
					a.Take(r)
				}
				found := a.Finish()
				n += len(list)
				looks += a.looks
				alerts += len(found.Alerts)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
			b.ReportMetric(float64(cpuTime()-before)/float64(n), "cpu-ns/event")
			b.ReportMetric(float64(looks)/float64(n), "looks/event")
			b.ReportMetric(float64(alerts)/float64(b.N), "alerts")
			b.ReportMetric(0, "ns/op")
		})
	}
}
