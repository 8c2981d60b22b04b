package windows

import "time"

// Window is a rolling span of time over which rates are read: Length long, in buckets of Step.
type Window struct {
	Name   string
	Length time.Duration
	Step   Step
}

// DefaultWindows are those of the default configuration, shortest first.
func DefaultWindows() []Window {
	return []Window{
		{"1h", time.Hour, Minute},
		{"24h", 24 * time.Hour, Hour},
		{"7d", 7 * 24 * time.Hour, Hour},
		{"30d", 30 * 24 * time.Hour, Day},
	}
}

// Span returns the buckets that the window covers at the given time: those whose start lies in (floor(at) − Length,
// floor(at)], floor being that of the window's step.
func (w Window) Span(at time.Time) Span { return SpanAt(w.Step, w.Length, at) }

// Span is a run of buckets of one step, both ends included. It is empty when Last < First.
type Span struct {
	Step        Step
	First, Last int64
}

// SpanAt returns the buckets of the step whose start lies in (floor(at) − length, floor(at)].
func SpanAt(s Step, length time.Duration, at time.Time) Span {
	last := s.Bucket(at)
	return Span{Step: s, First: last - bucketsIn(length, s) + 1, Last: last}
}

// bucketsIn is how many starts of buckets lie in a half-open interval of this length that ends on one: length ÷ step,
// rounded up.
func bucketsIn(length time.Duration, s Step) int64 {
	d := s.Duration()
	return int64((length + d - 1) / d)
}

// From is the start of the first bucket.
func (s Span) From() time.Time { return s.Step.Start(s.First) }

// To is the end of the last bucket.
func (s Span) To() time.Time { return s.Step.Start(s.Last + 1) }
