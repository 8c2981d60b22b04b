package policy

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"sendwatch/internal/windows"
)

// Row is one line of an answer on rates (contract, section 8). Ratio is null without a denominator; Judged, Lower and Upper
// without an exposure; Policy, Limit, Verdict, Certain and Headroom where no policy limits the rate on the window.
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

	// closeness is judged ÷ limit, only where there is a limit. It is not in JSON.
	closeness windows.Closeness
}

// Filter leaves out rows; the zero value leaves out none.
type Filter struct {
	Window string        // name, "" = all
	Rate   *windows.Rate // nil = all
}

// Rows returns the rows of a subject, by rate, window and policy: for every rate and window one row per policy that limits
// the one on the other for this subject, or a single row without a policy where none does. Of several limits of one policy
// the gravest speaks: the worst verdict; of those the highest limit that is broken, else the one that is nearest. The rates
// of Suppressed and Engaged have rows only where a policy limits them.
//
// kept says which buckets there are. The error wraps windows.ErrNotKept when a window that the filter lets through is no
// longer kept at this time; another one tells that the key is no subject's.
func (s *Set) Rows(subjectKey string, series *windows.Series, at time.Time, kept windows.Kept, f Filter) ([]Row, error) {
	labels, ok := windows.ParseSubject(subjectKey)
	if !ok {
		return nil, fmt.Errorf("%q is no key of a subject: write it as %q, or as %q", subjectKey, "tenant=acme,provider=gmail", windows.All)
	}
	sums := s.sums.Get().(*windows.Sums)
	defer s.sums.Put(sums)
	sums.Load(series, at, kept)

	base := Row{Subject: labels, SubjectKey: subjectKey}
	if labels == nil {
		base.Subject = windows.Labels{}
	}
	applying := s.applying(labels, f)
	rows := make([]Row, 0, len(applying)+windows.NumRates*len(s.windows))
	for rate := windows.Rate(0); int(rate) < windows.NumRates; rate++ {
		if f.Rate != nil && *f.Rate != rate {
			continue
		}
		for w := range s.windows {
			if f.Window != "" && f.Window != s.windows[w].Name {
				continue
			}
			var err error
			if rows, err = s.appendRows(rows, &base, sums, applying, rate, w); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

// applying are the rules that hold for the subject and can show in rows that the filter lets through.
func (s *Set) applying(labels []windows.Label, f Filter) []*Rule {
	found := make([]*Rule, 0, len(s.rules))
	for i := range s.rules {
		r := &s.rules[i]
		if (f.Rate == nil || *f.Rate == r.Formula.Rate) && (f.Window == "" || f.Window == r.Window.Name) && r.Applies(labels) {
			found = append(found, r)
		}
	}
	return found
}

// appendRows adds the rows of one rate on one window. The rules come by policy.
func (s *Set) appendRows(rows []Row, base *Row, sums *windows.Sums, rules []*Rule, rate windows.Rate, window int) ([]Row, error) {
	before := len(rows)
	var last *assessed
	for _, r := range rules {
		if r.Formula.Rate != rate || r.WindowIndex != window {
			continue
		}
		reading, err := sums.Read(window, r.Formula, r.JudgeWindow)
		if err != nil {
			return nil, err
		}
		a := &assessed{rule: r, reading: reading, judgement: r.Judge(reading)}
		switch {
		case last == nil || last.rule.Policy != r.Policy:
			rows = append(rows, *base)
		case !a.graver(last):
			continue
		}
		last = a
		a.fill(&rows[len(rows)-1])
	}
	if len(rows) > before || !rate.Delayed() {
		return rows, nil
	}
	reading, err := sums.Read(window, windows.Formula{Rate: rate}, false)
	if err != nil {
		return nil, err
	}
	row := *base
	row.read(reading)
	row.Rate, row.Window, row.Definition = rate, s.windows[window].Name, s.bare[rate][window]
	return append(rows, row), nil
}

// assessed is a rule with what it says of a subject.
type assessed struct {
	rule      *Rule
	reading   windows.Reading
	judgement Judgement
}

// graver tells whether a's limit speaks in place of b's, of the same policy, rate and window.
func (a *assessed) graver(b *assessed) bool {
	if a.judgement.Verdict != b.judgement.Verdict {
		return a.judgement.Verdict > b.judgement.Verdict
	}
	if a.judgement.Verdict == Breach {
		return a.rule.Limit.Line().Cmp(b.rule.Limit.Line()) > 0
	}
	return a.rule.Limit.Closeness(a.reading).Cmp(b.rule.Limit.Closeness(b.reading)) > 0
}

func (a *assessed) fill(row *Row) {
	r := a.rule
	limit := r.Limit.Line().Float()
	row.read(a.reading)
	row.Policy, row.Limit, row.LimitName = &r.Policy, &limit, r.Limit.Name
	row.Rate, row.Window, row.Definition = r.Formula.Rate, r.Window.Name, r.Definition
	row.Verdict, row.Certain, row.Headroom = &a.judgement.Verdict, &a.judgement.Certain, &a.judgement.Headroom
	row.closeness = r.Limit.Closeness(a.reading)
}

func (row *Row) read(r windows.Reading) {
	f := r.Figures()
	row.From, row.To = f.From, f.To
	row.Numerator, row.Denominator, row.Exposure = f.Numerator, f.Denominator, f.Exposure
	row.Ratio, row.Judged, row.Lower, row.Upper = f.Ratio, f.Judged, f.Lower, f.Upper
}

// Reading is the reading that the row was made of.
func (row *Row) Reading() windows.Reading {
	return windows.Reading{
		From: row.From, To: row.To, Numerator: row.Numerator, Denominator: row.Denominator, Exposure: row.Exposure,
	}
}

// rank: rows that were held against a limit come first, then those that had no data, then those without a limit.
func (row *Row) rank() int {
	switch {
	case row.Limit == nil:
		return 2
	case row.Judged == nil:
		return 1
	}
	return 0
}

// CompareWorst orders rows that Rows returned (not ones read from JSON) worst first: by judged ÷ limit, exactly. Rows without
// data come after those, rows without a limit last. Equal ones go by subject, rate, window and policy, so that the order is
// total.
func CompareWorst(a, b *Row) int {
	if c := cmp.Compare(a.rank(), b.rank()); c != 0 {
		return c
	}
	if a.rank() == 0 {
		if c := b.closeness.Cmp(a.closeness); c != 0 {
			return c
		}
	}
	return cmp.Or(
		strings.Compare(a.SubjectKey, b.SubjectKey), cmp.Compare(a.Rate, b.Rate), strings.Compare(a.Window, b.Window),
		strings.Compare(text(a.Policy), text(b.Policy)),
	)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
