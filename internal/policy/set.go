package policy

import (
	"time"

	"sendwatch/internal/windows"
)

// Defaults are what limits leave open (section alerts of the configuration).
type Defaults struct {
	KeepFiringFor PerWindow[time.Duration] // not given = 1h, 6h, 24h by length
	RemindEvery   time.Duration            // 0 = 24h
}

// Rule is one limit of one policy on one window, with every default filled in: what an alert can be open for.
type Rule struct {
	Policy        string
	LimitIndex    int // in the policy's list
	Limit         *Limit
	Window        windows.Window
	WindowIndex   int // in the set's windows
	Formula       windows.Formula
	JudgeWindow   bool
	Fire          Fire
	For           time.Duration
	KeepFiringFor time.Duration
	RemindEvery   time.Duration
	Definition    string
}

// Applies tells whether the rule holds for a subject with these labels.
func (r *Rule) Applies(labels []windows.Label) bool { panic("not yet") }

// Judgement is what a rule says of a reading.
type Judgement struct {
	Verdict  Verdict
	Certain  bool
	Headroom int64
}

// Judge judges a reading.
func (r *Rule) Judge(reading windows.Reading) Judgement { panic("not yet") }

// Set is the policies in force with the windows that they are judged on. It is immutable and safe for concurrent use.
type Set struct{ rules []Rule }

// NewSet puts policies in force. They must be valid.
func NewSet(policies []Policy, ws []windows.Window, ret windows.Retention, d Defaults) *Set { panic("not yet") }

// Rules are all rules, by policy, limit, window.
func (s *Set) Rules() []Rule { return s.rules }

// Plan is what has to be summed to judge a subject.
func (s *Set) Plan() *windows.Plan { panic("not yet") }
