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

// Limit is one line that a rate must stay below. NewLimit gives the defaults; the zero value is not usable.
type Limit struct {
	Name      string // optional; "limit_name" in alert records
	Rate      windows.Rate
	Below     windows.Ratio
	Windows   []string        // names; nil = all windows
	Classes   windows.Classes // of Bounce; zero = hard, soft, block, undetermined
	Over      Over            // of Complaint
	MinVolume int64           // smallest exposure that is judged; 200
	MinEvents int64           // smallest numerator that breaks the limit; 3
	WatchAt   windows.Ratio   // share of the limit from which the verdict is watch; 80%
	Judge     Judge

	Fire          PerWindow[Fire]
	For           time.Duration // how long in breach before it fires; 0
	KeepFiringFor PerWindow[time.Duration]
	RemindEvery   *time.Duration // nil = what alerts.remind_every says

	Subjects []windows.Combination        // which combinations it applies to; nil = all
	Match    map[windows.Dimension]string // value or glob
}

// NewLimit returns a limit on a rate with the defaults of everything else.
func NewLimit(r windows.Rate, below windows.Ratio) Limit {
	return Limit{Rate: r, Below: below, MinVolume: 200, MinEvents: 3, WatchAt: windows.Ratio{A: 4, B: 5}}
}

// PerWindow is a setting that can be given once for all windows and apart for some of them.
type PerWindow[T any] struct {
	All      *T           // nil = not given
	ByWindow map[string]T // by the window's name; goes before All
}

// Over says what complaints are divided by.
type Over uint8

// The denominators of Complaint.
const (
	OverDelivered Over = iota // all deliveries
	OverReporting             // deliveries at mailbox providers that send complaint reports
)

// Judge says what the numerator is held against.
type Judge uint8

// What limits are judged on.
const (
	JudgeExposure Judge = iota // the exposure
	JudgeWindow                // the bare denominator of the window
)

// Fire says when a breach becomes an alert.
type Fire uint8

// When alerts fire.
const (
	Crossing Fire = iota // as soon as the limit is reached
	Certain              // once it is exceeded beyond chance
)
