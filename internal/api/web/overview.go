package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/problem"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Overview is the content of the first page.
type Overview struct {
	Figures   []Figure
	Window    string
	Delivered int64
	Incidents []Incident
	Hidden    int // incidents that are not shown
	By        string
	Choices   []Choice
	Worst     []Worst
	More      bool
}

// Choice is one entry of a list to choose from.
type Choice struct {
	Value, Label string
	Selected     bool
}

// Figure is one rate of all mail.
type Figure struct {
	Row   policy.Row
	Meter *Meter
}

// Worst is a subject by the worst of its rows.
type Worst struct {
	Row    policy.Row
	Meter  *Meter
	Others int // further rows of it that are in breach
}

const (
	shownIncidents = 8
	shownWorst     = 12
	shownLive      = 50 // incidents whose present reading is looked up
	overviewWindow = 24 * time.Hour
)

func (p *Pages) overview(w http.ResponseWriter, r *http.Request) error {
	f, open, err := p.frame(r.Context(), "Overview", "overview")
	if err != nil {
		return err
	}
	shape := p.source.Shape()
	content := &Overview{Window: windowNear(shape.Windows, overviewWindow), Incidents: incidents(open, f.Now)}
	if n := len(content.Incidents); n > shownIncidents {
		content.Incidents, content.Hidden = content.Incidents[:shownIncidents], n-shownIncidents
	}
	for i := range content.Incidents {
		if err := p.readNow(r.Context(), &content.Incidents[i].Lead); err != nil {
			return err
		}
	}
	all, err := p.source.SubjectRates(r.Context(), windows.All, time.Time{}, policy.Filter{Window: content.Window})
	switch {
	case err == nil:
		for _, row := range all.Rates {
			content.Figures = append(content.Figures, Figure{Row: row, Meter: meterOfRow(&row)})
			if row.Rate == windows.Complaint {
				content.Delivered = row.Denominator
			}
		}
	case !notCounted(err):
		return err
	}
	var combination windows.Combination
	content.Choices, content.By, combination = combinations(&shape, r.URL.Query().Get("by"))
	if combination != nil {
		if content.Worst, content.More, err = p.worst(r, combination); err != nil {
			return err
		}
	}
	f.Content = content
	return p.show(w, r, http.StatusOK, "overview", f)
}

// worst folds the ranking by subject.
func (p *Pages) worst(r *http.Request, c windows.Combination) (out []Worst, more bool, err error) {
	page, err := p.source.Ranking(r.Context(), answer.RankQuery{Dimensions: c, Limit: 400,
		Verdicts: []policy.Verdict{policy.Breach, policy.Watch, policy.OK}})
	if err != nil {
		return nil, false, err
	}
	at := map[string]int{}
	for _, row := range page.Rates.Rates {
		i, ok := at[row.SubjectKey]
		switch {
		case ok && i >= 0:
			if *row.Verdict == policy.Breach {
				out[i].Others++
			}
		case ok:
		case len(out) < shownWorst:
			at[row.SubjectKey] = len(out)
			out = append(out, Worst{Row: row, Meter: meterOfRow(&row)})
		default:
			at[row.SubjectKey], more = -1, true
		}
	}
	return out, more || page.NextCursor != nil, nil
}

// windowNear is the name of the window whose length is nearest to the one wanted.
func windowNear(all []windows.Window, want time.Duration) string {
	best := all[0]
	for _, w := range all {
		if (w.Length - want).Abs() < (best.Length - want).Abs() {
			best = w
		}
	}
	return best.Name
}

// combinations are those that can be ranked; the one asked for is chosen, else the first of one dimension.
func combinations(shape *answer.Shape, asked string) (choices []Choice, chosen string, c windows.Combination) {
	for _, candidate := range shape.Combinations {
		if len(candidate) == 0 {
			continue
		}
		text := candidate.String()
		if c == nil || text == asked {
			chosen, c = text, candidate
		}
		choices = append(choices, Choice{Value: text, Label: strings.ReplaceAll(text, ",", " + ")})
	}
	for i := range choices {
		choices[i].Selected = choices[i].Value == chosen
	}
	return choices, chosen, c
}

// Rates is the content of the page of all rows.
type Rates struct {
	By                                      string
	Choices, Windows, RateChoices, Verdicts []Choice
	Rows                                    []Figure
	Next                                    string // URL of the next page
	Truncated                               bool
	Later                                   bool // this is not the first page
}

func (p *Pages) rates(w http.ResponseWriter, r *http.Request) error {
	f, _, err := p.frame(r.Context(), "Rates", "rates")
	if err != nil {
		return err
	}
	shape, values := p.source.Shape(), r.URL.Query()
	content := &Rates{Later: values.Get("cursor") != ""}
	var combination windows.Combination
	content.Choices, content.By, combination = combinations(&shape, values.Get("by"))
	if combination == nil {
		return problem.New(http.StatusNotFound, "the configuration counts no subjects but all mail; add combinations of dimensions under subjects")
	}
	q := answer.RankQuery{Dimensions: combination, Limit: 50, Cursor: values.Get("cursor"), Filter: policy.Filter{Window: values.Get("window")}}
	content.Windows = []Choice{{"", "all windows", q.Filter.Window == ""}}
	for _, win := range shape.Windows {
		content.Windows = append(content.Windows, Choice{win.Name, win.Name, q.Filter.Window == win.Name})
	}
	rate, known := windows.ParseRate(values.Get("rate"))
	content.RateChoices = []Choice{{"", "all rates", !known}}
	for i := range windows.NumRates {
		name := windows.Rate(i).String()
		content.RateChoices = append(content.RateChoices, Choice{name, name, known && name == rate.String()})
	}
	if known {
		q.Filter.Rate = &rate
	}
	q.Verdicts, content.Verdicts = verdictChoices(values.Get("verdict"))
	page, err := p.source.Ranking(r.Context(), q)
	if err != nil {
		return err
	}
	for _, row := range page.Rates.Rates {
		content.Rows = append(content.Rows, Figure{Row: row, Meter: meterOfRow(&row)})
	}
	content.Truncated = page.Truncated
	if page.NextCursor != nil {
		values.Set("cursor", *page.NextCursor)
		content.Next = "/rates?" + values.Encode()
	}
	if content.Later {
		f.Refresh = false // a later page is for the time of the first
	}
	f.Content = content
	return p.show(w, r, http.StatusOK, "rates", f)
}

func verdictChoices(asked string) ([]policy.Verdict, []Choice) {
	all := []struct {
		value, label string
		of           []policy.Verdict
	}{
		{"judged", "judged", []policy.Verdict{policy.Breach, policy.Watch, policy.OK}},
		{"breach", "breach", []policy.Verdict{policy.Breach}},
		{"watch", "watch", []policy.Verdict{policy.Watch}},
		{"ok", "ok", []policy.Verdict{policy.OK}},
		{"low_volume", "low volume", []policy.Verdict{policy.LowVolume}},
		{"all", "all, without a limit too", nil},
	}
	i := max(0, slices.IndexFunc(all, func(a struct {
		value, label string
		of           []policy.Verdict
	},
	) bool {
		return a.value == asked
	}))
	var choices []Choice
	for j, a := range all {
		choices = append(choices, Choice{a.value, a.label, i == j})
	}
	return all[i].of, choices
}
