package memstore

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// table is a small provider table.
type table struct{}

func (table) Of(recipient string) string {
	_, domain, ok := strings.Cut(recipient, "@")
	switch {
	case !ok:
		return ""
	case domain == "gmail.com":
		return "gmail"
	}
	return "other"
}

func (table) Reports(provider string) bool { return provider == "other" }

func options() Options {
	rules := engagement.DefaultRules()
	return Options{
		Combinations: windows.DefaultCombinations(), Retention: windows.DefaultRetention(400), Late: 400 * 24 * time.Hour,
		Horizon: 48 * time.Hour, Engagement: &rules, Providers: table{},
	}
}

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// genEvents draws events that collide often: few recipients, ids, tenants and times.
func genEvents(t *rapid.T) []event.Event {
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	list := make([]event.Event, rapid.IntRange(0, 60).Draw(t, "events"))
	for i := range list {
		e := event.Event{
			Type:      event.Type(rapid.IntRange(int(event.Delivery), int(event.Drop)).Draw(t, "type")),
			Time:      start.Add(time.Duration(rapid.IntRange(0, 2880).Draw(t, "minutes")) * time.Minute),
			ID:        pick("id", "", "", "a", "b", "c"),
			MessageID: pick("message", "", "m1", "m2"),
			Recipient: pick("recipient", "", "ann@gmail.com", "bob@example.com", "cy@example.com"),
			Tenant:    pick("tenant", "", "acme", "zeta"),
			IP:        pick("ip", "", "203.0.113.1", "203.0.113.2"),
			Campaign:  pick("campaign", "", "spring, sale", "x"),
			Provider:  pick("provider", "", "", "yahoo"),
			Machine:   rapid.Bool().Draw(t, "machine"),
		}
		e.BounceClass = event.BounceClass(rapid.IntRange(0, int(event.Admin)).Draw(t, "class"))
		e.BounceAsync = rapid.Bool().Draw(t, "async")
		e.ComplaintKind = event.ComplaintKind(rapid.IntRange(0, int(event.AuthFailure)).Draw(t, "kind"))
		e.OptInDouble = rapid.Bool().Draw(t, "double")
		e.Tidy()
		list[i] = e
	}
	return list
}

// brute reads contract sections 2 and 6 as they are written, over the list of events, with nothing clever in it.
type brute struct {
	counts  map[string]int64 // subject, step, bucket, counter
	dup     int64
	seen    map[string]time.Time
	newest  time.Time
	records map[string][]event.Event // of a tenant's recipient
}

func (b *brute) take(o *Options, e event.Event) {
	if key, ok := sameness(&e); ok {
		if first, known := b.seen[key]; known && b.newest.Sub(first) <= o.Horizon {
			b.dup++
			return
		}
		b.seen[key] = e.Time
	}
	if e.Time.After(b.newest) {
		b.newest = e.Time
	}
	if e.Tenant == "" {
		e.Tenant = "default"
	}
	if e.Provider == "" {
		e.Provider = o.Providers.Of(e.Recipient)
	}
	first, second, two := windows.CountersOf(&e)
	names := []string{first.String()}
	if two {
		names = append(names, second.String())
	}
	if who := e.Tenant + "/" + e.Recipient; e.Recipient != "" {
		b.records[who] = append(b.records[who], e)
		if e.Type == event.Delivery {
			names = append(names, b.deliveredAs(o, &e, b.records[who])...)
		}
	}
	if e.Type == event.Delivery && o.Providers.Reports(e.Provider) {
		names = append(names, "delivered_reporting")
	}
	for _, c := range o.Combinations {
		var parts []string
		for _, d := range c {
			if v := d.Of(&e); v != "" {
				parts = append(parts, d.String()+"="+strings.ReplaceAll(v, ",", "%2C"))
			}
		}
		if len(parts) < len(c) {
			continue
		}
		key := strings.Join(parts, ",")
		if len(c) == 0 {
			key = "all"
		}
		for step, size := range map[string]time.Duration{"1m": time.Minute, "1h": time.Hour, "1d": 24 * time.Hour} {
			for _, name := range names {
				b.counts[fmt.Sprint(key, " ", step, " ", e.Time.Truncate(size).Format(time.RFC3339), " ", name)]++
			}
		}
	}
}

func sameness(e *event.Event) (string, bool) {
	switch {
	case e.ID != "":
		return fmt.Sprintf("%s|%s|%s", e.Type, e.Recipient, e.ID), true
	case e.MessageID != "":
		return fmt.Sprintf("%s|%s||%s|%s", e.Type, e.Recipient, e.MessageID, e.Time), true
	}
	return "", false
}

// deliveredAs says how a delivery counts beside delivered, from all events of its recipient up to it, itself included. The
// events of a run lie within days of each other, so nobody is forgotten.
func (b *brute) deliveredAs(o *Options, e *event.Event, list []event.Event) []string {
	rules := o.Engagement
	today := engagement.DayOf(e.Time)
	cut := rules.At(today).Engaged
	engaged, first := false, today
	var unsubscribed, complained, optedIn time.Time
	newer := func(at *time.Time, t time.Time) {
		if t.After(*at) {
			*at = t
		}
	}
	for i := range list {
		h := &list[i]
		if h.Type == event.Drop {
			continue
		}
		first = min(first, engagement.DayOf(h.Time))
		switch h.Type {
		case event.Open, event.Click, event.Reply, event.OptIn:
			engaged = engaged || !h.Machine && engagement.DayOf(h.Time) >= cut
		case event.Unsubscribe:
			newer(&unsubscribed, h.Time)
		case event.Complaint:
			if h.ComplaintKind != event.NotSpam && h.ComplaintKind != event.AuthFailure {
				newer(&complained, h.Time)
			}
		}
		if h.Type == event.OptIn {
			newer(&optedIn, h.Time)
		}
	}
	out := []string{"delivered_unengaged"}
	if engaged {
		out[0] = "delivered_engaged"
	} else if first >= today-engagement.Day(rules.NewFor) {
		out[0] = "delivered_new"
	}
	for _, since := range []time.Time{unsubscribed, complained} {
		if !since.IsZero() && e.Time.Sub(since) > rules.HonourWithin && !optedIn.After(since) {
			return append(out, "delivered_suppressed")
		}
	}
	return out
}

// dump lists every counter that is not zero, as brute does.
func dump(s *Store) map[string]int64 {
	out := map[string]int64{}
	for _, sub := range s.Subjects() {
		for step := windows.Minute; int(step) < windows.NumSteps; step++ {
			for bucket, counts := range sub.Series().Buckets(windows.Span{Step: step, First: -1 << 30, Last: 1 << 30}) {
				for c, n := range counts {
					if n != 0 {
						out[fmt.Sprint(sub.Key, " ", step, " ", step.Start(bucket).Format(time.RFC3339), " ", windows.Counter(c))] = n
					}
				}
			}
		}
	}
	return out
}

func TestAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := options()
		s := New(o)
		b := &brute{counts: map[string]int64{}, seen: map[string]time.Time{}, records: map[string][]event.Event{}}
		for _, e := range genEvents(t) {
			s.Take(&event.Result{Events: []event.Event{e}}, start)
			b.take(&o, e)
			if rapid.IntRange(0, 9).Draw(t, "look") == 0 {
				dump(s) // looking changes nothing
			}
		}
		if diff := cmp.Diff(b.counts, dump(s)); diff != "" {
			t.Fatalf("counters (-brute +store):\n%s", diff)
		}
		if got := s.Totals(); got.Duplicate != b.dup {
			t.Fatalf("%d duplicates, want %d", got.Duplicate, b.dup)
		}
	})
}

func TestTotalsAndOrderOfJudgement(t *testing.T) {
	s := New(options())
	at := func(d time.Duration) event.Event {
		return event.Event{Type: event.Delivery, Time: start.Add(d), ID: "x", Recipient: "a@b.c"}
	}
	take := func(r event.Result) { s.Take(&r, start) }
	take(event.Result{Events: []event.Event{at(0)}, Ignored: 2})
	take(event.Result{Events: []event.Event{at(0)}, Rejected: &event.Rejection{Reason: event.NoTime}})
	take(event.Result{Events: []event.Event{at(-400*24*time.Hour - 1)}}) // late, though also a repeat
	take(event.Result{Rejected: &event.Rejection{Reason: event.NotJSON}})
	want := Totals{Read: 7, Counted: 1, Duplicate: 1, Late: 1, Ignored: 2,
		Rejected: map[event.Reason]int64{event.NoTime: 1, event.NotJSON: 1}}
	if diff := cmp.Diff(want, s.Totals()); diff != "" {
		t.Error(diff)
	}
	if !s.Newest().Equal(start) {
		t.Errorf("newest %v", s.Newest())
	}
}

func TestRecordsAreTakenOnce(t *testing.T) {
	s := New(options())
	p := windows.Partition{Topic: "mail.events", ID: 3}
	r := event.Result{Events: []event.Event{{Type: event.Send, Time: start}}}
	for _, offset := range []int64{10, 10, 9, 11, 15, 11} {
		s.Add(p, offset, &r, start)
	}
	if got := s.Totals().Counted; got != 3 {
		t.Errorf("counted %d", got)
	}
	next, newest, ok := s.Next(p)
	if next != 16 || !newest.Equal(start) || !ok {
		t.Errorf("next %d, %v, %v", next, newest, ok)
	}
	if _, _, ok := s.Next(windows.Partition{Topic: "other"}); ok {
		t.Error("a partition that nothing was taken of has a position")
	}
}

// Remembering has an end, and what is forgotten gives its room back.
func TestRepeatsForget(t *testing.T) {
	r := newRepeats(3600)
	const perSlice = 5000
	print := func(i, j int) uint64 { return mix(uint64(i), uint64(j)) }
	for i := range 100 {
		now := int64(i * slice)
		r.advance(now)
		for j := range perSlice {
			if r.seen(print(i, j), now) {
				t.Fatalf("%d/%d is new", i, j)
			}
		}
		for back := 0; back <= min(i, 6); back++ {
			if !r.seen(print(i-back, 7), now-int64(back)*slice) {
				t.Fatalf("forgot an event of %d slices ago", back)
			}
		}
	}
	slots := 0
	for i := range r.segs {
		slots += len(r.segs[i].keys)
	}
	if slots > 4*8*perSlice {
		t.Errorf("%d slots for %d events within the horizon", slots, 7*perSlice)
	}
	for range 2 {
		if r.seen(print(0, 0), 0) {
			t.Error("outside the horizon everything counts")
		}
	}
}

func TestPackedDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := engagement.NewRecipient()
		r.First = engagement.Day(rapid.IntRange(dayBase, 2932896).Draw(t, "first"))
		r.Last = r.First + engagement.Day(rapid.IntRange(0, 100000).Draw(t, "last"))
		if rapid.Bool().Draw(t, "acted") {
			r.Interacted = r.First + engagement.Day(rapid.IntRange(0, int(r.Last-r.First)).Draw(t, "interacted"))
		}
		if got := unpack(pack(&r)); got != r {
			t.Fatalf("got %+v, want %+v", got, r)
		}
	})
}

func TestPeopleAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := engagement.DefaultRules()
		var p people
		want := map[uint64]engagement.Recipient{}
		for range rapid.IntRange(0, 300).Draw(t, "n") {
			hash := uint64(rapid.IntRange(0, 40).Draw(t, "who")) * 0x9e3779b97f4a7c15
			kind := engagement.Kind(rapid.IntRange(0, int(engagement.HardBounce)).Draw(t, "kind"))
			at := start.Add(time.Duration(rapid.IntRange(0, 500).Draw(t, "day")) * 24 * time.Hour)
			b := rules.At(engagement.DayOf(at))
			r, ok := want[personKey(hash)]
			if !ok {
				r = engagement.NewRecipient()
			}
			r.See(kind, engagement.InstantOf(at), &b)
			if r != engagement.NewRecipient() {
				want[personKey(hash)] = r
			}
			if got := p.see(hash, kind, engagement.InstantOf(at), &b, engagement.Never); got != r {
				t.Fatalf("got %+v, want %+v", got, r)
			}
		}
		n := 0
		p.all(func(engagement.Recipient) { n++ })
		if n != len(want) {
			t.Fatalf("%d recipients, want %d", n, len(want))
		}
		for hash, r := range want {
			if got := p.get(hash); got != r {
				t.Fatalf("got %+v, want %+v", got, r)
			}
		}
	})
}

func TestSubjectsAndBreakdown(t *testing.T) {
	s := New(options())
	take := func(e event.Event) { s.Take(&event.Result{Events: []event.Event{e}}, start) }
	take(event.Event{Type: event.Delivery, Time: start, Recipient: "a@gmail.com", Tenant: "acme"})
	take(event.Event{Type: event.Delivery, Time: start, Recipient: "b@x.org", Tenant: "acme"})
	take(event.Event{Type: event.Click, Time: start, Recipient: "b@x.org", Tenant: "acme"})
	take(event.Event{Type: event.Unsubscribe, Time: start, Recipient: "b@x.org", Tenant: "acme"})
	take(event.Event{Type: event.Drop, Time: start, Recipient: "c@x.org", Tenant: "acme"})
	take(event.Event{Type: event.Delivery, Time: start})
	want := []string{"tenant=acme,provider=gmail", "tenant=acme,provider=other"}
	if got := s.SubjectsOf(windows.Combination{windows.Tenant, windows.Provider}); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
	day := engagement.DayOf(start)
	if got := s.Breakdown("acme", day); got != (engagement.Breakdown{Known: 2, Engaged: 1, New: 1, Engaged30d: 1, Engaged90d: 1}) {
		t.Errorf("got %+v", got)
	}
	if got := s.Recipient("acme", "b@x.org"); got.Unsubscribed.Day() != day || got.Interacted != day {
		t.Errorf("got %+v", got)
	}
	if got := s.Recipient("acme", "c@x.org"); got != engagement.NewRecipient() {
		t.Errorf("a drop made %+v", got)
	}
	if got := slices.Sorted(slices.Values(s.Tenants())); !slices.Equal(got, []string{"acme", "default"}) {
		t.Errorf("tenants %v", got)
	}
	due := map[string]bool{}
	for _, sub := range s.Due() {
		due[sub.Key] = true
	}
	if got := slices.Sorted(maps.Keys(due)); !slices.Equal(got, []string{"all", "tenant=acme",
		"tenant=acme,provider=gmail", "tenant=acme,provider=other", "tenant=default"}) {
		t.Errorf("due %v", got)
	}
	if len(s.Due()) != 0 {
		t.Error("due twice")
	}
	all, _ := s.Subject("all")
	if since := all.Since(); since.Delivered != 3 || since.Unsubscribed != 1 || since.Early {
		t.Errorf("since: %+v", since)
	}
	all.ResetSince()
	if since := all.Since(); since != (Since{}) {
		t.Errorf("since reset: %+v", since)
	}
	take(event.Event{Type: event.Delivery, Time: start.Add(-time.Hour)})
	if since := all.Since(); since != (Since{Delivered: 1, Early: true}) {
		t.Errorf("since an early one: %+v", since)
	}
	if !s.Oldest().Equal(start.Add(-time.Hour)) || !s.Newest().Equal(start) {
		t.Errorf("from %v to %v", s.Oldest(), s.Newest())
	}
}

func TestDue(t *testing.T) {
	o := options()
	o.Combinations = []windows.Combination{{}}
	s := New(o)
	take := func(e event.Event) { e.Time = start; s.Take(&event.Result{Events: []event.Event{e}}, start) }
	take(event.Event{Type: event.Open})
	all, _ := s.Subject("all")
	if due := s.Due(); len(due) != 1 || due[0] != all {
		t.Fatal("a new subject is not due")
	}
	for _, c := range []struct {
		name     string
		event    event.Event
		rate     windows.Rate
		isVolume bool
	}{
		{"delivery", event.Event{Type: event.Delivery}, 0, true},
		{"bounce", event.Event{Type: event.Bounce}, windows.Bounce, true},
		{"complaint", event.Event{Type: event.Complaint}, windows.Complaint, false},
		{"unsubscribe", event.Event{Type: event.Unsubscribe}, windows.Unsubscribe, false},
		{"admin bounce", event.Event{Type: event.Bounce, BounceClass: event.Admin}, 0, false},
		{"not-spam", event.Event{Type: event.Complaint, ComplaintKind: event.NotSpam}, 0, false},
		{"open", event.Event{Type: event.Open}, 0, false},
	} {
		more, unlimited := [windows.NumRates]int64{9, 9, 9, 9, 9}, [windows.NumRates]int64{9, 9, 9, 9, 9}
		isNumerator := c.rate != 0 || c.name == "bounce"
		if isNumerator {
			more[c.rate] = 1
			all.Allow(more, 9)
			take(c.event)
			if len(s.Due()) != 0 {
				t.Errorf("%s: due within the quota of its rate", c.name)
			}
			if take(c.event); len(s.Due()) != 1 {
				t.Errorf("%s: not due beyond the quota of its rate", c.name)
			}
		}
		all.Allow(unlimited, 0)
		if take(c.event); len(s.Due()) == 1 != c.isVolume {
			t.Errorf("%s: as volume", c.name)
		}
		all.Allow([windows.NumRates]int64{}, 9)
		if take(c.event); len(s.Due()) == 1 != isNumerator {
			t.Errorf("%s: as numerator", c.name)
		}
	}
}
