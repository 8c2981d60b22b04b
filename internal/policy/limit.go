package policy

import (
	"time"

	"sendwatch/internal/windows"
)

// Policy is a named list of limits.
type Policy struct {
	Name   string
	Limits []Limit
}

// Limit is one line that a rate must not cross. NewLimit gives the defaults; the zero value is not usable.
type Limit struct {
	Name string // optional; "limit_name" in alert records
	Rate windows.Rate
	// Below is the line: a rate that reaches it breaks the limit. A rate of Suppressed may be held below 0: none at all.
	Below windows.Ratio
	// AtLeast is the line of Engaged, in place of Below: a share under it is watched, and never a breach.
	AtLeast   windows.Ratio
	Windows   []string        // names; nil = all windows. Those that are not configured are left out
	Classes   windows.Classes // of Bounce; zero = hard, soft, block, undetermined
	Over      Over            // of Complaint
	MinVolume int64           // smallest exposure that is judged; 200
	MinEvents int64           // smallest numerator that breaks the limit; 3
	WatchAt   windows.Ratio   // share of the limit from which the verdict is watch; 80%
	Judge     Judge

	Fire          PerWindow[Fire]          // certain on the default window 1h, crossing on all others
	For           time.Duration            // how long in breach before it fires; 0
	KeepFiringFor PerWindow[time.Duration] // Defaults.KeepFiringFor
	RemindEvery   *time.Duration           // nil = Defaults.RemindEvery

	Subjects []windows.Combination        // which combinations it applies to, in any order of dimensions; nil = all
	Match    map[windows.Dimension]string // value or glob, all of which a subject must have; see Glob
}

// NewLimit returns a limit with the defaults of everything else. The line is Below, for Engaged AtLeast. What must not happen
// at all, a rate of Suppressed, is judged from the first delivery and broken by the first event.
func NewLimit(r windows.Rate, line windows.Ratio) Limit {
	l := Limit{Rate: r, Below: line, MinVolume: 200, MinEvents: 3, WatchAt: windows.Ratio{A: 4, B: 5}}
	switch r {
	case windows.Suppressed:
		l.MinVolume, l.MinEvents = 1, 1
	case windows.Engaged:
		l.Below, l.AtLeast = windows.Ratio{}, line
	}
	return l
}

// DefaultLine is the line of a limit that names none: no delivery at all after an unsubscribe or complaint that had to be honoured, and
// four of five deliveries to engaged recipients. Other rates have no default.
func DefaultLine(r windows.Rate) (windows.Ratio, bool) {
	switch r {
	case windows.Suppressed:
		return windows.Ratio{A: 0, B: 1}, true
	case windows.Engaged:
		return windows.Ratio{A: 4, B: 5}, true
	}
	return windows.Ratio{}, false
}

// Line is Below or, for Engaged, AtLeast.
func (l *Limit) Line() windows.Ratio {
	if l.Rate == windows.Engaged {
		return l.AtLeast
	}
	return l.Below
}

// Formula is what the limit divides by what.
func (l *Limit) Formula() windows.Formula {
	return windows.Formula{Rate: l.Rate, Classes: l.Classes, OverReporting: l.Over == OverReporting}
}

// on tells whether the limit is for this window.
func (l *Limit) on(w windows.Window) bool {
	if l.Windows == nil {
		return true
	}
	for _, name := range l.Windows {
		if name == w.Name {
			return true
		}
	}
	return false
}

// Applies tells whether the limit is for a subject with these labels: one of the combinations, and every match.
func (l *Limit) Applies(labels []windows.Label) bool {
	for d, glob := range l.Match {
		if value, ok := valueOf(labels, d); !ok || !Glob(glob, value) {
			return false
		}
	}
	if l.Subjects == nil {
		return true
	}
	for _, c := range l.Subjects {
		if sameDimensions(c, labels) {
			return true
		}
	}
	return false
}

func valueOf(labels []windows.Label, d windows.Dimension) (string, bool) {
	for _, label := range labels {
		if label.Dimension == d {
			return label.Value, true
		}
	}
	return "", false
}

// sameDimensions compares without regard to order; neither side names a dimension twice.
func sameDimensions(c windows.Combination, labels []windows.Label) bool {
	if len(c) != len(labels) {
		return false
	}
	for _, d := range c {
		if _, ok := valueOf(labels, d); !ok {
			return false
		}
	}
	return true
}

// PerWindow is a setting that can be given once for all windows and apart for some of them.
type PerWindow[T any] struct {
	All      *T           // nil = not given
	ByWindow map[string]T // by the window's name; goes before All
}

// On returns what is set for a window; false when nothing is.
func (p PerWindow[T]) On(window string) (T, bool) {
	if v, ok := p.ByWindow[window]; ok {
		return v, true
	}
	if p.All != nil {
		return *p.All, true
	}
	var none T
	return none, false
}

// Over says what complaints are divided by.
type Over uint8

// The denominators of Complaint.
const (
	OverDelivered Over = iota // all deliveries
	OverReporting             // deliveries at mailbox providers that send complaint reports
)

var overNames = [...]string{"delivered", "reporting"}

// String returns the name that the configuration uses.
func (o Over) String() string { return overNames[o] }

// Judge says what the numerator is held against.
type Judge uint8

// What limits are judged on.
const (
	JudgeExposure Judge = iota // the exposure
	JudgeWindow                // the bare denominator of the window
)

var judgeNames = [...]string{"exposure", "window"}

// String returns the name that the configuration uses.
func (j Judge) String() string { return judgeNames[j] }

// Fire says when a breach becomes an alert.
type Fire uint8

// When alerts fire.
const (
	Crossing Fire = iota // as soon as the limit is reached
	Certain              // once it is exceeded beyond chance
)

var fireNames = [...]string{"crossing", "certain"}

// String returns the name that the configuration uses.
func (f Fire) String() string { return fireNames[f] }
