package audit

import (
	"slices"

	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// line is one thing that is followed for a subject: a rule of a policy, or a rate on a window that no rule limits.
type line struct {
	rule        *policy.Rule // nil without a limit
	formula     windows.Formula
	window      windows.Window
	index       int // of the window in the plan
	judgeWindow bool
	definition  string
	// fine lines read buckets of a minute: time alone can change them at the end of any minute, all others only at the end
	// of an hour.
	fine   bool
	coarse []coarseSpan // of a fine line's exposure, the spans that do not change within an hour
}

// coarseSpan is an exposure span of hours or days: where the plan has its sum, and the share of it that counts.
type coarseSpan struct {
	index int
	n, m  int64
}

// sheet is the lines of a subject. Most subjects share one.
type sheet struct {
	lines []line
	fine  bool // has a fine line
	// always tells that budgets cannot be told: every touched subject is looked at.
	always bool
}

// sheets makes the sheets that subjects need and the plan that sums them up.
type sheets struct {
	set  *policy.Set
	ret  windows.Retention
	plan *windows.Plan
	// coarse are the windows that stand for the exposure spans of fine lines: by length and step, to their place in the plan.
	coarse map[windows.Window]int
	bySet  map[string]*sheet // by the rules that apply, one byte each
}

func newSheets(set *policy.Set, ret windows.Retention) *sheets {
	s := &sheets{set: set, ret: ret, coarse: map[windows.Window]int{}, bySet: map[string]*sheet{}}
	planned := slices.Clone(set.Windows())
	for _, w := range set.Windows() {
		if grainOf(w, ret) != windows.Minute {
			continue
		}
		for _, x := range w.Exposure(ret) {
			span := windows.Window{Length: x.Length, Step: x.Step}
			if _, known := s.coarse[span]; !known && x.Step > windows.Minute {
				s.coarse[span] = len(planned)
				planned = append(planned, span)
			}
		}
	}
	s.plan = windows.NewPlan(planned, ret)
	return s
}

// grainOf is the finest step that a reading of the window is made of.
func grainOf(w windows.Window, ret windows.Retention) windows.Step {
	g := w.Step
	for _, x := range w.Exposure(ret) {
		g = min(g, x.Step)
	}
	return g
}

// of returns the sheet for a subject with these labels.
func (s *sheets) of(labels []windows.Label) *sheet {
	rules := s.set.Rules()
	applies := make([]byte, len(rules))
	for i := range rules {
		if rules[i].Applies(labels) {
			applies[i] = 1
		}
	}
	if sh := s.bySet[string(applies)]; sh != nil {
		return sh
	}
	sh := &sheet{}
	for i := range rules {
		if r := &rules[i]; applies[i] == 1 {
			sh.add(s.line(r, r.Formula, r.WindowIndex, r.JudgeWindow))
		}
	}
	for rate := windows.Bounce; rate <= windows.Unsubscribe; rate++ {
		for w := range s.set.Windows() {
			limited := slices.ContainsFunc(sh.lines, func(l line) bool { return l.formula.Rate == rate && l.index == w })
			if !limited {
				sh.add(s.line(nil, windows.Formula{Rate: rate}, w, false))
			}
		}
	}
	s.bySet[string(applies)] = sh
	return sh
}

func (s *sheet) add(l line) {
	s.lines = append(s.lines, l)
	s.fine = s.fine || l.fine
	s.always = s.always || l.formula.Rate == windows.Engaged
}

func (s *sheets) line(r *policy.Rule, f windows.Formula, window int, judgeWindow bool) line {
	w := s.set.Windows()[window]
	l := line{rule: r, formula: f, window: w, index: window, judgeWindow: judgeWindow}
	l.definition = f.Definition(w, s.ret, judgeWindow)
	l.fine = w.Step == windows.Minute
	if judgeWindow || !f.Rate.Delayed() {
		return l
	}
	l.fine = grainOf(w, s.ret) == windows.Minute
	for _, x := range w.Exposure(s.ret) {
		if x.Step == windows.Minute || !l.fine {
			continue
		}
		m := x.M
		if f.Rate == windows.Bounce {
			m *= 2
		}
		l.coarse = append(l.coarse, coarseSpan{s.coarse[windows.Window{Length: x.Length, Step: x.Step}], x.N, m})
	}
	return l
}

// floor is a lower bound of the exposure that holds until the hour ends: the share of the coarse spans.
func (l *line) floor(sums *windows.Sums) int64 {
	var floor int64
	for _, c := range l.coarse {
		_, d := l.formula.Of(sums.Counts(c.index))
		if d > 0 && d < maxExact {
			floor = max(floor, d*c.n/c.m)
		}
	}
	return floor
}
