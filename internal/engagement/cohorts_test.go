package engagement

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The cohorts must give, for any day, what a look at every recipient's record gives.
func TestCohortsAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := genRules(t)
		people := make([]Recipient, 6)
		for i := range people {
			people[i] = NewRecipient()
		}
		cohorts := NewCohorts()
		list := genHappenings(t, 600)
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			list = append(list, genHappenings(t, 600)...)
		}
		for _, h := range list {
			r := &people[rapid.IntRange(0, len(people)-1).Draw(t, "who")]
			before := *r
			b := rules.At(DayOf(h.at))
			r.See(h.kind, InstantOf(h.at), &b)
			cohorts.Move(&before, r)
		}
		b := rules.At(DayOf(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)) + Day(rapid.IntRange(-60, 800).Draw(t, "day")))
		var want Breakdown
		for i := range people {
			r := &people[i]
			switch r.State(&b) {
			case Engaged:
				want.Engaged++
			case New:
				want.New++
			case Unengaged:
				want.Unengaged++
			}
			if r.Interacted >= b.Day-30 {
				want.Engaged30d++
			}
			if r.Interacted >= b.Day-90 {
				want.Engaged90d++
			}
		}
		want.Known = want.Engaged + want.New + want.Unengaged
		if got := cohorts.At(&b); got != want {
			t.Fatalf("got %+v, want %+v: %+v", got, want, people)
		}
		for i, s := range cohorts.Recency(&b, rapid.IntRange(1, 9).Draw(t, "run")) {
			var n int64
			for k := range people {
				if d := people[k].Interacted; d >= s.From && (d <= s.To || i == 0) {
					n++
				}
			}
			if n != s.N {
				t.Fatalf("%d recipients with their newest interaction from %s to %s, want %d", s.N, s.From, s.To, n)
			}
			want.Engaged -= n
		}
		if want.Engaged != 0 {
			t.Fatalf("%d engaged recipients are in no run", want.Engaged)
		}
		gone := NewRecipient()
		for i := range people {
			cohorts.Move(&people[i], &gone)
		}
		if n := len(cohorts.Seen) + len(cohorts.Interacted) + len(cohorts.Untouched); n != 0 {
			t.Fatalf("%d cohorts are left when everybody is gone", n)
		}
	})
}

func TestCohortsEdges(t *testing.T) {
	rules := DefaultRules()
	c := NewCohorts()
	add := func(list ...happening) {
		none, rec := NewRecipient(), seeAll(rules, list)
		c.Move(&none, &rec)
	}
	at := func(day string) time.Time { return on(t, day).Start() }
	add(happening{Interaction, at("2026-08-16")})                                    // 30 days ago
	add(happening{Interaction, at("2026-08-15")})                                    // 31
	add(happening{Interaction, at("2026-06-17")})                                    // 90
	add(happening{Interaction, at("2026-06-16")})                                    // 91
	add(happening{Interaction, at("2026-03-14")}, happening{Seen, at("2026-09-15")}) // no longer
	add(happening{Seen, at("2026-08-16")})                                           // new
	add(happening{NotSeen, at("2026-09-15")})                                        // nobody
	b := rules.At(on(t, "2026-09-15"))
	want := Breakdown{Known: 6, Engaged: 4, New: 1, Unengaged: 1, Engaged30d: 1, Engaged90d: 3}
	if got := c.At(&b); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
