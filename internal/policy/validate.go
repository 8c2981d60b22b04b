package policy

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"

	"sendwatch/internal/windows"
)

// Problem is one mistake in a policy: where, what was found and what is allowed.
type Problem struct {
	Key   string // path inside the policy: "limits[0].below"
	Found string
	Want  string
}

func (p Problem) Error() string { return p.Key + ": " + p.Found + "; " + p.Want }

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

const nameWanted = "up to 64 letters, digits, dots, dashes and underscores are allowed, beginning with a letter or a digit"

// Problems are all mistakes in the policy, none when it is valid. Names of windows are not looked up: a limit may name some
// that a configuration lacks.
func (p *Policy) Problems() []Problem {
	c := &checker{}
	if !nameForm.MatchString(p.Name) {
		c.add("name", strconv.Quote(p.Name), nameWanted)
	}
	if len(p.Limits) == 0 {
		c.add("limits", "none", "at least one limit is needed")
	}
	names := map[string]bool{}
	for i := range p.Limits {
		l := &p.Limits[i]
		c.prefix = fmt.Sprintf("limits[%d].", i)
		if l.Name != "" && names[l.Name] {
			c.add("name", strconv.Quote(l.Name)+" again", "a name of its own is needed for each limit of a policy")
		}
		names[l.Name] = true
		c.limit(l)
	}
	return c.found
}

type checker struct {
	prefix string
	found  []Problem
}

func (c *checker) add(key, found, want string) {
	c.found = append(c.found, Problem{c.prefix + key, found, want})
}

func (c *checker) limit(l *Limit) {
	if l.Name != "" && !nameForm.MatchString(l.Name) {
		c.add("name", strconv.Quote(l.Name), nameWanted)
	}
	if int(l.Rate) >= windows.NumRates {
		c.add("rate", fmt.Sprintf("number %d", l.Rate), "bounce, complaint, unsubscribe, suppressed and engaged are allowed")
		return
	}
	c.line(l)
	if l.Windows != nil && len(l.Windows) == 0 {
		c.add("windows", "an empty list", "name at least one window, or leave it out for all")
	}
	for i, name := range l.Windows {
		if slices.Contains(l.Windows[:i], name) {
			c.add("windows", strconv.Quote(name)+" again", "each window once is allowed")
		}
	}
	if l.Classes != 0 && l.Rate != windows.Bounce {
		c.add("classes", "given for "+l.Rate.String(), "classes are allowed for bounce only")
	}
	if l.Over != OverDelivered && l.Rate != windows.Complaint {
		c.add("over", l.Over.String()+" for "+l.Rate.String(), "reporting is allowed for complaint only")
	}
	c.atLeastZero("min_volume", l.MinVolume)
	c.atLeastZero("min_events", l.MinEvents)
	c.share("watch_at", l.WatchAt)
	c.duration("for", l.For)
	perWindow(c, "keep_firing_for", l.KeepFiringFor)
	if l.RemindEvery != nil && *l.RemindEvery <= 0 {
		c.add("remind_every", windows.FormatDuration(*l.RemindEvery), "a duration above 0 is needed")
	}
	c.subjects(l)
}

// line checks below and at_least, of which a limit has the one that its rate asks for.
func (c *checker) line(l *Limit) {
	switch {
	case l.Rate == windows.Engaged:
		if l.Below != (windows.Ratio{}) {
			c.add("below", l.Below.String()+" for engaged", "at_least is the line of this rate")
		}
		c.share("at_least", l.AtLeast)
		return
	case l.AtLeast != (windows.Ratio{}):
		c.add("at_least", l.AtLeast.String()+" for "+l.Rate.String(), "below is the line of this rate")
	}
	if l.Rate == windows.Suppressed && l.Below == (windows.Ratio{A: 0, B: 1}) {
		return
	}
	c.share("below", l.Below)
}

func (c *checker) share(key string, r windows.Ratio) {
	switch {
	case r.B == 0:
		c.add(key, "nothing", "a share such as 3% or 0.03 is needed")
	case r.A <= 0 || r.A > r.B:
		c.add(key, r.String(), "a share above 0 and up to 100% is needed")
	}
}

func (c *checker) atLeastZero(key string, n int64) {
	if n < 0 {
		c.add(key, strconv.FormatInt(n, 10), "a whole number of at least 0 is needed")
	}
}

func (c *checker) duration(key string, d time.Duration) {
	if d < 0 {
		c.add(key, d.String(), "a duration of at least 0s is needed")
	}
}

func perWindow(c *checker, key string, p PerWindow[time.Duration]) {
	if p.All != nil {
		c.duration(key, *p.All)
	}
	for _, window := range slices.Sorted(maps.Keys(p.ByWindow)) {
		c.duration(key+"."+window, p.ByWindow[window])
	}
}

// subjects checks the combinations and the patterns, and that some subject can have what both ask for.
func (c *checker) subjects(l *Limit) {
	if l.Subjects != nil && len(l.Subjects) == 0 {
		c.add("subjects", "an empty list", "name at least one combination of dimensions, or leave it out for all")
	}
	for i, combination := range l.Subjects {
		for j, d := range combination {
			if slices.Contains(combination[:j], d) {
				c.add(fmt.Sprintf("subjects[%d]", i), d.String()+" twice", "each dimension once is allowed")
			}
		}
	}
	dimensions := slices.SortedFunc(maps.Keys(l.Match), cmp.Compare[windows.Dimension])
	for _, d := range dimensions {
		if l.Match[d] == "" {
			c.add("match."+d.String(), "an empty text", "a value or a pattern with * and ? is needed")
		}
	}
	for _, combination := range l.Subjects {
		has := func(d windows.Dimension) bool { return slices.Contains(combination, d) }
		if !slices.ContainsFunc(dimensions, func(d windows.Dimension) bool { return !has(d) }) {
			return
		}
	}
	if len(l.Subjects) > 0 {
		c.add("match", "a dimension that none of the limit's subjects has", "match only dimensions of one of its subjects")
	}
}
