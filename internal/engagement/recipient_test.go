package engagement

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// happening is one event of one recipient, as tests write it.
type happening struct {
	kind Kind
	at   time.Time
}

func seeAll(r Rules, list []happening) Recipient {
	rec := NewRecipient()
	for _, h := range list {
		b := r.At(DayOf(h.at))
		rec.See(h.kind, InstantOf(h.at), &b)
	}
	return rec
}

func TestStateOnADay(t *testing.T) {
	rules := DefaultRules()
	for _, c := range []struct {
		name   string
		events string // "kind day" pairs
		day    string
		want   State
	}{
		{"nothing is known of a stranger", "", "2026-09-15", Unknown},
		{"a drop is not being seen", "drop 2026-09-14", "2026-09-15", Unknown},
		{"first seen today", "seen 2026-09-15", "2026-09-15", New},
		{"first seen 30 days ago", "seen 2026-08-16", "2026-09-15", New},
		{"first seen 31 days ago", "seen 2026-08-15", "2026-09-15", Unengaged},
		{"a drop before does not make older", "drop 2026-06-01, seen 2026-09-10", "2026-09-15", New},
		{"interaction six months ago", "act 2026-03-15", "2026-09-15", Engaged},
		{"interaction six months and a day ago, seen since", "act 2026-03-14, seen 2026-09-01", "2026-09-15", Unengaged},
		{"the last of a short month counts for the 31st", "act 2026-02-28", "2026-08-31", Engaged},
		{"a machine never engages", "machine 2026-09-14, seen 2026-03-20", "2026-09-15", Unengaged},
		{"an opt-in engages", "optin 2026-03-15", "2026-09-15", Engaged},
		{"known for the period only", "seen 2026-03-14", "2026-09-15", Unknown},
		{"known on its last day", "seen 2026-03-15", "2026-09-15", Unengaged},
		{"an unsubscribe is no interaction", "unsub 2026-03-15", "2026-09-15", Unengaged},
		// 2026-09-15 minus six months and 31 days is 2026-02-12.
		{"comes back on the last day of being remembered", "act 2026-02-12, seen 2026-09-15", "2026-09-15", Unengaged},
		{"comes back after being forgotten", "act 2026-02-11, seen 2026-09-15", "2026-09-15", New},
		{"drops keep nobody's memory", "act 2026-02-11, drop 2026-06-01, seen 2026-09-15", "2026-09-15", New},
		{"a late event of a forgotten life changes nothing", "seen 2026-09-15, act 2026-02-11", "2026-09-15", New},
		{"a late event that is remembered makes older", "seen 2026-09-15, seen 2026-02-12", "2026-09-15", Unengaged},
		{"an interaction that is read before counts whatever its time", "act 2026-09-20", "2026-09-15", Engaged},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			rec := seeAll(rules, parseHappenings(t, c.events))
			b := rules.At(on(t, c.day))
			if got := rec.State(&b); got != c.want {
				t.Errorf("got %s, want %s: %+v", got, c.want, rec)
			}
		})
	}
}

func parseHappenings(t *testing.T, text string) []happening {
	t.Helper()
	kinds := map[string]event.Event{
		"drop": {Type: event.Drop}, "seen": {Type: event.Delivery}, "act": {Type: event.Click}, "optin": {Type: event.OptIn},
		"machine": {Type: event.Open, Machine: true}, "unsub": {Type: event.Unsubscribe},
	}
	var out []happening
	for part := range strings.SplitSeq(text, ", ") {
		if part == "" {
			continue
		}
		name, day, _ := strings.Cut(part, " ")
		e, ok := kinds[name]
		if !ok {
			t.Fatalf("no such event: %s", name)
		}
		out = append(out, happening{KindOf(&e), on(t, day).Start().Add(7 * time.Hour)})
	}
	return out
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		e    event.Event
		want Kind
	}{
		{event.Event{Type: event.Delivery}, Seen},
		{event.Event{Type: event.Send}, Seen},
		{event.Event{Type: event.Deferral}, Seen},
		{event.Event{Type: event.Drop}, NotSeen},
		{event.Event{Type: event.Bounce}, Seen},
		{event.Event{Type: event.Bounce, BounceClass: event.Hard}, HardBounce},
		{event.Event{Type: event.Bounce, BounceClass: event.Soft}, Seen},
		{event.Event{Type: event.Complaint}, Complaint},
		{event.Event{Type: event.Complaint, ComplaintKind: event.Fraud}, Complaint},
		{event.Event{Type: event.Complaint, ComplaintKind: event.NotSpam}, Seen},
		{event.Event{Type: event.Complaint, ComplaintKind: event.AuthFailure}, Seen},
		{event.Event{Type: event.Unsubscribe}, Unsubscribe},
		{event.Event{Type: event.OptIn}, OptIn},
		{event.Event{Type: event.Open}, Interaction},
		{event.Event{Type: event.Click}, Interaction},
		{event.Event{Type: event.Reply}, Interaction},
		{event.Event{Type: event.Open, Machine: true}, Seen},
		{event.Event{Type: event.Click, Machine: true}, Seen},
		{event.Event{Type: event.Reply, Machine: true}, Seen},
	} {
		if got := KindOf(&c.e); got != c.want {
			t.Errorf("%+v: got %d, want %d", c.e, got, c.want)
		}
	}
}

func TestSuppressedFor(t *testing.T) {
	rules := DefaultRules()
	day0 := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return day0.Add(d) }
	const h = time.Hour
	for _, c := range []struct {
		name   string
		events []happening
		at     time.Duration
		want   bool
	}{
		{"nobody asked", nil, 100 * h, false},
		{"48 hours to the nanosecond are still in time", []happening{{Unsubscribe, at(0)}}, 48 * h, false},
		{"one nanosecond more is late", []happening{{Unsubscribe, at(0)}}, 48*h + 1, true},
		{"a complaint counts alike", []happening{{Complaint, at(0)}}, 48*h + 1, true},
		{"a hard bounce does not", []happening{{HardBounce, at(0)}}, 100 * h, false},
		{"an opt-in since lifts it", []happening{{Unsubscribe, at(0)}, {OptIn, at(1)}}, 100 * h, false},
		{"an opt-in before does not", []happening{{OptIn, at(-1)}, {Unsubscribe, at(0)}}, 100 * h, true},
		{"an opt-in at the same time does not", []happening{{Unsubscribe, at(0)}, {OptIn, at(0)}}, 100 * h, true},
		{"order of reading does not matter", []happening{{OptIn, at(1)}, {Unsubscribe, at(0)}}, 100 * h, false},
		{"unsubscribed again after the opt-in", []happening{{Unsubscribe, at(0)}, {OptIn, at(1)}, {Unsubscribe, at(2)}}, 100 * h, true},
		{"a later complaint does not renew the time to honour an unsubscribe",
			[]happening{{Unsubscribe, at(0)}, {Complaint, at(90 * h)}}, 100 * h, true},
		{"of several unsubscribes the newest is remembered", []happening{{Unsubscribe, at(0)}, {Unsubscribe, at(90 * h)}}, 100 * h, false},
		{"a delivery before it", []happening{{Unsubscribe, at(0)}}, -100 * h, false},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			rec := seeAll(rules, c.events)
			if got := rec.SuppressedFor(InstantOf(at(c.at)), rules.HonourWithin); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSuppressionIsLiftedByALaterOptIn(t *testing.T) {
	day := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	rec := seeAll(DefaultRules(), []happening{
		{Unsubscribe, day}, {OptIn, day.Add(time.Hour)}, {HardBounce, day.Add(2 * time.Hour)}, {Complaint, day.Add(-time.Hour)},
	})
	if got := rec.Suppression(); got != (Suppression{HardBounced: true}) || !got.Any() {
		t.Errorf("got %+v", got)
	}
	if rec.Unsubscribed.Day() != DayOf(day) || rec.Complained.Day() != DayOf(day) {
		t.Error("the days do not stay after an opt-in")
	}
	if stranger := NewRecipient(); stranger.Suppression().Any() {
		t.Error("a stranger is suppressed")
	}
}

func genHappenings(t *rapid.T, days int) []happening {
	start := time.Date(2024, 11, 20, 0, 0, 0, 0, time.UTC)
	n := rapid.IntRange(0, 25).Draw(t, "n")
	list := make([]happening, n)
	for i := range list {
		list[i] = happening{
			kind: Kind(rapid.IntRange(int(NotSeen), int(HardBounce)).Draw(t, "kind")),
			at:   start.Add(time.Duration(rapid.IntRange(0, days*86400).Draw(t, "at")) * time.Second),
		}
	}
	return list
}

// bruteState reads contract section 6 and 12 as they are written, over the whole list of events in order of time.
func bruteState(rules Rules, list []happening, today Day) State {
	var first, last, acted = Never, Never, Never
	for _, h := range list {
		if h.kind == NotSeen {
			continue
		}
		d := DayOf(h.at)
		if last == Never || last < rules.before(d)-31 {
			first, acted = d, Never // forgotten: comes back as new
		}
		last = d
		if h.kind == Interaction || h.kind == OptIn {
			acted = d
		}
	}
	cut := rules.before(today)
	switch {
	case last == Never || last < cut:
		return Unknown
	case acted != Never && acted >= cut:
		return Engaged
	case first >= today-Day(rules.NewFor):
		return New
	}
	return Unengaged
}

func TestStateAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := genRules(t)
		list := genHappenings(t, 900)
		slices.SortStableFunc(list, func(a, b happening) int { return a.at.Compare(b.at) })
		rec := seeAll(rules, list)
		day := Day(rapid.IntRange(0, 950).Draw(t, "day")) + DayOf(time.Date(2024, 11, 20, 0, 0, 0, 0, time.UTC))
		if n := len(list); n > 0 {
			day = max(day, DayOf(list[n-1].at)) // a record answers for now, not for its past
		}
		b := rules.At(day)
		if got, want := rec.State(&b), bruteState(rules, list, day); got != want {
			t.Fatalf("on %v: got %v, want %v: %+v", day, got, want, rec)
		}
	})
}

// While nothing is forgotten in between, the order in which events arrive does not matter.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := DefaultRules()
		list := genHappenings(t, 200)
		shuffled := rapid.Permutation(list).Draw(t, "order")
		if a, b := seeAll(rules, list), seeAll(rules, shuffled); a != b {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

func genRules(t *rapid.T) Rules {
	months, days := rapid.IntRange(1, 14).Draw(t, "months"), rapid.IntRange(0, 40).Draw(t, "days")
	return Rules{
		Period:       windows.Period{Months: months, Duration: time.Duration(days) * day},
		NewFor:       rapid.IntRange(0, months*28+days).Draw(t, "newFor"),
		HonourWithin: 48 * time.Hour,
	}
}

func TestBoundsInvertEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := genRules(t)
		d := Day(rapid.IntRange(-30000, 60000).Draw(t, "day"))
		b := rules.At(d)
		if rules.forgotten(b.Remembers) > d || rules.forgotten(b.Remembers+1) <= d {
			t.Fatalf("%v: %+v", d, b)
		}
	})
}

func TestRulesValidate(t *testing.T) {
	if err := DefaultRules().Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		rules Rules
		want  string
	}{
		{Rules{Period: windows.Period{Duration: 36 * time.Hour}}, "engagement.period"},
		{Rules{}, "engagement.period"},
		{Rules{Period: windows.Period{Months: -1, Duration: 400}}, "engagement.period"},
		{Rules{Period: windows.Period{Months: 400}}, "engagement.period"},
		{Rules{Period: windows.Period{Months: 1}, NewFor: 29}, "engagement.new_for: found 29 days, allowed is at most engagement.period (28 days)"},
		{Rules{Period: windows.Period{Months: 1}, NewFor: -1}, "engagement.new_for"},
		{Rules{Period: windows.Period{Months: 1}, HonourWithin: -1}, "engagement.honour_within"},
	} {
		if err := c.rules.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %s", c.rules, err, c.want)
		}
	}
}
