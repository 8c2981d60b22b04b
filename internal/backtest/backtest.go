// Package backtest replays recorded events, of a Kafka topic or of files, through policies: what would these limits have alerted.
// It counts, judges and keeps alerts with audit, one for each side, so that its answers are those of audit and of the service;
// what is its own is the range of time, reading a topic's partitions as one stream, and holding two sides against each other.
// It writes to nothing: no group is joined and no offset committed.
package backtest

import (
	"slices"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit"
	"sendwatch/internal/event"
)

// Span is the range of event times that is judged: from From up to, but not including, To; a zero time is no bound. Events of
// the WarmUp before From are counted, so that windows are full when the range begins, but their alerts are not told.
type Span struct {
	From, To time.Time
	WarmUp   time.Duration
}

// Start is the time from which events are counted, zero without a bound.
func (s Span) Start() time.Time {
	if s.From.IsZero() {
		return s.From
	}
	return s.From.Add(-s.WarmUp)
}

func (s Span) holds(at time.Time) bool {
	start := s.Start()
	return (start.IsZero() || !at.Before(start)) && (s.To.IsZero() || at.Before(s.To))
}

// cut returns the events within the range. The buffer is used where some are not.
func (s Span) cut(events, buffer []event.Event) (within, reuse []event.Event) {
	i := 0
	for i < len(events) && s.holds(events[i].Time) {
		i++
	}
	if i == len(events) {
		return events, buffer
	}
	buffer = append(buffer[:0], events[:i]...)
	for _, e := range events[i:] {
		if s.holds(e.Time) {
			buffer = append(buffer, e)
		}
	}
	return buffer, buffer
}

// Backtest judges one stream of events by several sides.
type Backtest struct {
	span   Span
	sides  []*audit.Audit
	buffer []event.Event
}

// New returns a backtest of nothing, with a side for each of the options.
func New(span Span, sides ...audit.Options) *Backtest {
	b := &Backtest{span: span}
	for _, o := range sides {
		b.sides = append(b.sides, audit.New(o))
	}
	return b
}

// Pipeline returns what takes the outcomes of records, in order, and what waits until all are judged. Until wait has returned
// nothing else may be called; after it, take may not.
func (b *Backtest) Pipeline() (take func(*event.Result), wait func()) {
	var takes []func(*event.Result)
	var waits []func()
	for _, side := range b.sides {
		t, w := side.Pipeline()
		takes, waits = append(takes, t), append(waits, w)
	}
	take = func(r *event.Result) {
		one := *r
		if one.Events, b.buffer = b.span.cut(r.Events, b.buffer); len(one.Events) == 0 && one.Ignored == 0 && one.Rejected == nil {
			return
		}
		for _, t := range takes {
			t(&one)
		}
	}
	wait = func() {
		for _, w := range waits {
			w()
		}
	}
	return take, wait
}

// Finish judges the end and returns the report of each side, whose alerts are those of the range.
func (b *Backtest) Finish() []*audit.Report {
	reports := make([]*audit.Report, len(b.sides))
	for i, side := range b.sides {
		r := side.Finish()
		r.Alerts = slices.DeleteFunc(r.Alerts, func(a alerts.Record) bool { return a.EvaluatedAt.Before(b.span.From) })
		reports[i] = r
	}
	return reports
}
