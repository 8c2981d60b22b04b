// Package policytest tests policies: sequences of events, and the alerts that they have to lead to. The events are invented, the
// counting, the verdicts and the alerts are those of audit, and so those of the service. It reads no files; config does.
package policytest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit"
	"sendwatch/internal/event"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Suite is what one file has: policies, what they are judged on, and tests of them.
type Suite struct {
	File     string
	Policies []policy.Policy
	Subjects []windows.Combination
	Windows  []windows.Window
	Cases    []Case
}

// Case is one test.
type Case struct {
	Name  string
	Line  int // of the file
	Start time.Time
	Steps []Step
	Until time.Duration // how long time goes on after Start; 0 = to the last event
	Only  Filter        // the records that are looked at
	Want  []Expectation
}

// Step is a number of events that are alike, Every after one another, the first At after the start. In the texts of the event
// "{n}" stands for the number of each, from 1.
type Step struct {
	At, Every time.Duration
	Count     int
	Event     event.Event
}

// Last is when the last event of the step happens, as far as durations reach.
func (s *Step) Last() time.Duration {
	n := time.Duration(max(0, s.Count-1))
	if s.Every > 0 && n > (math.MaxInt64-s.At)/s.Every {
		return math.MaxInt64
	}
	return s.At + n*s.Every
}

// number returns the text for one of the events.
func number(text string, n int) string {
	if !strings.Contains(text, "{n}") {
		return text
	}
	return strings.ReplaceAll(text, "{n}", strconv.Itoa(n))
}

// event is the n-th event, counted from 0.
func (s *Step) event(start time.Time, n int) event.Event {
	e := s.Event
	e.Time = start.Add(s.At + time.Duration(n)*s.Every)
	for _, text := range []*string{&e.ID, &e.Recipient, &e.MessageID, &e.Tenant, &e.IP, &e.Pool, &e.Domain, &e.Campaign, &e.Stream, &e.Provider} {
		*text = number(*text, n+1)
	}
	return e
}

// each visits the events of all steps in order of time; of those at the same time the steps' order counts.
func (c *Case) each(visit func(*event.Event)) {
	next := make([]int, len(c.Steps))
	for {
		first := -1
		var at time.Duration
		for i := range c.Steps {
			s := &c.Steps[i]
			if due := s.At + time.Duration(next[i])*s.Every; next[i] < s.Count && (first < 0 || due < at) {
				first, at = i, due
			}
		}
		if first < 0 {
			return
		}
		e := c.Steps[first].event(c.Start, next[first])
		next[first]++
		visit(&e)
	}
}

// Run returns the records that the events lead to, in order, without those that the case does not look at.
func (c *Case) Run(o audit.Options) []alerts.Record {
	a := audit.New(o)
	one := make([]event.Event, 1)
	c.each(func(e *event.Event) {
		one[0] = *e
		a.Take(&event.Result{Events: one})
	})
	a.Until(c.Start.Add(c.Until))
	var got []alerts.Record
	for _, r := range a.Finish().Alerts {
		if c.Only.holds(&r) {
			got = append(got, r)
		}
	}
	return got
}

// Filter picks records by what they say; nil lists take everything.
type Filter struct {
	Change, Severity, Policy, Limit, Rate, Window, Subject []string
}

func (f *Filter) holds(r *alerts.Record) bool {
	for i, list := range [][]string{f.Change, f.Severity, f.Policy, f.Limit, f.Rate, f.Window, f.Subject} {
		if list != nil && !slices.Contains(list, fieldsOf(r)[i]) {
			return false
		}
	}
	return true
}

// fieldsOf are what expectations and filters can ask for, in the order of FieldNames.
func fieldsOf(r *alerts.Record) [7]string {
	return [7]string{r.Change.String(), r.Severity.String(), r.Policy, r.LimitName, r.Rate, r.Window, r.SubjectKey}
}

// FieldNames are the fields of records that expectations and filters can ask for.
func FieldNames() [7]string {
	return [7]string{"change", "severity", "policy", "limit", "rate", "window", "subject"}
}

// Known lists what records of the suite can have in one of FieldNames, but for subjects.
func (s *Suite) Known(field string) []string {
	var list []string
	add := func(text string) {
		if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	switch field {
	case "change":
		for c := alerts.Fired; c <= alerts.Resolved; c++ {
			add(c.String())
		}
	case "severity":
		add(alerts.Warning.String())
		add(alerts.Critical.String())
	case "window":
		for _, w := range s.Windows {
			add(w.Name)
		}
	}
	for i := range s.Policies {
		p := &s.Policies[i]
		if field == "policy" {
			add(p.Name)
		}
		for j := range p.Limits {
			switch l := &p.Limits[j]; field {
			case "limit":
				add(l.Name)
			case "rate":
				add(l.Rate.String())
			}
		}
	}
	return list
}
