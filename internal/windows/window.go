package windows

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

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

// Default tells whether the window is one of the four defaults, by name and length: they have their own exposure spans.
func (w Window) Default() bool {
	for _, d := range DefaultWindows() {
		if d.Name == w.Name && d.Length == w.Length {
			return true
		}
	}
	return false
}

var windowName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)

// Check returns every mistake in the window, joined; each error begins with the key it is about.
func (w Window) Check(ret Retention) error {
	var all []error
	if !windowName.MatchString(w.Name) {
		all = append(all, fmt.Errorf("name: %q; up to 32 letters, digits, dots, dashes and underscores are allowed", w.Name))
	}
	step := w.Step.Duration()
	switch {
	case w.Length <= 0 || w.Length%step != 0:
		all = append(all, fmt.Errorf("length: %s; a multiple of the step, %s, is needed", FormatDuration(w.Length), w.Step))
	case w.Length > ret[w.Step]:
		all = append(all, fmt.Errorf("length: %s; buckets of %s are kept for %s only", FormatDuration(w.Length), w.Step,
			FormatDuration(ret[w.Step])))
	}
	return errors.Join(all...)
}

// Span returns the buckets that the window covers at the given time: those whose start lies in (floor(at) − Length,
// floor(at)], the floor being that of the window's step.
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

// bucketsIn is how many bucket starts lie in a half-open interval of this length that ends on one: length ÷ step, rounded
// up.
func bucketsIn(length time.Duration, s Step) int64 {
	d := s.Duration()
	return int64((length + d - 1) / d)
}

// From is the start of the first bucket.
func (s Span) From() time.Time { return s.Step.Start(s.First) }

// To is the end of the last bucket.
func (s Span) To() time.Time { return s.Step.Start(s.Last + 1) }

// FormatDuration writes a duration as the configuration does, in the largest unit that leaves no rest: "7d", "36h", "90m",
// "15s"; what has none in Go's own form.
func FormatDuration(d time.Duration) string {
	for _, u := range [...]struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		// A day is "24h", as the window is called.
		if d >= u.size && d%u.size == 0 && !(u.name == "d" && d == u.size) {
			return fmt.Sprintf("%d%s", d/u.size, u.name)
		}
	}
	return d.String()
}
