package policy

import (
	"time"

	"sendwatch/internal/windows"
)

// Row is one line of an answer on rates.
type Row struct {
	Subject     windows.Labels `json:"subject"`
	SubjectKey  string         `json:"subject_key"`
	Policy      *string        `json:"policy"`
	Rate        windows.Rate   `json:"rate"`
	Window      string         `json:"window"`
	From        time.Time      `json:"from"`
	To          time.Time      `json:"to"`
	Numerator   int64          `json:"numerator"`
	Denominator int64          `json:"denominator"`
	Exposure    int64          `json:"exposure"`
	Ratio       *float64       `json:"ratio"`
	Judged      *float64       `json:"judged"`
	Lower       *float64       `json:"lower"`
	Upper       *float64       `json:"upper"`
	Limit       *float64       `json:"limit"`
	Verdict     *Verdict       `json:"verdict"`
	Certain     *bool          `json:"certain"`
	Headroom    *int64         `json:"headroom"`
	Definition  string         `json:"definition"`
	LimitName   string         `json:"limit_name,omitempty"`
}

// Filter leaves out rows; the zero value leaves out none.
type Filter struct {
	Window string // name, "" = all
	Rate   *windows.Rate
}

// Rows returns one row per policy that limits a rate on a window for this subject, and one without a policy for every
// other pair of a rate and a window. The error wraps windows.ErrNotKept when a window that was asked for is no longer kept.
func (s *Set) Rows(subjectKey string, series *windows.Series, at time.Time, kept windows.Kept, f Filter) ([]Row, error) {
	panic("not yet")
}

// CompareWorst orders rows worst first: by judged ÷ limit, exactly.
func CompareWorst(a, b *Row) int { panic("not yet") }
