package windowstest

import (
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

func neverSeen() engagement.Day { return engagement.Never }

// of is an event of one recipient.
func of(recipient string, t event.Type, d time.Duration) event.Event {
	return event.Event{Type: t, Time: at(d), Recipient: recipient}
}

// states are the counters of deliveries by state.
type states struct{ engaged, new, unengaged, suppressed int64 }

func (r *rig) expectStates(subject string, want states) {
	r.Helper()
	got := r.whole(subject)
	if have := (states{got[windows.DeliveredEngaged], got[windows.DeliveredNew], got[windows.DeliveredUnengaged], got[windows.DeliveredSuppressed]}); have != want {
		r.Errorf("%s: deliveries %+v, want %+v", subject, have, want)
	}
}

func statesOfDeliveries(r *rig) {
	const a = "a@x.org"
	r.now = at(300 * day)
	r.take(of(a, event.Delivery, 0)) // makes its recipient known: new
	r.expectStates("all", states{new: 1})
	r.take(of(a, event.Delivery, 30*day))
	r.expectStates("all", states{new: 2})
	r.take(of(a, event.Delivery, 31*day))
	r.expectStates("all", states{new: 2, unengaged: 1})
	// In one batch, each as known when it is read.
	r.take(of(a, event.Delivery, 32*day), of(a, event.Open, 32*day), of(a, event.Delivery, 32*day), of(a, event.Delivery, 33*day))
	r.expectStates("all", states{engaged: 2, new: 2, unengaged: 2})
	// Engaged for six calendar months: 2 March + 32 days is 3 April, so until 3 October.
	last := time.Date(2026, 10, 3, 23, 0, 0, 0, time.UTC).Sub(t0())
	r.take(of(a, event.Delivery, last))
	r.expectStates("all", states{engaged: 3, new: 2, unengaged: 2})
	r.take(of(a, event.Delivery, last+hour))
	r.expectStates("all", states{engaged: 3, new: 2, unengaged: 3})
	// In every subject of the delivery.
	r.expectStates("tenant=default,provider=other", states{engaged: 3, new: 2, unengaged: 3})
	day := engagement.DayOf(at(32 * day))
	if got := r.recipient("default", a); got.Interacted != day || got.First != engagement.DayOf(t0()) || got.Last != engagement.DayOf(at(last+hour)) {
		r.Errorf("recipient %+v", got)
	}
}

func interactionsAndMachines(r *rig) {
	deliver := func(who string) { r.take(of(who, event.Delivery, 40*day)) }
	r.now = at(100 * day)
	for _, c := range []struct {
		who     string
		e       event.Event
		engages bool
	}{
		{"open@x.org", event.Event{Type: event.Open}, true},
		{"click@x.org", event.Event{Type: event.Click}, true},
		{"reply@x.org", event.Event{Type: event.Reply}, true},
		{"optin@x.org", event.Event{Type: event.OptIn}, true},
		{"machine-open@x.org", event.Event{Type: event.Open, Machine: true}, false},
		{"machine-click@x.org", event.Event{Type: event.Click, Machine: true}, false},
		{"machine-reply@x.org", event.Event{Type: event.Reply, Machine: true}, false},
		{"unsubscribe@x.org", event.Event{Type: event.Unsubscribe}, false},
		{"complaint@x.org", event.Event{Type: event.Complaint, ComplaintKind: event.NotSpam}, false},
		{"bounce@x.org", event.Event{Type: event.Bounce}, false},
		{"send@x.org", event.Event{Type: event.Send}, false},
		{"deferral@x.org", event.Event{Type: event.Deferral}, false},
	} {
		before := r.whole("all")
		e := c.e
		e.Recipient, e.Time = c.who, at(0)
		r.take(e)
		deliver(c.who)
		got := r.whole("all")
		engaged, unengaged := got[windows.DeliveredEngaged]-before[windows.DeliveredEngaged], got[windows.DeliveredUnengaged]-before[windows.DeliveredUnengaged]
		if c.engages && engaged != 1 || !c.engages && unengaged != 1 {
			r.Errorf("%s: engaged %d, unengaged %d", c.who, engaged, unengaged)
		}
	}
	// A drop is not being seen: the delivery 40 days later is the first that is heard of its recipient.
	before := r.whole("all")
	r.take(of("drop@x.org", event.Drop, 0))
	deliver("drop@x.org")
	if got := r.whole("all"); got[windows.DeliveredNew]-before[windows.DeliveredNew] != 1 {
		r.Error("a drop made its recipient known")
	}
}

func suppressedDeliveries(r *rig) {
	r.now = at(60 * day)
	complaint := func(kind event.ComplaintKind, d time.Duration) event.Event {
		return event.Event{Type: event.Complaint, ComplaintKind: kind, Time: at(d)}
	}
	e := func(t event.Type, d time.Duration) event.Event { return event.Event{Type: t, Time: at(d)} }
	for _, c := range []struct {
		who    string
		events []event.Event
		at     time.Duration
		want   int64
	}{
		{"nobody-asked", nil, 50 * day, 0},
		{"in-time", []event.Event{e(event.Unsubscribe, 0)}, 48 * hour, 0},
		{"a-second-late", []event.Event{e(event.Unsubscribe, 0)}, 48*hour + time.Second, 1},
		{"a-nanosecond-late", []event.Event{e(event.Unsubscribe, 0)}, 48*hour + 1, 1},
		{"complained", []event.Event{complaint(event.Abuse, 0)}, 49 * hour, 1},
		{"not-spam", []event.Event{complaint(event.NotSpam, 0)}, 49 * hour, 0},
		{"auth-failure", []event.Event{complaint(event.AuthFailure, 0)}, 49 * hour, 0},
		{"bounced", []event.Event{{Type: event.Bounce, BounceClass: event.Hard, Time: at(0)}}, 49 * hour, 0},
		{"came-back", []event.Event{e(event.Unsubscribe, 0), e(event.OptIn, hour)}, 49 * hour, 0},
		{"came-back-read-the-other-way-round", []event.Event{e(event.OptIn, hour), e(event.Unsubscribe, 0)}, 49 * hour, 0},
		{"opted-in-before", []event.Event{e(event.OptIn, -hour), e(event.Unsubscribe, 0)}, 49 * hour, 1},
		{"opted-in-at-the-same-time", []event.Event{e(event.Unsubscribe, 0), e(event.OptIn, 0)}, 49 * hour, 1},
		{"opened-since", []event.Event{e(event.Unsubscribe, 0), e(event.Open, hour)}, 49 * hour, 1},
		{"left-again", []event.Event{e(event.Unsubscribe, 0), e(event.OptIn, hour), e(event.Unsubscribe, 2*hour)}, 51 * hour, 1},
		{"newest-counts", []event.Event{e(event.Unsubscribe, 0), e(event.Unsubscribe, 40*hour)}, 49 * hour, 0},
		{"each-for-itself", []event.Event{e(event.Unsubscribe, 0), complaint(event.Abuse, 40*hour)}, 49 * hour, 1},
		{"delivered-before", []event.Event{e(event.Unsubscribe, 0)}, -100 * hour, 0},
	} {
		events := append(c.events, e(event.Delivery, c.at))
		for i := range events {
			events[i].Recipient, events[i].Tenant = c.who+"@x.org", c.who
		}
		r.take(events...)
		if got := r.whole("tenant=" + c.who); got[windows.DeliveredSuppressed] != c.want || got[windows.Delivered] != 1 {
			r.Errorf("%s: %d suppressed of %d delivered, want %d", c.who, got[windows.DeliveredSuppressed], got[windows.Delivered], c.want)
		}
	}
	// Beside the three states, not instead.
	r.expectStates("tenant=opened-since", states{engaged: 1, suppressed: 1})
	// What is remembered stays after an opt-in.
	got := r.recipient("came-back", "came-back@x.org")
	if got.Unsubscribed != engagement.InstantOf(at(0)) || got.OptedIn != engagement.InstantOf(at(hour)) {
		r.Errorf("recipient %+v", got)
	}
	if got := r.recipient("bounced", "bounced@x.org"); got.HardBounced != engagement.InstantOf(at(0)) || got.Complained != engagement.NeverAt {
		r.Errorf("recipient %+v", got)
	}
}

func forgottenRecipients(r *rig) {
	r.now = at(390 * day)
	// The day on which the last one who remembers 2 March could come: six months and 31 days later.
	rules := engagement.DefaultRules()
	b := rules.At(engagement.DayOf(t0()))
	last := b.Remembers.Start().Add(12 * hour).Sub(t0())
	for _, c := range []struct {
		who  string
		back time.Duration
		want states
	}{
		{"remembered", last, states{new: 1, unengaged: 1}},
		{"forgotten", last + day, states{new: 2}},
	} {
		who := c.who + "@x.org"
		events := []event.Event{of(who, event.Delivery, 0), of(who, event.Click, 0), of(who, event.Unsubscribe, 0),
			of(who, event.Drop, 100*day), of(who, event.Delivery, c.back)}
		for i := range events {
			events[i].Tenant = c.who
		}
		r.take(events[:4]...)
		r.take(events[4])
		got := r.whole("tenant=" + c.who)
		have := states{got[windows.DeliveredEngaged], got[windows.DeliveredNew], got[windows.DeliveredUnengaged], 0}
		if have != c.want {
			r.Errorf("%s: %+v, want %+v", c.who, have, c.want)
		}
		rec := r.recipient(c.who, who)
		if forgot := rec.Unsubscribed == engagement.NeverAt && rec.Interacted == engagement.Never; forgot != (c.who == "forgotten") {
			r.Errorf("%s: %+v", c.who, rec)
		}
	}
	// What comes late, from before a recipient was forgotten, changes nothing.
	old := of("forgotten@x.org", event.Click, time.Minute)
	old.Tenant = "forgotten"
	before := r.recipient("forgotten", "forgotten@x.org")
	r.take(old)
	if got := r.recipient("forgotten", "forgotten@x.org"); got != before {
		r.Errorf("a late event changed %+v to %+v", before, got)
	}
}

func recipientsOfTenants(r *rig) {
	a := of("a@x.org", event.Open, 0)
	a.Tenant = "acme"
	r.take(a)
	b := of("a@x.org", event.Delivery, day)
	b.Tenant = "zeta"
	r.take(b)
	r.expectStates("tenant=zeta", states{new: 1}) // what acme knows is acme's
	if got := r.recipient("acme", "a@x.org"); got.Interacted != engagement.DayOf(t0()) {
		r.Errorf("acme: %+v", got)
	}
	if got := r.recipient("default", "a@x.org"); got != engagement.NewRecipient() {
		r.Errorf("default: %+v", got)
	}
}

func breakdownOfRecipients(r *rig) {
	r.now = at(200 * day)
	today := engagement.DayOf(at(180 * day))
	r.take(
		of("opened@x.org", event.Open, 180*day),
		of("opened-a-month-ago@x.org", event.Open, 150*day),
		of("opened-31-days-ago@x.org", event.Click, 149*day),
		of("opened-91-days-ago@x.org", event.Reply, 89*day),
		of("opened-long-ago@x.org", event.Open, -10*day), of("opened-long-ago@x.org", event.Delivery, 180*day),
		of("new@x.org", event.Delivery, 150*day),
		of("not-new@x.org", event.Delivery, 149*day),
		of("gone@x.org", event.Open, -10*day),
		of("dropped@x.org", event.Drop, 180*day),
	)
	other := of("theirs@x.org", event.Open, 180*day)
	other.Tenant = "zeta"
	r.take(other)
	for d, want := range map[engagement.Day]engagement.Breakdown{
		today:     {Known: 7, Engaged: 4, New: 1, Unengaged: 2, Engaged30d: 2, Engaged90d: 3},
		today + 1: {Known: 7, Engaged: 4, New: 0, Unengaged: 3, Engaged30d: 1, Engaged90d: 3},
	} {
		got, err := r.store.Breakdown(r.Context(), "default", d)
		if err != nil {
			r.Fatal(err)
		}
		if got != want {
			r.Errorf("on %v: %+v, want %+v", d, got, want)
		}
	}
	if got, err := r.store.Breakdown(r.Context(), "nobody", today); err != nil || got != (engagement.Breakdown{}) {
		r.Errorf("a tenant without recipients: %+v, %v", got, err)
	}
}

func deliveriesWithoutRecipient(r *rig) {
	r.take(event.Event{Type: event.Delivery, Time: t0(), Tenant: "acme"}, event.Event{Type: event.Delivery, Time: t0(), Tenant: "acme", Provider: "gmail"})
	r.expect("tenant=acme", count{windows.Delivered: 2})
	got, err := r.store.Breakdown(r.Context(), "acme", engagement.DayOf(t0()))
	if err != nil || got != (engagement.Breakdown{}) {
		r.Errorf("recipients %+v, %v", got, err)
	}
}

func recipientsLeftOut(r *rig) {
	r.take(of("a@x.org", event.Unsubscribe, 0), of("a@x.org", event.Delivery, 5*day))
	r.expect("tenant=default", count{windows.Unsubscribed: 1, windows.Delivered: 1, windows.DeliveredReporting: 1})
}
