package windows

import (
	"errors"
	"time"
)

// ErrNotKept is wrapped by the error for a window whose own buckets are no longer kept.
var ErrNotKept = errors.New("buckets are no longer kept")

// Kept says which buckets there still are.
type Kept struct {
	For    Retention
	Oldest [NumSteps]int64 // the first bucket of each step that is kept
}

// At returns what is kept at asOf, the newest time that the state has been judged at.
func (r Retention) At(asOf time.Time) Kept {
	k := Kept{For: r}
	for s := Minute; int(s) < NumSteps; s++ {
		k.Oldest[s] = r.Oldest(s, asOf)
	}
	return k
}

// Reading is one rate on one window of one subject.
type Reading struct {
	From, To    time.Time // start of the first bucket, end of the last
	Numerator   int64
	Denominator int64
	Exposure    int64 // never below Denominator: what the numerator is judged on
}

// Ratio is numerator ÷ denominator; false with denominator 0.
func (r Reading) Ratio() (float64, bool) { panic("not yet") }

// Judged is numerator ÷ exposure; false with no data.
func (r Reading) Judged() (float64, bool) { panic("not yet") }

// Bounds are the Wilson bounds of Judged; false with no data.
func (r Reading) Bounds() (lower, upper float64, ok bool) { panic("not yet") }

// Read reads a formula on a window at a time. judgeWindow takes the bare denominator as exposure.
func Read(s *Series, f Formula, w Window, at time.Time, kept Kept, judgeWindow bool) (Reading, error) {
	panic("not yet")
}

// Plan is the set of sums that reading several windows of a subject at one time takes, so that each bucket is looked at
// once. It is immutable and safe for concurrent use.
type Plan struct{ windows []Window }

// NewPlan plans to read these windows.
func NewPlan(ws []Window, ret Retention) *Plan { return &Plan{windows: ws} }

// Sums holds what a Plan needs of one subject at one time. It is reused from subject to subject: Load allocates nothing.
// It is not safe for concurrent use.
type Sums struct{ plan *Plan }

// NewSums returns room for the plan's sums.
func (p *Plan) NewSums() *Sums { return &Sums{plan: p} }

// Load sums up the series at the given time.
func (s *Sums) Load(series *Series, at time.Time, kept Kept) { panic("not yet") }

// Read reads a formula on the plan's i-th window.
func (s *Sums) Read(i int, f Formula, judgeWindow bool) (Reading, error) { panic("not yet") }
