package windowstest

import (
	"fmt"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

func repeatsWithID(r *rig) {
	e := event.Event{Type: event.Delivery, Time: at(0), ID: "1", Recipient: "a@x.org", MessageID: "m", Tenant: "acme"}
	with := func(change func(*event.Event)) event.Event {
		c := e
		change(&c)
		return c
	}
	repeats := []event.Event{
		e,
		with(func(e *event.Event) { e.Time = at(hour) }), // the id counts, whatever the time
		with(func(e *event.Event) { e.Time = at(-20 * hour) }),
		with(func(e *event.Event) { e.MessageID = "other" }),
		with(func(e *event.Event) { e.Tenant = "zeta" }), // and whoever's it is
		with(func(e *event.Event) { e.IP, e.Campaign, e.Machine = "203.0.113.1", "x", true }),
	}
	others := []event.Event{
		with(func(e *event.Event) { e.ID = "2" }),
		with(func(e *event.Event) { e.Type = event.Send }),
		with(func(e *event.Event) { e.Recipient = "b@x.org" }),
		with(func(e *event.Event) { e.Recipient = "" }),
	}
	r.take(e, repeats[0]) // within a batch
	r.take(repeats...)    // another batch
	r.apply(r.run(partition(7), each(repeats)...))
	r.apply(r.run(windows.Partition{Topic: "other.topic"}, each(repeats)...))
	if got := r.totals(); got.Counted != 1 || got.Duplicate != int64(1+3*len(repeats)) {
		r.Fatalf("totals %+v", got)
	}
	r.take(others...)
	if got := r.totals(); got.Counted != int64(1+len(others)) {
		r.Errorf("other events: totals %+v", got)
	}
	r.expect("tenant=zeta", nil)
}

func repeatsWithoutID(r *rig) {
	e := event.Event{Type: event.Click, Time: at(0), Recipient: "a@x.org", MessageID: "m"}
	with := func(change func(*event.Event)) event.Event {
		c := e
		change(&c)
		return c
	}
	r.take(e)
	r.take(e, with(func(e *event.Event) { e.Tenant, e.IP = "zeta", "203.0.113.1" }))
	if got := r.totals(); got.Counted != 1 || got.Duplicate != 2 {
		r.Fatalf("totals %+v", got)
	}
	others := []event.Event{
		with(func(e *event.Event) { e.Time = at(1) }), // a nanosecond later
		with(func(e *event.Event) { e.MessageID = "n" }),
		with(func(e *event.Event) { e.Type = event.Open }),
		with(func(e *event.Event) { e.Recipient = "b@x.org" }),
		with(func(e *event.Event) { e.ID = "m" }), // an id is no message
	}
	r.take(others...)
	if got := r.totals(); got.Counted != int64(1+len(others)) || got.Duplicate != 2 {
		r.Errorf("other events: totals %+v", got)
	}
	// Without either it is always counted.
	bare := event.Event{Type: event.Open, Time: at(0), Recipient: "a@x.org"}
	r.take(bare, bare)
	r.take(bare)
	if got := r.totals(); got.Counted != int64(4+len(others)) || got.Duplicate != 2 {
		r.Errorf("events without an id: totals %+v", got)
	}
}

// repeatsWithinHorizon: a repeat is one as long as the newest event time seen is within 48 hours of its own. What lies beyond
// may count again, and no sequence asks.
func repeatsWithinHorizon(r *rig) {
	first := event.Event{Type: event.Send, Time: at(0), ID: "first", Recipient: "a@x.org"}
	r.take(first)
	for i := range 200 { // other events, of the same recipient and thus on the same home shard
		r.take(event.Event{Type: event.Send, Time: at(48 * hour / 200 * time.Duration(i)), ID: fmt.Sprint(i), Recipient: "a@x.org"})
	}
	r.take(event.Event{Type: event.Send, Time: at(48 * hour), ID: "newest", Recipient: "a@x.org"})
	before := r.totals()
	r.take(first)
	r.take(event.Event{Type: event.Send, Time: at(48 * hour), ID: "newest", Recipient: "a@x.org"})
	if got := r.totals(); got.Counted != before.Counted || got.Duplicate != before.Duplicate+2 {
		r.Errorf("before %+v, after %+v", before, got)
	}
	// An event from long before the horizon counts; it moves nothing.
	r.take(event.Event{Type: event.Send, Time: at(-30 * day), ID: "old", Recipient: "a@x.org"})
	r.take(first)
	if got := r.totals(); got.Counted != before.Counted+1 || got.Duplicate != before.Duplicate+3 {
		r.Errorf("before %+v, after an old event %+v", before, got)
	}
	// A repeat is no event that was counted: its time moves nothing, however new.
	ahead := first
	ahead.Time = at(90 * hour)
	r.take(ahead)
	r.take(first)
	if got := r.totals(); got.Counted != before.Counted+1 || got.Duplicate != before.Duplicate+5 {
		r.Errorf("before %+v, after a repeat with a new time %+v", before, got)
	}
}

// repeatsBeforeNewer: what comes after a repeat, in the same batch too, does not make it older.
func repeatsBeforeNewer(r *rig) {
	first := event.Event{Type: event.Send, Time: at(0), ID: "first", Recipient: "a@x.org"}
	r.take(first)
	r.take(event.Event{Type: event.Send, Time: at(40 * hour), ID: "second", Recipient: "a@x.org"}, first,
		event.Event{Type: event.Send, Time: at(20 * day), ID: "third", Recipient: "a@x.org"})
	if got := r.totals(); got.Counted != 3 || got.Duplicate != 1 {
		r.Errorf("totals %+v, want 3 counted and 1 duplicate", got)
	}
}

func firstCopyCounts(r *rig) {
	e := event.Event{Type: event.Bounce, Time: at(0), ID: "1", Recipient: "a@x.org", Tenant: "first", BounceClass: event.Hard}
	other := e
	other.Tenant, other.BounceClass, other.Time = "second", event.Soft, at(hour)
	r.take(e, other)
	r.take(other)
	r.expect("tenant=first", count{windows.BouncedHard: 1})
	r.expect("tenant=second", nil)
	r.expect("all", count{windows.BouncedHard: 1})
	if got := r.recipient("second", "a@x.org"); got.Last != neverSeen() {
		r.Errorf("a repeat made a recipient known: %+v", got)
	}
}

func repeatsTurnedOff(r *rig) {
	e := event.Event{Type: event.Send, Time: at(0), ID: "1", Recipient: "a@x.org", MessageID: "m"}
	r.take(e, e)
	r.take(e)
	if got := r.totals(); got.Counted != 3 || got.Duplicate != 0 {
		r.Errorf("totals %+v", got)
	}
}
