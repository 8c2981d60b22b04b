package windows

import (
	"errors"
	"fmt"
	"time"
)

// ErrNotKept is wrapped by the error for a window whose own buckets are no longer kept.
var ErrNotKept = errors.New("buckets are no longer kept")

// NotKeptError tells which window was asked for too late.
type NotKeptError struct {
	Window Window
	From   time.Time // start of the window asked for
	Oldest time.Time // start of the oldest bucket of its step that is kept
}

func (e *NotKeptError) Error() string {
	return fmt.Sprintf("window %s from %s: its %s buckets are kept from %s on", e.Window.Name, e.From.Format(time.RFC3339),
		e.Window.Step, e.Oldest.Format(time.RFC3339))
}

// Unwrap makes errors.Is find ErrNotKept.
func (e *NotKeptError) Unwrap() error { return ErrNotKept }

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

// of leaves out what the series itself has already forgotten.
func (k Kept) of(s *Series) Kept {
	for i := range s.tables {
		k.Oldest[i] = max(k.Oldest[i], int64(s.tables[i].oldest))
	}
	return k
}

// Has tells whether all buckets of the span are kept.
func (k Kept) Has(s Span) bool { return s.First >= k.Oldest[s.Step] }

// check returns a *NotKeptError unless the window's own buckets are kept.
func (k Kept) check(w Window, s Span) error {
	if k.Has(s) {
		return nil
	}
	return &NotKeptError{Window: w, From: s.From(), Oldest: s.Step.Start(k.Oldest[s.Step])}
}

// Reading is one rate on one window of one subject.
type Reading struct {
	From, To    time.Time // start of the first bucket, end of the last
	Numerator   int64     // may exceed Denominator, and Exposure: responses to mail that has left the window
	Denominator int64
	Exposure    int64 // never below Denominator: what the numerator is judged on
}

// Ratio is numerator ÷ denominator; false without a denominator.
func (r Reading) Ratio() (float64, bool) { return divide(r.Numerator, r.Denominator) }

// Judged is numerator ÷ exposure, which limits go by; false with no data.
func (r Reading) Judged() (float64, bool) { return divide(r.Numerator, r.Exposure) }

// Bounds are the Wilson bounds of Judged; false with no data.
func (r Reading) Bounds() (lower, upper float64, ok bool) {
	if r.Exposure <= 0 {
		return 0, 0, false
	}
	lower, upper = Wilson(r.Numerator, r.Exposure)
	return lower, upper, true
}

func divide(a, b int64) (float64, bool) {
	if b <= 0 {
		return 0, false
	}
	return float64(a) / float64(b), true
}

// Figures is a reading as answers and alerts write it.
type Figures struct {
	Numerator   int64     `json:"numerator"`
	Denominator int64     `json:"denominator"`
	Exposure    int64     `json:"exposure"`
	Ratio       *float64  `json:"ratio"`  // null without a denominator
	Judged      *float64  `json:"judged"` // null with no data, as the bounds
	Lower       *float64  `json:"lower"`
	Upper       *float64  `json:"upper"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
}

// Figures returns the reading in that form.
func (r Reading) Figures() Figures {
	f := Figures{
		Numerator: r.Numerator, Denominator: r.Denominator, Exposure: r.Exposure, From: r.From.UTC(), To: r.To.UTC(),
	}
	if v, ok := r.Ratio(); ok {
		f.Ratio = &v
	}
	if v, ok := r.Judged(); ok {
		f.Judged = &v
	}
	if lower, upper, ok := r.Bounds(); ok {
		f.Lower, f.Upper = &lower, &upper
	}
	return f
}

// Reading returns the reading that the figures were made of.
func (f Figures) Reading() Reading {
	return Reading{From: f.From, To: f.To, Numerator: f.Numerator, Denominator: f.Denominator, Exposure: f.Exposure}
}

// Read reads a formula on a window at a time. Exposure spans whose buckets are not wholly kept are left out; the error, a
// *NotKeptError, is only for the window's own. With judgeWindow, and for rates that are not delayed, the exposure is the
// bare denominator. Who reads several windows of a subject uses a Plan.
func Read(s *Series, f Formula, w Window, at time.Time, kept Kept, judgeWindow bool) (Reading, error) {
	own := w.Span(at)
	kept = kept.of(s)
	if err := kept.check(w, own); err != nil {
		return Reading{}, err
	}
	counts := s.Sum(own)
	r := Reading{From: own.From(), To: own.To()}
	r.Numerator, r.Denominator = f.Of(&counts)
	r.Exposure = r.Denominator
	if judgeWindow || !f.Rate.Delayed() {
		return r, nil
	}
	for _, x := range w.Exposure(kept.For) {
		if span := SpanAt(x.Step, x.Length, at); kept.Has(span) {
			counts = s.Sum(span)
			_, d := f.Of(&counts)
			r.Exposure = max(r.Exposure, x.share(d, f.Rate))
		}
	}
	return r, nil
}
