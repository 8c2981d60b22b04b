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
	index       int   // of the window in the plan
	buckets     int64 // that the window has
	judgeWindow bool
	definition  string
	// fine lines read buckets of a minute: time alone can change them at the end of any minute, all others only at the end
	// of an hour.
	fine   bool
	coarse []partSpan // of a fine line's exposure: the spans that do not change within an hour
	minute []partSpan // and those that change every minute
}

// partSpan is an exposure span: where the plan has its sum, and the share of it that counts.
type partSpan struct {
	index   int
	buckets int64
	n, m    int64
}

// maxMinuteSpans is how many exposure spans of minutes a window has at most.
const maxMinuteSpans = 3

// sheet is the lines of a subject. Most subjects share one.
type sheet struct {
	lines     []line
	fineLines []int   // those that are fine
	minutes   []int64 // lengths of the spans of minutes in them, in buckets
	// always tells that budgets cannot be told: every touched subject is looked at.
	always bool
}

// sheets makes the sheets that subjects need and the plan that sums them up.
type sheets struct {
	set  *policy.Set
	ret  windows.Retention
	plan *windows.Plan
	// spans are the windows that stand for the exposure spans of fine lines: by length and step, to their place in the plan.
	spans map[windows.Window]int
	bySet map[string]*sheet // by the rules that apply, one byte each
}

func newSheets(set *policy.Set, ret windows.Retention) *sheets {
	s := &sheets{set: set, ret: ret, spans: map[windows.Window]int{}, bySet: map[string]*sheet{}}
	planned := slices.Clone(set.Windows())
	for _, w := range set.Windows() {
		if grainOf(w, ret) != windows.Minute {
			continue
		}
		for _, x := range w.Exposure(ret) {
			span := windows.Window{Length: x.Length, Step: x.Step}
			if _, known := s.spans[span]; !known {
				s.spans[span] = len(planned)
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
	if l.fine {
		s.fineLines = append(s.fineLines, len(s.lines)-1)
	}
	if l.window.Step == windows.Minute {
		s.addMinutes(l.buckets)
	}
	for _, x := range l.minute {
		s.addMinutes(x.buckets)
	}
	s.always = s.always || l.formula.Rate == windows.Engaged
}

func (s *sheet) addMinutes(buckets int64) {
	if !slices.Contains(s.minutes, buckets) {
		s.minutes = append(s.minutes, buckets)
	}
}

func (s *sheets) line(r *policy.Rule, f windows.Formula, window int, judgeWindow bool) line {
	w := s.set.Windows()[window]
	l := line{rule: r, formula: f, window: w, index: window, judgeWindow: judgeWindow}
	l.buckets = int64(w.Length / w.Step.Duration())
	l.definition = f.Definition(w, s.ret, judgeWindow)
	l.fine = w.Step == windows.Minute
	if judgeWindow || !f.Rate.Delayed() {
		return l
	}
	l.fine = grainOf(w, s.ret) == windows.Minute
	for _, x := range w.Exposure(s.ret) {
		if !l.fine {
			break
		}
		m := x.M
		if f.Rate == windows.Bounce {
			m *= 2
		}
		span := partSpan{s.spans[windows.Window{Length: x.Length, Step: x.Step}], int64(x.Length / x.Step.Duration()), x.N, m}
		switch {
		case x.Step > windows.Minute:
			l.coarse = append(l.coarse, span)
		case len(l.minute) < maxMinuteSpans:
			l.minute = append(l.minute, span)
		}
	}
	return l
}

// share is the part of a span's denominator that counts.
func (p *partSpan) share(d int64) int64 {
	if d <= 0 || d >= maxExact {
		return 0
	}
	return d * p.n / p.m
}

// keep notes the parts of the exposure after a look.
func (l *line) keep(t *track, sums *windows.Sums) {
	t.floor = 0
	for i := range l.coarse {
		_, d := l.formula.Of(sums.Counts(l.coarse[i].index))
		t.floor = max(t.floor, l.coarse[i].share(d))
	}
	for i := range l.minute {
		_, t.minute[i] = l.formula.Of(sums.Counts(l.minute[i].index))
	}
}
