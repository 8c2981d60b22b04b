package backtest

import (
	"cmp"
	"slices"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit/digest"
)

// endOf is when the alert was over; false while it is open.
func endOf(e digest.Episode) (time.Time, bool) {
	if e.Last.EndsAt == nil {
		return time.Time{}, false
	}
	return *e.Last.EndsAt, true
}

// overlap tells whether two alerts were open at the same time.
func overlap(a, b digest.Episode) bool { return reaches(a, b) && reaches(b, a) }

func reaches(e, o digest.Episode) bool {
	end, closed := endOf(e)
	return !closed || o.Fired.StartsAt.Before(end)
}

// Both are alerts of two sides that tell of the same: the same rate, window and subject, open at the same time. Often that is one
// of each; where one side's alert goes on over several of the other, all of them stand together.
type Both struct{ A, B []digest.Episode }

// Comparison says what two sides have in common.
type Comparison struct {
	OnlyA, OnlyB []digest.Episode
	Both         []Both
}

// what names what an alert is about, whichever policy has it.
type what struct{ rate, window, subject string }

func whatOf(e digest.Episode) what { return what{e.Fired.Rate, e.Fired.Window, e.Fired.SubjectKey} }

// Compare holds the alerts of two sides against each other. Policies and limits may have any names. Everything comes in the order
// in which it fired.
func Compare(a, b []alerts.Record) Comparison {
	type one struct {
		digest.Episode
		side int
	}
	groups := map[what][]one{}
	for side, records := range [][]alerts.Record{a, b} {
		for _, e := range digest.Episodes(records) {
			groups[whatOf(e)] = append(groups[whatOf(e)], one{e, side})
		}
	}
	var c Comparison
	put := func(sides [2][]digest.Episode) {
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
		slices.SortStableFunc(list, func(x, y one) int { return x.Fired.StartsAt.Compare(y.Fired.StartsAt) })
		// Runs of episodes that hang together in time: each begins before one before it ends.
		var run [2][]digest.Episode
		var reach digest.Episode // of the run, the one that ends last
		for _, e := range list {
			if reach.Fired != nil && !overlap(reach, e.Episode) {
				put(run)
				run, reach = [2][]digest.Episode{}, digest.Episode{}
			}
			run[e.side] = append(run[e.side], e.Episode)
			if reach.Fired == nil || endsLater(e.Episode, reach) {
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

func endsLater(e, than digest.Episode) bool {
	x, closed := endOf(e)
	y, closedToo := endOf(than)
	return closedToo && (!closed || x.After(y))
}

// firstOf is the episode of either side that fired first.
func firstOf(b Both) digest.Episode {
	return slices.MinFunc([]digest.Episode{b.A[0], b.B[0]}, compareEpisodes)
}

func compareEpisodes(x, y digest.Episode) int {
	return cmp.Or(x.Fired.StartsAt.Compare(y.Fired.StartsAt), cmp.Compare(x.Fired.SubjectKey, y.Fired.SubjectKey), cmp.Compare(x.Fired.Rate, y.Fired.Rate),
		cmp.Compare(x.Fired.Window, y.Fired.Window), cmp.Compare(x.Fired.ID, y.Fired.ID))
}
