package backtest

import (
	"cmp"
	"slices"
	"time"

	"sendwatch/internal/alerts"
)

// Episode is one alert of a side, from its first record within the range to its last.
type Episode struct{ First, Last *alerts.Record }

// ends is when the alert was over; false while it is open.
func (e Episode) ends() (time.Time, bool) {
	if e.Last.EndsAt == nil {
		return time.Time{}, false
	}
	return *e.Last.EndsAt, true
}

// overlaps tells whether two episodes were open at the same time.
func (e Episode) overlaps(o Episode) bool {
	return e.reaches(o) && o.reaches(e)
}

func (e Episode) reaches(o Episode) bool {
	end, closed := e.ends()
	return !closed || o.First.StartsAt.Before(end)
}

// Episodes puts records together, in the order in which the alerts fired.
func Episodes(records []alerts.Record) []Episode {
	var all []Episode
	byID := map[string]int{}
	for i := range records {
		r := &records[i]
		at, ok := byID[r.ID]
		if !ok {
			at = len(all)
			byID[r.ID] = at
			all = append(all, Episode{First: r})
		}
		all[at].Last = r
	}
	slices.SortStableFunc(all, func(a, b Episode) int { return a.First.StartsAt.Compare(b.First.StartsAt) })
	return all
}

// Both are alerts of two sides that tell of the same: the same rate, window and subject, open at the same time. Often that is one
// of each; where one side's alert goes on over several of the other, all of them stand together.
type Both struct{ A, B []Episode }

// Comparison says what two sides have in common.
type Comparison struct {
	OnlyA, OnlyB []Episode
	Both         []Both
}

// what names what an alert is about, whichever policy has it.
type what struct{ rate, window, subject string }

func whatOf(e Episode) what { return what{e.First.Rate, e.First.Window, e.First.SubjectKey} }

// Compare holds the alerts of two sides against each other. Policies and limits may have any names. Everything comes in the order
// in which it fired.
func Compare(a, b []alerts.Record) Comparison {
	type one struct {
		Episode
		side int
	}
	groups := map[what][]one{}
	for side, records := range [][]alerts.Record{a, b} {
		for _, e := range Episodes(records) {
			groups[whatOf(e)] = append(groups[whatOf(e)], one{e, side})
		}
	}
	var c Comparison
	put := func(sides [2][]Episode) {
		switch {
		case len(sides[1]) == 0:
			c.OnlyA = append(c.OnlyA, sides[0]...)
		case len(sides[0]) == 0:
			c.OnlyB = append(c.OnlyB, sides[1]...)
		default:
			c.Both = append(c.Both, Both{sides[0], sides[1]})
		}
	}
	for _, list := range groups {
		slices.SortStableFunc(list, func(x, y one) int { return x.First.StartsAt.Compare(y.First.StartsAt) })
		// Runs of episodes that hang together in time: each begins before one before it ends.
		var run [2][]Episode
		var reach Episode // of the run, the one that ends last
		for _, e := range list {
			if reach.First != nil && !reach.overlaps(e.Episode) {
				put(run)
				run, reach = [2][]Episode{}, Episode{}
			}
			run[e.side] = append(run[e.side], e.Episode)
			if reach.First == nil || endsLater(e.Episode, reach) {
				reach = e.Episode
			}
		}
		put(run)
	}
	slices.SortFunc(c.OnlyA, compareEpisodes)
	slices.SortFunc(c.OnlyB, compareEpisodes)
	slices.SortFunc(c.Both, func(x, y Both) int { return compareEpisodes(firstOf(x), firstOf(y)) })
	return c
}

func endsLater(e, than Episode) bool {
	x, closed := e.ends()
	y, closedToo := than.ends()
	return closedToo && (!closed || x.After(y))
}

// firstOf is the episode of either side that fired first.
func firstOf(b Both) Episode {
	return slices.MinFunc([]Episode{b.A[0], b.B[0]}, compareEpisodes)
}

func compareEpisodes(x, y Episode) int {
	return cmp.Or(x.First.StartsAt.Compare(y.First.StartsAt), cmp.Compare(x.First.SubjectKey, y.First.SubjectKey), cmp.Compare(x.First.Rate, y.First.Rate),
		cmp.Compare(x.First.Window, y.First.Window), cmp.Compare(x.First.ID, y.First.ID))
}
