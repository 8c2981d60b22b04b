package windowstest

import (
	"slices"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// count is a set of expected counters.
type count = map[windows.Counter]int64

func at(d time.Duration) time.Time { return t0().Add(d) }

func countsByType(r *rig) {
	bounce := func(class event.BounceClass, async bool) event.Event {
		return event.Event{Type: event.Bounce, Time: t0(), BounceClass: class, BounceAsync: async}
	}
	complaint := func(kind event.ComplaintKind) event.Event {
		return event.Event{Type: event.Complaint, Time: t0(), ComplaintKind: kind}
	}
	of := func(t event.Type) event.Event { return event.Event{Type: t, Time: t0()} }
	machine := func(t event.Type) event.Event { return event.Event{Type: t, Time: t0(), Machine: true} }
	r.take(
		of(event.Send), of(event.Deferral), of(event.Deferral), of(event.Drop), of(event.Unsubscribe),
		bounce(event.Hard, false), bounce(event.Hard, true), bounce(event.Soft, true), bounce(event.Block, false),
		bounce(event.Undetermined, true), bounce(event.Admin, false),
		bounce(event.Admin, true), // never in a rate: not counted as asynchronous
		complaint(event.Abuse), complaint(event.Fraud), complaint(event.Virus), complaint(event.Other),
		complaint(event.NotSpam), complaint(event.AuthFailure),
		of(event.Open), of(event.Click), of(event.Click), of(event.Reply),
		machine(event.Open), machine(event.Click), machine(event.Reply),
		of(event.OptIn), event.Event{Type: event.OptIn, Time: t0(), OptInDouble: true},
	)
	r.expect("all", count{
		windows.Sent: 1, windows.Deferred: 2, windows.Dropped: 1, windows.Unsubscribed: 1,
		windows.BouncedHard: 2, windows.BouncedSoft: 1, windows.BouncedBlock: 1, windows.BouncedUndetermined: 1,
		windows.BouncedAdmin: 2, windows.BouncedAsync: 3,
		windows.Complained: 4, windows.ComplaintWithdrawn: 1, windows.AuthFailure: 1,
		windows.Opened: 1, windows.Clicked: 2, windows.Replied: 1, windows.Machine: 3, windows.OptedIn: 2, windows.OptedInDouble: 1,
	})
	if got := r.totals(); got.Counted != 27 || got.Read() != 27 {
		r.Errorf("totals %+v", got)
	}
}

func subjectsOfEvents(r *rig) {
	send := func(tenant, ip, provider, campaign string) event.Event {
		return event.Event{Type: event.Send, Time: t0(), Tenant: tenant, IP: ip, Provider: provider, Campaign: campaign}
	}
	r.take(send("acme", "203.0.113.9", "gmail", "spring"), send("acme", "", "", ""), send("", "203.0.113.9", "", "x"),
		send("a,b=c%d é", "", "", ""))
	for subject, n := range map[string]int64{
		"all": 4, "tenant=acme": 2, "tenant=default": 1, "tenant=a%2Cb%3Dc%25d %C3%A9": 1, "ip=203.0.113.9": 2,
		"tenant=acme,ip=203.0.113.9": 1, "tenant=default,ip=203.0.113.9": 1, "tenant=acme,provider=gmail": 1,
		"tenant=acme,campaign=spring": 1, "tenant=default,campaign=x": 1,
	} {
		r.expect(subject, count{windows.Sent: n})
	}
	r.expect("tenant=nobody", nil)
	for _, c := range []struct {
		of   windows.Combination
		want []string
	}{
		{nil, []string{"all"}},
		{windows.Combination{windows.Tenant}, []string{"tenant=a%2Cb%3Dc%25d %C3%A9", "tenant=acme", "tenant=default"}},
		{windows.Combination{windows.IP}, []string{"ip=203.0.113.9"}},
		{windows.Combination{windows.Tenant, windows.Provider}, []string{"tenant=acme,provider=gmail"}},
	} {
		if got := r.subjects(c.of); !slices.Equal(got, c.want) {
			r.Errorf("subjects of %q: %q, want %q", c.of, got, c.want)
		}
	}
}

func mailboxProviders(r *rig) {
	for recipient, provider := range map[string]string{
		"a@gmail.com": "gmail", "a@googlemail.com": "gmail", "a@outlook.com": "outlook", "a@hotmail.co.uk": "outlook",
		"a@live.fr": "outlook", "a@msn.com": "outlook", "a@yahoo.com": "yahoo", "a@yahoo.co.jp": "yahoo", "a@ymail.com": "yahoo",
		"a@rocketmail.com": "yahoo", "a@aol.com": "yahoo", "a@icloud.com": "apple", "a@me.com": "apple", "a@mac.com": "apple",
		"a@example.org": "other", "a@notgmail.com": "other", "a@gmail.com.evil.org": "other", "a@mail.yahoo.example": "other",
	} {
		tenant := "to " + recipient[2:]
		r.take(event.Event{Type: event.Send, Time: t0(), Recipient: recipient, Tenant: tenant})
		r.expect("tenant="+tenant+",provider="+provider, count{windows.Sent: 1})
	}
	r.take(event.Event{Type: event.Send, Time: t0(), Recipient: "a@gmail.com", Provider: "mine", Tenant: "own"})
	r.expect("tenant=own,provider=mine", count{windows.Sent: 1})
	r.expect("tenant=own,provider=gmail", nil)
	// Deliveries at providers that tell of complaints: not Gmail, not Apple.
	for _, recipient := range []string{"a@gmail.com", "a@icloud.com", "a@yahoo.com", "a@outlook.com", "a@example.org"} {
		r.take(event.Event{Type: event.Delivery, Time: t0(), Recipient: recipient, Tenant: "told"})
	}
	r.take(event.Event{Type: event.Delivery, Time: t0(), Tenant: "told"})
	if got := r.whole("tenant=told"); got[windows.Delivered] != 6 || got[windows.DeliveredReporting] != 3 {
		r.Errorf("%d of %d delivered where complaints are reported, want 3 of 6", got[windows.DeliveredReporting], got[windows.Delivered])
	}
}

func otherOnes() []windows.Combination {
	return []windows.Combination{{windows.Stream, windows.Tenant}, {windows.Pool}, {windows.Domain, windows.Provider}}
}

func otherCombinations(r *rig) {
	r.take(event.Event{Type: event.Send, Time: t0(), Tenant: "acme", Stream: "news", Pool: "bulk", Domain: "x.org", Recipient: "a@gmail.com"})
	r.expect("stream=news,tenant=acme", count{windows.Sent: 1})
	r.expect("pool=bulk", count{windows.Sent: 1})
	r.expect("domain=x.org,provider=gmail", count{windows.Sent: 1})
	r.expect("all", nil)
}

func bucketsOfOwnTime(r *rig) {
	when := func(text string) time.Time {
		t, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			r.Fatal(err)
		}
		return t
	}
	r.take(
		event.Event{Type: event.Send, Time: when("2026-03-02T09:59:59.999999999Z")},
		event.Event{Type: event.Send, Time: when("2026-03-02T10:00:00Z")},
		event.Event{Type: event.Send, Time: when("2026-03-03T00:30:00+02:00").UTC()}, // 2 March, 22:30 UTC
		event.Event{Type: event.Send, Time: when("2026-03-03T00:00:00Z")},
	)
	for _, c := range []struct {
		step windows.Step
		want map[string]int64
	}{
		{windows.Minute, map[string]int64{"2026-03-02T09:59:00Z": 1, "2026-03-02T10:00:00Z": 1, "2026-03-02T22:30:00Z": 1, "2026-03-03T00:00:00Z": 1}},
		{windows.Hour, map[string]int64{"2026-03-02T09:00:00Z": 1, "2026-03-02T10:00:00Z": 1, "2026-03-02T22:00:00Z": 1, "2026-03-03T00:00:00Z": 1}},
		{windows.Day, map[string]int64{"2026-03-02T00:00:00Z": 3, "2026-03-03T00:00:00Z": 1}},
	} {
		got := r.buckets("all", span(c.step, t0().AddDate(0, 0, -1), t0().AddDate(0, 0, 2)))
		if len(got) != len(c.want) {
			r.Errorf("%s: %d buckets, want %d", c.step, len(got), len(c.want))
		}
		for bucket, counts := range got {
			if start := c.step.Start(bucket).Format(time.RFC3339); counts[windows.Sent] != c.want[start] {
				r.Errorf("%s %s: %d", c.step, start, counts[windows.Sent])
			}
		}
	}
	// A span leaves out what lies beside it.
	if got := r.buckets("all", windows.Span{Step: windows.Hour, First: windows.Hour.Bucket(at(0)) + 1, Last: windows.Hour.Bucket(at(0)) + 1}); len(got) != 1 {
		r.Errorf("a span of one bucket has %d", len(got))
	}
	if got := r.buckets("all", span(windows.Day, t0().AddDate(0, 1, 0), t0().AddDate(0, 2, 0))); len(got) != 0 {
		r.Errorf("the future has %d buckets", len(got))
	}
}

// orderDoesNotMatter counts the same events forwards and backwards, in one batch and in many, for two tenants.
func orderDoesNotMatter(r *rig) {
	var events []event.Event
	for i := range 200 {
		e := event.Event{Type: event.Type(1 + i%11), Time: at(time.Duration(i*i%4000) * time.Minute), Recipient: string(rune('a'+i%7)) + "@x.org"}
		e.Tidy()
		events = append(events, e)
	}
	with := func(tenant string) []event.Event {
		list := slices.Clone(events)
		for i := range list {
			list[i].Tenant = tenant
		}
		return list
	}
	r.take(with("forwards")...)
	backwards := with("backwards")
	slices.Reverse(backwards)
	for part := range slices.Chunk(backwards, 13) {
		r.take(part...)
	}
	for step := windows.Minute; int(step) < windows.NumSteps; step++ {
		all := span(step, t0().AddDate(0, 0, -1), t0().AddDate(0, 0, 4))
		one, other := r.buckets("tenant=forwards", all), r.buckets("tenant=backwards", all)
		if len(one) == 0 || len(one) != len(other) {
			r.Fatalf("%s: %d and %d buckets", step, len(one), len(other))
		}
		for bucket, counts := range one {
			// The state of a recipient is as known when the delivery is read: that alone may differ.
			a, b := counts, other[bucket]
			for _, c := range []windows.Counter{windows.DeliveredEngaged, windows.DeliveredNew, windows.DeliveredUnengaged, windows.DeliveredSuppressed} {
				a[c], b[c] = 0, 0
			}
			if a != b {
				r.Errorf("%s %d: %v forwards, %v backwards", step, bucket, a, b)
			}
		}
	}
}

func lateEvents(r *rig) {
	old := r.now.Add(-Late)
	r.take(
		event.Event{Type: event.Delivery, Time: old.Add(-1), ID: "late", Recipient: "a@x.org"},
		event.Event{Type: event.Delivery, Time: old, ID: "in time", Recipient: "b@x.org"},
		event.Event{Type: event.Delivery, Time: old.AddDate(-30, 0, 0), Recipient: "c@x.org"},
	)
	if got := r.totals(); got.Late != 2 || got.Counted != 1 {
		r.Errorf("totals %+v", got)
	}
	if got := r.recipient("default", "a@x.org"); got.Last != neverSeen() {
		r.Errorf("a late event made a recipient known: %+v", got)
	}
	// What was late is not remembered: the same event in time counts.
	r.take(event.Event{Type: event.Delivery, Time: at(0), ID: "late", Recipient: "a@x.org"})
	if got := r.totals(); got.Late != 2 || got.Counted != 2 || got.Duplicate != 0 {
		r.Errorf("totals %+v", got)
	}
}

func totals(r *rig) {
	send := func(id string) event.Event { return event.Event{Type: event.Send, Time: t0(), ID: id} }
	rejected := func(reason event.Reason) *event.Rejection { return &event.Rejection{Reason: reason} }
	r.apply(r.run(partition(0),
		event.Result{Ignored: 1},
		event.Result{Rejected: rejected(event.NotJSON)},
		event.Result{Events: []event.Event{send("a"), send("b"), send("a")}, Ignored: 2, Rejected: rejected(event.NoTime)},
		event.Result{Events: []event.Event{send("b")}, Rejected: rejected(event.NoTime)},
	))
	got := r.totals()
	want := windows.Totals{Counted: 2, Duplicate: 2, Ignored: 3, Rejected: map[string]int64{"not_json": 1, "no_time": 2}}
	if got.Counted != want.Counted || got.Duplicate != want.Duplicate || got.Late != 0 || got.Ignored != want.Ignored ||
		len(got.Rejected) != 2 || got.Rejected["not_json"] != 1 || got.Rejected["no_time"] != 2 || got.Read() != 10 {
		r.Errorf("got %+v, want %+v", got, want)
	}
}
