package alerts

import (
	"math/bits"
	"time"

	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Moment is when, and on what, an evaluation is made.
type Moment struct {
	At    time.Time // as_of: the time that readings are for
	Now   time.Time // the clock, which all durations and the times of records go by; offline it is At
	Fresh bool      // the counts are not stale
}

// Observation is what one evaluation found.
type Observation struct {
	Breach  bool
	Certain bool
	Reading windows.Reading
}

// Timing is what a rule says about when its alerts change.
type Timing struct {
	NeedsCertain  bool          // `fire: certain`
	For           time.Duration // how long in breach before it fires
	KeepFiringFor time.Duration // how long not in breach before it resolves
	RemindEvery   time.Duration // 0 = never
}

// TimingOf takes the timing from a rule.
func TimingOf(r *policy.Rule) Timing {
	return Timing{
		NeedsCertain: r.Fire == policy.Certain, For: r.For, KeepFiringFor: r.KeepFiringFor, RemindEvery: r.RemindEvery,
	}
}

// Phase is where an alert stands between two evaluations.
type Phase uint8

// The phases. Their numbers are part of the stored form.
const (
	Idle    Phase = iota // nothing to remember
	Pending              // in breach, but `for` is not over or it is not certain yet
	Open                 // fired and not resolved
)

// Status is all that is remembered of one alert from one evaluation to the next. The zero value is idle.
type Status struct {
	Phase    Phase `json:"phase"`
	InBreach bool  `json:"in_breach"`
	// Since is the first evaluation of the breach that the alert is pending or open for.
	Since time.Time `json:"since"`
	// LastBreach is the last evaluation in breach. While InBreach it may lag: the last evaluation of all is then the last
	// in breach, so that it does not have to be stored every second.
	LastBreach time.Time `json:"last_breach"`

	// Of an open alert only.
	ID         string          `json:"id,omitempty"`
	Incident   string          `json:"incident,omitempty"`
	Seq        int64           `json:"seq,omitempty"`
	Severity   Severity        `json:"severity"`
	StartsAt   time.Time       `json:"starts_at,omitzero"`
	LastRecord time.Time       `json:"last_record,omitzero"`
	AtFire     windows.Reading `json:"at_fire,omitzero"`
	Peak       windows.Reading `json:"peak,omitzero"`
}

// Step takes an alert from one evaluation to the next: the whole state machine. last is the clock of the evaluation before,
// zero when there was none. ID and Incident of a fired alert are the caller's to fill in.
func Step(prev Status, t Timing, o Observation, m Moment, last time.Time) (Status, Change) {
	next := noteBreach(prev, o.Breach, m.Now, last)
	switch {
	case next.Phase == Open:
		return stepOpen(next, t, o, m)
	case !o.Breach:
		return Status{}, Unchanged
	case m.Now.Sub(next.Since) < t.For, t.NeedsCertain && !o.Certain:
		next.Phase = Pending
		return next, Unchanged
	}
	next.Phase = Open
	next.StartsAt = m.Now
	next.AtFire, next.Peak = o.Reading, o.Reading
	if o.Certain {
		next.Severity = Critical
	}
	return told(next, m.Now), Fired
}

func stepOpen(s Status, t Timing, o Observation, m Moment) (Status, Change) {
	if o.Breach && higher(o.Reading, s.Peak) {
		s.Peak = o.Reading
	}
	switch {
	case o.Breach && o.Certain && s.Severity < Critical:
		s.Severity = Critical
		return told(s, m.Now), Escalated
	case !o.Breach && m.Fresh && m.Now.Sub(s.LastBreach) >= t.KeepFiringFor:
		s.Phase = Idle
		return told(s, m.Now), Resolved
	case t.RemindEvery > 0 && m.Now.Sub(s.LastRecord) >= t.RemindEvery:
		return told(s, m.Now), Reminder
	}
	return s, Unchanged
}

// noteBreach keeps when the breach began and was last seen.
func noteBreach(s Status, breach bool, now, last time.Time) Status {
	if last.After(now) {
		// The clock was set back. What was noted ahead of it would keep an alert open until the clock is there again.
		s.Since, s.LastBreach, last = earlier(s.Since, now), earlier(s.LastBreach, now), now
	}
	switch {
	case breach:
		if s.Phase == Idle {
			s.Since = now
		}
		s.LastBreach = now
	case s.InBreach && !last.IsZero():
		s.LastBreach = last // it held until the evaluation before this one
	}
	s.InBreach = breach
	return s
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func told(s Status, now time.Time) Status {
	s.Seq++
	s.LastRecord = now
	return s
}

// due is when the alert changes by the passing of time alone, when nothing is counted meanwhile; zero = never. Resolving may
// have to wait longer, for fresh data.
func (s *Status) due(t Timing) time.Time {
	if s.Phase == Idle {
		return time.Time{}
	}
	if s.Phase == Pending {
		if first := s.Since.Add(t.For); first.After(s.LastBreach) {
			return first
		}
		return time.Time{} // it waits to be certain
	}
	var first time.Time
	if t.RemindEvery > 0 {
		first = s.LastRecord.Add(t.RemindEvery)
	}
	if resolve := s.LastBreach.Add(t.KeepFiringFor); !s.InBreach && (first.IsZero() || resolve.Before(first)) {
		first = resolve
	}
	return first
}

// higher tells whether a's judged share is above b's, exactly: a.n ÷ a.e > b.n ÷ b.e by 128-bit products.
func higher(a, b windows.Reading) bool {
	if a.Exposure <= 0 || b.Exposure <= 0 || a.Numerator < 0 || b.Numerator < 0 {
		return a.Exposure > 0 && b.Exposure <= 0
	}
	aHi, aLo := bits.Mul64(uint64(a.Numerator), uint64(b.Exposure))
	bHi, bLo := bits.Mul64(uint64(b.Numerator), uint64(a.Exposure))
	return aHi > bHi || aHi == bHi && aLo > bLo
}
