package alerts

import (
	"slices"
	"strings"
	"time"

	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Evaluator judges many subjects and keeps their alerts, all in memory. What it is given (counts, moments) decides what it
// returns, so the same stream gives the same records live, offline and after a restart from Saved. It is not safe for
// concurrent use.
//
// Every call of Evaluate has the effect of judging every subject. Only those are looked at whose reading can differ from the
// evaluation before: that something was counted for, that a bucket ended for, or whose alert has a time that is due.
type Evaluator struct {
	ret  windows.Retention // what the state keeps: it decides which exposure spans exist
	keep windows.Retention // what is held in memory: as far back as any window or exposure reaches

	rules  []*rule
	byKey  map[string]*rule                // by Ref.key("")
	judges [windows.NumSteps]*windows.Sums // by grain: the windows of the rules that are as fine or finer

	subjects map[string]*subject
	recent   *subject // that was added to: counts come subject by subject
	list     []*subject
	parts    map[uint64][]*subject // by hash of a subject's labels: the subjects with one dimension more
	dirty    []*subject

	alerts    map[string]*alert // by key: pending and open ones
	incidents map[scope]*incident
	changed   map[string]struct{} // keys of alerts whose stored form is out of date
	urgent    bool                // in more than their peak
	nextDue   time.Time           // no alert changes before by time alone; zero = look
	losses    map[lossKey]*loss   // system alerts, by input partition

	last     Moment
	newest   time.Time // the highest as_of so far: what is kept is measured from it
	judgeAll bool      // something other than counts changed: policies, all counts anew
	turn     uint64    // number of the evaluation
}

// subject is one subject with its counts.
type subject struct {
	key    string
	labels windows.Labels
	series *windows.Series
	rules  []*rule // those that apply, in order
	alerts []*alert
	dirty  bool
	// settled: no bucket of that step is left that a reading looks at, and it was judged since.
	settled [windows.NumSteps]bool
}

// alert is a pending or open alert.
type alert struct {
	key     string
	ref     Ref
	rule    *rule  // nil when gone
	gone    string // why it has no rule any more
	orphan  bool   // and will never have one again, whatever the configuration says
	subject *subject
	status  Status
	turn    uint64 // last evaluation that judged it
}

// NewEvaluator returns an evaluator without subjects and alerts. ret is the retention of the state, not less than its windows.
func NewEvaluator(set *policy.Set, ret windows.Retention) *Evaluator {
	e := &Evaluator{
		ret: ret, subjects: map[string]*subject{}, parts: map[uint64][]*subject{}, alerts: map[string]*alert{},
		incidents: map[scope]*incident{}, changed: map[string]struct{}{}, losses: map[lossKey]*loss{},
	}
	e.SetPolicies(set)
	return e
}

// SetPolicies puts other policies in force, from the next evaluation on. An open alert whose limit is the same goes on; one
// whose limit is gone resolves at the next evaluation on fresh data.
func (e *Evaluator) SetPolicies(set *policy.Set) {
	e.rules = compile(set, e.ret)
	e.byKey = make(map[string]*rule, len(e.rules))
	for _, r := range e.rules {
		e.byKey[r.ref.key("")] = r
	}
	var ws []windows.Window
	for _, r := range e.rules {
		ws = append(ws, r.ref.Window)
	}
	e.keep = windows.NewPlan(ws, e.ret).Retention(e.ret)
	for g := range e.keep { // and two days more, for an as_of that goes back
		e.keep[g] = min(e.ret[g], e.keep[g]+48*time.Hour)
	}
	for g := windows.Minute; int(g) < windows.NumSteps; g++ {
		var ws []windows.Window
		for _, r := range e.rules {
			if r.grain > g {
				continue
			}
			r.slot[g] = slices.Index(ws, r.ref.Window)
			if r.slot[g] < 0 {
				r.slot[g] = len(ws)
				ws = append(ws, r.ref.Window)
			}
		}
		e.judges[g] = windows.NewPlan(ws, e.ret).NewSums()
	}
	for _, s := range e.list {
		s.rules = e.applying(s.labels)
	}
	for _, a := range e.alerts {
		e.bind(a)
	}
	e.judgeAll = true
}

// bind finds the rule of an alert among those in force.
func (e *Evaluator) bind(a *alert) {
	e.nextDue = time.Time{}
	if a.ref.Policy == SystemPolicy || a.orphan {
		return
	}
	switch r := e.byKey[a.ref.key("")]; {
	case r == nil:
		a.rule, a.gone = nil, "the limit is no longer in the configuration"
	case !r.holds(a.subject.labels):
		a.rule, a.gone = nil, "the limit no longer applies to this subject"
	default:
		a.rule, a.gone = r, ""
		if a.ref != r.ref {
			a.ref = r.ref
			e.outdated(a.key)
		}
	}
}

func (e *Evaluator) applying(labels windows.Labels) []*rule {
	n := 0
	for _, r := range e.rules {
		if r.holds(labels) {
			n++
		}
	}
	if n == len(e.rules) {
		return e.rules // shared by most subjects
	}
	rules := make([]*rule, 0, n)
	for _, r := range e.rules {
		if r.holds(labels) {
			rules = append(rules, r)
		}
	}
	return rules
}

// Retention is what a Series for Load has to hold.
func (e *Evaluator) Retention() windows.Retention { return e.keep }

// Add counts n more for a subject, which may be negative. The subject is judged at the next evaluation.
func (e *Evaluator) Add(key string, step windows.Step, bucket int64, c windows.Counter, n int64) {
	s := e.subject(key)
	if s == nil {
		return
	}
	s.series.Add(step, bucket, c, n)
	e.touch(s)
}

// Load replaces all counts of a subject. The evaluator reads the series from now on; whoever else adds to it calls Touch.
func (e *Evaluator) Load(key string, series *windows.Series) {
	if s := e.subject(key); s != nil {
		s.series = series
		e.touch(s)
	}
}

// Series is what is held of a subject, nil when nothing is. It is the evaluator's own: to be read before the next Add.
func (e *Evaluator) Series(key string) *windows.Series {
	if s := e.subjects[key]; s != nil {
		return s.series
	}
	return nil
}

// Touch has a subject judged at the next evaluation, after its series changed.
func (e *Evaluator) Touch(key string) {
	if s := e.subjects[key]; s != nil {
		e.touch(s)
	}
}

// Reset forgets all counts, not the alerts. The next evaluation judges everything: load all counts before.
func (e *Evaluator) Reset() {
	for _, s := range e.list {
		s.series = windows.NewSeries(e.keep)
		s.settled = [windows.NumSteps]bool{}
	}
	e.forget(func(*subject) bool { return true })
	e.judgeAll = true
}

// Trim forgets counts that no evaluation will look at, and subjects that have none left. Call it now and then, with the
// newest as_of; series that were loaded are trimmed too.
func (e *Evaluator) Trim(asOf time.Time) {
	for _, s := range e.list {
		s.series.Trim(asOf)
	}
	e.forget(func(s *subject) bool { return s.series.Empty() })
}

// Dirty tells whether something was counted, or is to be judged anew, since the last evaluation.
func (e *Evaluator) Dirty() bool { return e.judgeAll || len(e.dirty) > 0 }

// Evaluated is the clock of the last evaluation, also of one before a restart; zero when there was none.
func (e *Evaluator) Evaluated() time.Time { return e.last.Now }

// Alerts is how many alerts are open.
func (e *Evaluator) Alerts() int {
	n := 0
	for _, a := range e.alerts {
		if a.status.Phase == Open {
			n++
		}
	}
	return n
}

// Subjects is how many subjects are held.
func (e *Evaluator) Subjects() int { return len(e.list) }

// forget drops the subjects that may go and have no alert.
func (e *Evaluator) forget(may func(*subject) bool) {
	e.list = slices.DeleteFunc(e.list, func(s *subject) bool {
		if len(s.alerts) > 0 || !may(s) {
			return false
		}
		delete(e.subjects, s.key)
		e.recent = nil
		return true
	})
	e.dirty = slices.DeleteFunc(e.dirty, func(s *subject) bool { return e.subjects[s.key] != s })
	clear(e.parts)
	for _, s := range e.list {
		e.index(s)
	}
}

func (e *Evaluator) touch(s *subject) {
	s.settled = [windows.NumSteps]bool{}
	if !s.dirty {
		s.dirty = true
		e.dirty = append(e.dirty, s)
	}
}

// subject finds or makes a subject; nil when the key is not one.
func (e *Evaluator) subject(key string) *subject {
	if e.recent != nil && e.recent.key == key {
		return e.recent
	}
	if s := e.subjects[key]; s != nil {
		e.recent = s
		return s
	}
	labels, ok := windows.ParseSubject(key)
	if !ok {
		return nil
	}
	s := &subject{key: strings.Clone(key), labels: labels, series: windows.NewSeries(e.keep)}
	s.rules = e.applying(s.labels)
	e.subjects[s.key] = s
	e.list = append(e.list, s)
	e.index(s)
	return s
}
