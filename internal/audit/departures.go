package audit

import (
	"math"

	"sendwatch/internal/windows"
)

// departures are the minutes that leave the fine lines' windows and exposure spans one by one until the hour ends, when the
// next look is due. What is counted after the look leaves later, so that they hold unless a window is shorter than an hour.
// They are noted when the first minute after the look ends; what came for earlier minutes meanwhile is then in what was
// counted since, and in what leaves.
type departures struct {
	from  int64       // the minute of the look; unknown before they are noted
	spans []departing // by the sheet's minutes
}

// departing are the departures from all spans of one length.
type departing struct {
	buckets []int64 // those with anything in them
	counts  []int64 // numerator and denominator of each fine line, for each bucket
	next    int     // the first that has not left
}

// unknown is a minute that no look was in.
const unknown = math.MinInt64

// depart notes what leaves after this minute.
func (g *ledger) depart(minute int64) {
	d := &g.departures
	d.from = minute
	if d.spans == nil {
		d.spans = make([]departing, len(g.sheet.minutes))
	}
	left := 60 - mod(minute, 60) // minutes until the hour ends
	for n, length := range g.sheet.minutes {
		s := &d.spans[n]
		*s = departing{buckets: s.buckets[:0], counts: s.counts[:0]}
		first := minute - length + 1
		for bucket, counts := range g.sub.Minutes(first, min(first+left, minute)) {
			s.buckets = append(s.buckets, bucket)
			for _, i := range g.sheet.fineLines {
				numerator, denominator := g.sheet.lines[i].formula.Of(counts)
				s.counts = append(s.counts, numerator, denominator)
			}
		}
	}
}

// leave takes what left when the clock came to this minute, and tells whether anything did. It is false, false when only a look
// can tell.
func (g *ledger) leave(minute int64) (known, anything bool) {
	d := &g.departures
	if minute-mod(minute, 60) > d.from {
		return false, false // what was noted ends with its hour
	}
	for n, length := range g.sheet.minutes {
		if minute-length >= d.from {
			return false, false
		}
		s := &d.spans[n]
		for ; s.next < len(s.buckets) && s.buckets[s.next] <= minute-length; s.next++ {
			anything = true
			row := s.counts[2*len(g.sheet.fineLines)*s.next:]
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
