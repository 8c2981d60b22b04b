package audit

import (
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
)

// ledger is what is known of one subject's verdicts.
type ledger struct {
	sub    *memstore.Subject
	labels windows.Labels
	sheet  *sheet
	tracks []track // by line
	loaded bool    // the evaluator has it

	looked     int64 // the last look, in seconds since 1970
	hour       int64 // its hour
	hourly     bool  // in the list of those looked at when an hour ends
	minutely   bool  // the budget has to be looked after when a minute ends
	listed     bool  // in the list of those
	lastMinute int64 // for which what left fine lines is right
	departures departures
}

// track is one line of a subject: its worst reading so far, and the newest look.
type track struct {
	seen    bool // there was a look
	breach  bool
	certain bool // of a breach: it was certain at some time since it began
	verdict policy.Verdict
	worst   figures // among those of that verdict
	peakK   int64   // highest judged share since the breach began, or became certain
	peakE   int64
	course  *course // nil unless it is followed

	// At the last look, and what has left a fine line's window since.
	k, d, e      int64
	leftK, leftD int64
	// Of a fine line: the exposure that its spans of hours give, and the denominators over those of minutes, less what left.
	floor  int64
	minute [maxMinuteSpans]int64
}

// figures are a reading and when it was made, in seconds since 1970.
type figures struct{ Numerator, Denominator, Exposure, At int64 }

// note takes the result of a look. It tells whether it concerns the evaluator: a breach began, ended or goes on.
func (l *line) note(t *track, r windows.Reading, at int64) (concerns bool) {
	was := t.breach
	verdict, certain := policy.NoData, false
	if l.rule != nil {
		j := l.rule.Judge(r)
		verdict, certain = j.Verdict, j.Certain
	} else if r.Exposure > 0 {
		verdict = policy.OK // only ratios are compared
	}
	now := figures{r.Numerator, r.Denominator, r.Exposure, at}
	if !t.seen || verdict > t.verdict || verdict == t.verdict && l.worse(&now, &t.worst) {
		t.seen, t.verdict, t.worst = true, verdict, now
	}
	t.k, t.d, t.e, t.leftK, t.leftD = r.Numerator, r.Denominator, r.Exposure, 0, 0
	t.breach = l.rule != nil && verdict == policy.Breach
	switch {
	case !t.breach:
		t.certain = false
	case !was, certain && !t.certain: // an alert that waits for certainty fires now, and its peak counts from here
		t.certain, t.peakK, t.peakE = certain, r.Numerator, r.Exposure
	default:
		t.certain = t.certain || certain
		if higher(r.Numerator, r.Exposure, t.peakK, t.peakE) {
			t.peakK, t.peakE = r.Numerator, r.Exposure
		}
	}
	return was || t.breach
}

// worse tells whether a is worse than b, of the same verdict. Of equal ones the first stays.
func (l *line) worse(a, b *figures) bool {
	if l.formula.Rate == windows.Engaged {
		a, b = b, a
		if a.Exposure > 0 && b.Exposure <= 0 {
			return false
		}
	}
	return higher(a.Numerator, a.Exposure, b.Numerator, b.Exposure)
}

// higher tells whether k/e is a larger share than k2/e2. No data is smaller than everything.
func higher(k, e, k2, e2 int64) bool {
	if e <= 0 || e2 <= 0 {
		return e > 0
	}
	if k < maxExact && e < maxExact && k2 < maxExact && e2 < maxExact {
		return k*e2 > k2*e
	}
	return windows.ClosenessOf(k, e, windows.Ratio{A: 1, B: 1}).Cmp(windows.ClosenessOf(k2, e2, windows.Ratio{A: 1, B: 1})) > 0
}

// span bounds the line's reading, given what was counted since the last look.
func (l *line) span(t *track, since *memstore.Since, minutely bool) span {
	k, d := l.counted(since)
	s := span{kLow: t.k, kHigh: t.k + k, eLow: t.e, eHigh: t.e + d}
	exact := !since.Early && l.formula.Classes == 0
	switch {
	case l.fine && !minutely: // nobody follows what leaves the window: only the hour's part of the exposure is sure
		s.kLow, s.eLow = 0, t.floor
	case l.fine:
		// An event that came for an earlier minute may have left the window already, or never been in it.
		s.kLow, s.kHigh = s.kLow-t.leftK, s.kHigh-t.leftK
		own := t.d - t.leftD
		if exact {
			s.kLow += k
		}
		if !since.Early {
			own += d
		}
		s.eLow = max(own, t.floor)
		for i := range l.minute {
			more := d
			if since.Early {
				more = 0
			}
			s.eLow = max(s.eLow, l.minute[i].share(t.minute[i]+more))
		}
	default:
		if exact {
			s.kLow += k
		}
		if !since.Early {
			s.eLow = max(t.e, t.d+d)
		}
	}
	s.kLow, s.eLow = max(s.kLow, 0), max(s.eLow, 0)
	return s
}

// counted is what was added to the line's numerator, at most, and to its denominator.
func (l *line) counted(since *memstore.Since) (k, d int64) {
	switch l.formula.Rate {
	case windows.Bounce:
		return since.Bounced, since.Delivered + since.Bounced - since.Async
	case windows.Complaint:
		if l.formula.OverReporting {
			return since.Complained, since.Reporting
		}
		return since.Complained, since.Delivered
	case windows.Unsubscribe:
		return since.Unsubscribed, since.Delivered
	case windows.Suppressed:
		return since.Suppressed, since.Delivered
	}
	return since.Engaged, since.Delivered
}

// quiet finds out without a look whether there can be no news, and allows what keeps it so: until the hour ends or, minutely,
// until the minute does. When there can be news, nothing is allowed.
func (g *ledger) quiet(minutely bool) bool {
	g.minutely = minutely
	since := g.sub.Since()
	allowed := [windows.NumRates]int64{endless, endless, endless, endless, endless}
	volume := int64(endless)
	for i := range g.sheet.lines {
		l := &g.sheet.lines[i]
		more, v := l.slack(&g.tracks[i], l.span(&g.tracks[i], &since, minutely))
		if more < 0 || v < 0 {
			g.sub.Allow([windows.NumRates]int64{}, 0)
			return false
		}
		allowed[l.formula.Rate] = min(allowed[l.formula.Rate], more)
		volume = min(volume, v)
	}
	g.sub.Allow(allowed, volume)
	return true
}

// idle tells whether time alone cannot bring news: nothing is in any numerator.
func (g *ledger) idle() bool {
	since := g.sub.Since()
	for i := range g.sheet.lines {
		l, t := &g.sheet.lines[i], &g.tracks[i]
		if t.breach || l.span(t, &since, g.minutely).kHigh > 0 || g.sheet.always && t.e > 0 {
			return false
		}
	}
	return true
}
