package audit

import (
	"math"

	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// span is what is known of a reading without looking: its numerator lies in [kLow, kHigh], its exposure in [eLow, eHigh].
type span struct{ kLow, kHigh, eLow, eHigh int64 }

const (
	// maxExact bounds the counts for which slack computes in 64 bits: products of two of them, or of one with a limit's
	// parts, stay below 2^62. Larger ones are always looked at.
	maxExact = 1 << 31
	endless  = math.MaxInt32 // more than is counted between two looks
)

// slack says how much may be counted until a reading could be news: `more` events of the line's numerator, `volume` of its
// denominator, beyond what s allows for already. Any number below 0 says that it could be news now.
//
// News is a reading that is worse than the worst so far, that enters or leaves breach or, within one, that is a new peak of it
// or makes it certain. What s says must hold for every reading that is possible, so looking too often is the only mistake
// that can be made here; TestSlack holds it against readings of all kinds.
func (l *line) slack(t *track, s span) (more, volume int64) {
	if s.kHigh >= maxExact || s.eHigh >= maxExact || l.formula.Rate == windows.Engaged { // its line is the other way round
		return -1, -1
	}
	switch {
	case !t.seen:
		return -1, -1
	case t.breach:
		return l.slackInBreach(t, s)
	case l.rule == nil:
		if t.worst.Exposure <= 0 { // no data so far: any would be news
			return endless, -min(1, s.eHigh)
		}
		return t.untilWorse(s), endless
	}
	limit := l.rule.Limit
	if s.eHigh < limit.MinVolume || s.eHigh <= 0 { // low volume at most
		volume = max(limit.MinVolume, 1) - 1 - s.eHigh
		switch {
		case t.verdict == policy.NoData:
			return endless, -min(1, s.eHigh)
		case t.verdict == policy.LowVolume:
			return t.untilWorse(s), volume
		}
		return endless, volume
	}
	switch t.verdict {
	case policy.NoData:
		return -1, -1
	case policy.LowVolume:
		more, volume = l.tooFew(s)
		return min(more, t.untilWorse(s)), volume
	case policy.Breach:
		return l.untilBreach(s), endless
	}
	if more = min(l.untilBreach(s), t.untilWorse(s)); more >= 0 {
		return more, endless
	}
	return l.tooFew(s)
}

// tooFew is slack where there is enough volume and yet the verdict is low_volume: the limit is reached, but by too few events.
// That ends with more of them, or when the exposure outgrows the limit.
func (l *line) tooFew(s span) (more, volume int64) {
	limit := l.rule.Limit
	a, b := limit.Below.A, limit.Below.B
	if s.kLow <= 0 || a >= maxExact || b >= maxExact {
		return -1, -1
	}
	volume = endless
	if a > 0 {
		volume = s.kLow*b/a - s.eHigh
	}
	return limit.MinEvents - 1 - s.kHigh, volume
}

// slackInBreach is slack while the limit is broken.
func (l *line) slackInBreach(t *track, s span) (more, volume int64) {
	limit := l.rule.Limit
	a, b := limit.Below.A, limit.Below.B
	if l.rule.For > 0 {
		return -1, -1 // the peak counts from when it fires, which only the evaluator knows
	}
	if s.kLow < max(1, limit.MinEvents) || s.eLow < limit.MinVolume || s.eLow <= 0 || a >= maxExact || b >= maxExact {
		return -1, -1
	}
	volume = endless
	if a > 0 {
		volume = s.kLow*b/a - s.eHigh
	}
	more = t.peakK*s.eLow/t.peakE - s.kHigh
	if !t.certain {
		if windows.Certain(s.kHigh, s.eLow, limit.Below) {
			return -1, -1
		}
		// √k − √(limit·e) ≥ 3/2; two events are left for the rounding here.
		root := math.Sqrt(float64(a)/float64(b)*float64(s.eLow)) + 1.5
		more = min(more, max(0, int64(root*root)-2-s.kHigh))
	}
	return more, volume
}

// untilBreach is how many more events the limit bears at least.
func (l *line) untilBreach(s span) int64 {
	limit := l.rule.Limit
	a, b := limit.Below.A, limit.Below.B
	if a >= maxExact || b >= maxExact {
		return -1
	}
	below := (a*s.eLow+b-1)/b - 1 // the largest k with k·b < a·e
	return max(below, limit.MinEvents-1, 0) - s.kHigh
}

// untilWorse is how many more events keep the reading at or below the worst so far.
func (t *track) untilWorse(s span) int64 {
	if t.worst.Exposure <= 0 {
		return -1
	}
	if t.worst.Numerator >= maxExact || t.worst.Exposure >= maxExact {
		return -1
	}
	return t.worst.Numerator*s.eLow/t.worst.Exposure - s.kHigh
}
