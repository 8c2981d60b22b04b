package consumer

import (
	"testing"
	"time"
)

func TestWhenABatchIsDue(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	o := &Options{NewFold: newFold, MaxBatch: 100, FlushEvery: time.Second, BacklogEvery: 3 * time.Second}
	for _, c := range []struct {
		name   string
		since  time.Duration // before now
		events int
		behind int
		flush  bool
		empty  bool
		wait   time.Duration
		due    bool
	}{
		{name: "nothing in it", empty: true, flush: true, wait: time.Hour},
		{name: "young", since: 300 * time.Millisecond, events: 1, wait: 700 * time.Millisecond},
		{name: "of its age", since: time.Second, events: 1, due: true},
		{name: "of its age but for a backlog", since: time.Second, events: 1, behind: 1, wait: 2 * time.Second},
		{name: "old with a backlog", since: 3 * time.Second, events: 1, behind: 1, due: true},
		{name: "full", events: 100, due: true},
		{name: "waited for", events: 1, flush: true, due: true},
		{name: "begun by a clock that has been set back since", since: -time.Hour, events: 1, due: true},
	} {
		a := newApplier(nil, nil, nil, o)
		if !c.empty {
			a.active.lanes = []*lane{{}}
		}
		a.active.events, a.active.since = c.events, now.Add(-c.since)
		a.behind, a.flush = c.behind, c.flush
		if wait, due := a.due(now); wait != c.wait || due != c.due {
			t.Errorf("%s: due %v, wait %v; want %v, %v", c.name, due, wait, c.due, c.wait)
		}
	}
}
