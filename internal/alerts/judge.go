package alerts

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// transition is a change of an alert in one evaluation, before it is written down.
type transition struct {
	alert   *alert
	change  Change
	reading windows.Reading
	bounds  judged
}

// judged is the window and formula that a reading was made with.
type judged struct {
	m    Moment
	kept windows.Kept
}

// asOfSlack is how far as_of may go back, as when one input partition falls behind, while what is kept is still measured from
// where it was. Beyond it (an old backlog was added) things are judged as if that had been the first as_of of all.
const asOfSlack = time.Hour

// Evaluate judges at the given moment and returns what changed, ordered by subject key, then by policy, limit and window. An
// alert changes at most once in an evaluation.
func (e *Evaluator) Evaluate(m Moment) []Record { return e.evaluate(m, false) }

// EvaluateTouched is Evaluate for a caller who knows for which subjects the verdict of a reading, or within a breach its peak
// or its certainty, can differ from the evaluation before, and has touched those: the ends of buckets alone lead to no look.
// Series that were loaded have to be up to date for the subjects touched and for those that have all their dimensions and one
// more, which can be causes; for all of them when NextDue has come.
func (e *Evaluator) EvaluateTouched(m Moment) []Record { return e.evaluate(m, true) }

// NextDue is the time from which on an alert may change, as far as the last evaluation could tell, by the passing of time
// alone; zero when only the next evaluation can tell.
func (e *Evaluator) NextDue() time.Time { return e.nextDue }

func (e *Evaluator) evaluate(m Moment, touched bool) []Record {
	e.turn++
	if m.At.After(e.newest) || e.newest.Sub(m.At) > asOfSlack {
		e.newest, e.judgeAll = m.At, e.judgeAll || m.At.Before(e.newest)
	}
	if m.Now.Before(e.last.Now) {
		e.judgeAll = true // the clock was set back: every alert has to note it, see noteBreach
	}
	turn := judged{m, e.ret.At(e.newest)}
	var found []transition
	grain, rolled := e.rolled(m.At)
	back := m.At.Before(e.last.At)
	if rolled && (!touched || e.judgeAll || back) {
		for _, s := range e.list {
			if g := s.grain(grain); e.judgeAll || back || s.dirty || !s.settled[g] {
				found = e.judge(found, s, g, turn)
			}
		}
	} else {
		for _, s := range e.dirty {
			found = e.judge(found, s, windows.Day, turn)
		}
	}
	for _, s := range e.dirty {
		s.dirty = false
	}
	e.dirty = e.dirty[:0]
	found = e.judgeDue(found, turn)
	found = e.judgeLosses(found, turn)
	e.judgeAll, e.last = false, m
	if len(found) == 0 {
		return nil
	}
	slices.SortFunc(found, func(a, b transition) int {
		return cmp.Or(cmp.Compare(a.alert.subject.key, b.alert.subject.key), cmp.Compare(a.alert.order(), b.alert.order()),
			cmp.Compare(a.alert.key, b.alert.key))
	})
	e.assignIncidents(found)
	records := make([]Record, len(found))
	for i := range found {
		records[i] = e.record(&found[i])
	}
	return records
}

// grain is the grain up to which a subject is judged when buckets of step g ended.
func (s *subject) grain(g windows.Step) windows.Step {
	if s.dirty {
		return windows.Day
	}
	return g
}

func (a *alert) order() int {
	if a.rule == nil {
		return -1
	}
	return a.rule.order
}

// rolled says which buckets ended between the evaluation before and this one: those of the step and of finer ones.
func (e *Evaluator) rolled(at time.Time) (windows.Step, bool) {
	for g := windows.Day; ; g-- {
		if e.judgeAll || g.Bucket(at) != g.Bucket(e.last.At) {
			return g, true
		}
		if g == windows.Minute {
			return 0, false
		}
	}
}

// judge judges a subject by its rules up to a grain.
func (e *Evaluator) judge(found []transition, s *subject, upTo windows.Step, t judged) []transition {
	sums := e.judges[upTo]
	sums.Load(s.series, t.m.At, t.kept)
	for _, r := range s.rules {
		if r.grain > upTo {
			continue
		}
		reading, err := sums.Read(r.slot[upTo], r.ref.Formula, r.ref.JudgeWindow)
		if err != nil {
			continue // as_of went back behind what is kept: nothing can be said, and the feed is stale
		}
		found = e.observe(found, s, r, reading, t)
	}
	e.settle(s, upTo, t)
	return found
}

// settle notes for which steps nothing will change until something is counted.
func (e *Evaluator) settle(s *subject, upTo windows.Step, t judged) {
	for g := windows.Minute; g <= upTo; g++ {
		newest, ok := s.series.Newest(g)
		s.settled[g] = !ok || newest < e.keep.Oldest(g, t.m.At)
	}
}

// observe takes the alert of a rule and a subject one step on.
func (e *Evaluator) observe(found []transition, s *subject, r *rule, reading windows.Reading, t judged) []transition {
	j := r.judge(reading)
	a := s.alert(r)
	if a == nil {
		if j.Verdict != policy.Breach {
			return found
		}
		a = &alert{key: r.ref.key(s.key), ref: r.ref, rule: r, subject: s}
	}
	a.turn = e.turn
	o := Observation{Breach: j.Verdict == policy.Breach, Certain: j.Certain, Reading: reading}
	next, change := Step(a.status, r.timing, o, t.m, e.last.Now)
	if change == Fired {
		next.ID = r.ref.episodeID(s.key, next.StartsAt)
	}
	e.update(a, next)
	if change != Unchanged {
		found = append(found, transition{a, change, reading, t})
	}
	return found
}

// alert returns the subject's alert for a rule, nil when there is none.
func (s *subject) alert(r *rule) *alert {
	for _, a := range s.alerts {
		if a.rule == r {
			return a
		}
	}
	return nil
}

// update gives an alert its new status and keeps it only while there is something to remember.
func (e *Evaluator) update(a *alert, next Status) {
	if next.Phase != a.status.Phase {
		switch {
		case next.Phase == Idle:
			delete(e.alerts, a.key)
			a.subject.alerts = slices.DeleteFunc(a.subject.alerts, func(x *alert) bool { return x == a })
		case a.status.Phase == Idle:
			e.alerts[a.key] = a
			a.subject.alerts = append(a.subject.alerts, a)
		}
	}
	before := a.status
	a.status = next
	e.dueBy(a)
	if sameStored(before, next) {
		return
	}
	if before.Peak = next.Peak; sameStored(before, next) {
		e.changed[a.key] = struct{}{} // an alert that gets worse does so many times a second
		return
	}
	e.outdated(a.key)
}

// dueBy brings the next due time forward to that of an alert. It may then be too early, never too late.
func (e *Evaluator) dueBy(a *alert) {
	switch {
	case a.status.Phase == Idle || e.nextDue.IsZero():
	case a.rule == nil:
		e.nextDue = time.Time{}
	default:
		if due := a.status.due(a.rule.timing); !due.IsZero() && due.Before(e.nextDue) {
			e.nextDue = due
		}
	}
}

// outdated notes that an alert has to be stored anew.
func (e *Evaluator) outdated(key string) {
	e.changed[key] = struct{}{}
	e.urgent = true
}

// sameStored tells whether the stored form need not be written again.
func sameStored(a, b Status) bool {
	if a.InBreach && b.InBreach {
		a.LastBreach = b.LastBreach // follows from the time of the last evaluation
	}
	return a == b
}

// judgeDue judges the alerts that may change now although nothing was counted, and resolves those without a rule.
func (e *Evaluator) judgeDue(found []transition, t judged) []transition {
	if !e.nextDue.IsZero() && t.m.Now.Before(e.nextDue) {
		return found
	}
	for _, a := range e.dueAlerts(t.m.Now) {
		if a.rule == nil {
			found = e.resolveGone(found, a, t)
			continue
		}
		reading, err := windows.Read(a.subject.series, a.ref.Formula, a.ref.Window, t.m.At, t.kept, a.ref.JudgeWindow)
		if err == nil {
			found = e.observe(found, a.subject, a.rule, reading, t)
		}
	}
	e.nextDue = t.m.Now.Add(365 * 24 * time.Hour)
	for _, a := range e.alerts {
		if a.rule == nil {
			if a.gone != "" {
				e.nextDue = t.m.Now
			}
			continue
		}
		if due := a.status.due(a.rule.timing); !due.IsZero() && due.Before(e.nextDue) {
			e.nextDue = due
		}
	}
	return found
}

// dueAlerts are those that judgeDue has to judge, by key, so that two runs go the same way.
func (e *Evaluator) dueAlerts(now time.Time) []*alert {
	var found []*alert
	for _, a := range e.alerts {
		if a.ref.Policy == SystemPolicy || a.turn == e.turn {
			continue
		}
		if a.rule != nil {
			if due := a.status.due(a.rule.timing); due.IsZero() || now.Before(due) {
				continue
			}
		}
		found = append(found, a)
	}
	slices.SortFunc(found, func(a, b *alert) int { return strings.Compare(a.key, b.key) })
	return found
}

// resolveGone closes an alert that no rule stands behind.
func (e *Evaluator) resolveGone(found []transition, a *alert, t judged) []transition {
	if a.status.Phase == Pending {
		e.update(a, Status{})
		return found
	}
	if !t.m.Fresh {
		return found
	}
	reading := a.status.AtFire // when the window itself is gone: the last that is known
	if a.ref.Window.Length > 0 {
		r, err := windows.Read(a.subject.series, a.ref.Formula, a.ref.Window, t.m.At, t.kept, a.ref.JudgeWindow)
		if err == nil {
			reading = r
		}
	}
	next := told(a.status, t.m.Now)
	next.Phase, next.InBreach = Idle, false
	e.update(a, next)
	return append(found, transition{a, Resolved, reading, t})
}
