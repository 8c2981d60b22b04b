package policy

import (
	"slices"
	"sync"
	"time"

	"sendwatch/internal/windows"
)

// Defaults are what limits leave open (section alerts of the configuration).
type Defaults struct {
	KeepFiringFor PerWindow[time.Duration] // not given: by the window's length, see keepFiringFor
	RemindEvery   time.Duration            // 0 = 24h
}

// Rule is one limit of one policy on one window, with every default filled in: what an alert can be open for.
type Rule struct {
	Policy        string
	LimitIndex    int // in the policy's list
	Limit         *Limit
	Window        windows.Window
	WindowIndex   int // in the set's windows and its plan
	Formula       windows.Formula
	JudgeWindow   bool
	Fire          Fire
	For           time.Duration
	KeepFiringFor time.Duration
	RemindEvery   time.Duration
	Definition    string
}

// Applies tells whether the rule holds for a subject with these labels.
func (r *Rule) Applies(labels []windows.Label) bool { return r.Limit.Applies(labels) }

// Judge judges a reading of the rule's formula on its window.
func (r *Rule) Judge(reading windows.Reading) Judgement { return r.Limit.Assess(reading) }

// Set is the policies in force with the windows that they are judged on. It is immutable and safe for concurrent use.
type Set struct {
	policies []Policy
	windows  []windows.Window
	rules    []Rule
	plan     *windows.Plan
	// bare are the definitions of rates without a policy: by rate and window.
	bare [windows.NumRates][]string
	sums sync.Pool // of *windows.Sums
}

// NewSet puts policies in force. They must be valid, and the windows too. Windows that a limit names and that are not among
// these are left out.
func NewSet(policies []Policy, ws []windows.Window, ret windows.Retention, d Defaults) *Set {
	s := &Set{policies: slices.Clone(policies), windows: slices.Clone(ws), plan: windows.NewPlan(ws, ret)}
	s.sums.New = func() any { return s.plan.NewSums() }
	for i := range s.policies {
		p := &s.policies[i]
		p.Limits = slices.Clone(p.Limits)
		for j := range p.Limits {
			for w := range s.windows {
				if p.Limits[j].on(s.windows[w]) {
					s.rules = append(s.rules, newRule(p, j, s.windows[w], w, ret, d))
				}
			}
		}
	}
	for rate := range s.bare {
		for _, w := range s.windows {
			s.bare[rate] = append(s.bare[rate], windows.Formula{Rate: windows.Rate(rate)}.Definition(w, ret, false))
		}
	}
	return s
}

func newRule(p *Policy, limit int, w windows.Window, index int, ret windows.Retention, d Defaults) Rule {
	l := &p.Limits[limit]
	r := Rule{
		Policy: p.Name, LimitIndex: limit, Limit: l, Window: w, WindowIndex: index, Formula: l.Formula(),
		JudgeWindow: l.Judge == JudgeWindow, For: l.For,
		Fire: fire(l, w), KeepFiringFor: keepFiringFor(l, w, d), RemindEvery: remindEvery(l, d),
	}
	r.Definition = r.Formula.Definition(w, ret, r.JudgeWindow)
	return r
}

// fire: in the default window of one hour few of a mailing's responses have come, so an alert waits until the limit is
// exceeded beyond chance. Everything else, one's own windows too, fires by crossing.
func fire(l *Limit, w windows.Window) Fire {
	if f, ok := l.Fire.On(w.Name); ok {
		return f
	}
	if w.Name == "1h" && w.Default() && l.Rate.Delayed() {
		return Certain
	}
	return Crossing
}

// keepFiringFor is the limit's own setting, else the configuration's, else 1h for windows up to an hour, 6h up to a day, 24h
// for longer ones.
func keepFiringFor(l *Limit, w windows.Window, d Defaults) time.Duration {
	if v, ok := l.KeepFiringFor.On(w.Name); ok {
		return v
	}
	if v, ok := d.KeepFiringFor.On(w.Name); ok {
		return v
	}
	switch {
	case w.Length <= time.Hour:
		return time.Hour
	case w.Length <= 24*time.Hour:
		return 6 * time.Hour
	}
	return 24 * time.Hour
}

func remindEvery(l *Limit, d Defaults) time.Duration {
	if l.RemindEvery != nil {
		return *l.RemindEvery
	}
	if d.RemindEvery != 0 {
		return d.RemindEvery
	}
	return 24 * time.Hour
}

// Policies are those in force. They must not be changed.
func (s *Set) Policies() []Policy { return s.policies }

// Windows are those that rates are read on. They must not be changed.
func (s *Set) Windows() []windows.Window { return s.windows }

// Rules are all rules, by policy, limit and window. They must not be changed.
func (s *Set) Rules() []Rule { return s.rules }

// Plan is what has to be summed to judge a subject.
func (s *Set) Plan() *windows.Plan { return s.plan }
