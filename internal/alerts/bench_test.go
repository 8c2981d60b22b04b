package alerts

import (
	"fmt"
	"testing"
	"time"

	"sendwatch/internal/windows"
)

// busy is an evaluator with n subjects that have mail in every minute of the last hours, every hour of the last nine days and
// every day of two months.
func busy(n int) *Evaluator {
	e := NewEvaluator(dynamics(), ret)
	for i := range n {
		s := windows.NewSeries(e.Retention())
		fill := func(step windows.Step, buckets int64) {
			last := step.Bucket(t0)
			for b := last - buckets + 1; b <= last; b++ {
				s.Add(step, b, windows.Sent, 110)
				s.Add(step, b, windows.Delivered, 100+int64(i)%7)
				s.Add(step, b, windows.Opened, 20)
				if (int64(i)+b)%9 == 0 {
					s.Add(step, b, windows.BouncedHard, 2)
					s.Add(step, b, windows.Complained, 1)
				}
			}
		}
		fill(windows.Minute, 130)
		fill(windows.Hour, 216)
		fill(windows.Day, 60)
		e.Load(fmt.Sprintf("tenant=t%d,ip=203.0.113.%d", i/4, i%4), s)
	}
	return e
}

// BenchmarkEvaluate measures 10,000 active subjects by the default policy: all of them judged by everything, as after something
// was counted for each; at the end of a minute; and when nothing happened.
func BenchmarkEvaluate(b *testing.B) {
	const n = 10_000
	b.Run("all", func(b *testing.B) {
		e := busy(n)
		at := t0
		e.Evaluate(Moment{at, at, true})
		for b.Loop() {
			for _, s := range e.list {
				e.touch(s)
			}
			at = at.Add(time.Millisecond)
			e.Evaluate(Moment{at, at, true})
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/subject")
	})
	b.Run("minute", func(b *testing.B) {
		e := busy(n)
		at := t0
		e.Evaluate(Moment{at, at, true})
		for b.Loop() {
			at = at.Add(time.Minute)
			if at.Sub(t0) > time.Hour {
				at = t0
			}
			e.Evaluate(Moment{at, at, true})
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/subject")
	})
	b.Run("idle", func(b *testing.B) {
		e := busy(n)
		at := t0
		e.Evaluate(Moment{at, at, true})
		for b.Loop() {
			at = at.Add(time.Microsecond)
			e.Evaluate(Moment{at, at, true})
		}
	})
}
