package audit

import (
	"math"

	"sendwatch/internal/windows"
)

// departures are the minutes that lay in the fine lines' windows and exposure spans at a look, and will leave them one by one.
// What is counted later leaves later, so that they hold until the window that is shortest has passed. They are noted when the
// first minute after the look ends; what came for earlier minutes meanwhile is then in what was counted since, and in what
// leaves.
type departures struct {
	from    int64   // the minute of the look; unknown before they are noted
	buckets []int64 // those with anything in them
	counts  []int64 // numerator and denominator of each fine line, for each bucket
	next    []int   // by the sheet's minutes: the first that has not left those spans
}

// unknown is a minute that no look was in.
const unknown = math.MinInt64

// depart notes what can leave from this minute on.
func (g *ledger) depart(minute int64) {
	d := &g.departures
	*d = departures{from: minute, buckets: d.buckets[:0], counts: d.counts[:0], next: d.next[:0]}
	var longest int64
	for _, length := range g.sheet.minutes {
		longest = max(longest, length)
	}
	for bucket, counts := range g.sub.Series().Buckets(windows.Span{Step: windows.Minute, First: minute - longest + 1, Last: minute}) {
		d.buckets = append(d.buckets, bucket)
		for _, i := range g.sheet.fineLines {
			numerator, denominator := g.sheet.lines[i].formula.Of(counts)
			d.counts = append(d.counts, numerator, denominator)
		}
	}
	for _, length := range g.sheet.minutes {
		i := 0
		for i < len(d.buckets) && d.buckets[i] <= minute-length {
			i++
		}
		d.next = append(d.next, i)
	}
}

// leave takes what left when the clock came to this minute, and tells whether anything did. It is false, false when only a look
// can tell.
func (g *ledger) leave(minute int64) (known, anything bool) {
	d := &g.departures
	for n, length := range g.sheet.minutes {
		if minute-length >= d.from {
			return false, false
		}
		for ; d.next[n] < len(d.buckets) && d.buckets[d.next[n]] <= minute-length; d.next[n]++ {
			anything = true
			row := d.counts[2*len(g.sheet.fineLines)*d.next[n]:]
			for f, i := range g.sheet.fineLines {
				g.sheet.lines[i].leave(&g.tracks[i], length, row[2*f], row[2*f+1])
			}
		}
	}
	g.lastMinute = minute
	return true, anything
}

// leave takes what left all spans of the given length.
func (l *line) leave(t *track, length, numerator, denominator int64) {
	if l.window.Step == windows.Minute && l.buckets == length {
		t.leftK += numerator
		t.leftD += denominator
	}
	for i := range l.minute {
		if l.minute[i].buckets == length {
			t.minute[i] -= denominator
		}
	}
}
