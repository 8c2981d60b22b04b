package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/alerts"
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

// Subject is the content of a subject's page.
type Subject struct {
	Key     string
	Labels  windows.Labels
	Windows []string
	Rates   []SubjectRate
	Hours   []Strip
	Days    []Strip
	Parts   []string // subjects of one dimension less
	Alerts  []Alert
	More    bool
	Tenant  string // whose recipients can be shown
}

// SubjectRate is one rate with its readings on each window.
type SubjectRate struct {
	Rate  windows.Rate
	Cells [][]Figure // by window; one figure per policy
}

func (p *Pages) subject(w http.ResponseWriter, r *http.Request) error {
	f, _, err := p.frame(r.Context(), "Subject", "rates")
	if err != nil {
		return err
	}
	rates, err := p.source.SubjectRates(r.Context(), r.URL.Query().Get("subject"), time.Time{}, policy.Filter{})
	if err != nil {
		return err
	}
	shape := p.source.Shape()
	content := &Subject{Key: rates.Rates[0].SubjectKey, Labels: rates.Rates[0].Subject}
	f.Title = content.Key
	for _, win := range shape.Windows {
		content.Windows = append(content.Windows, win.Name)
	}
	content.Rates = matrix(rates.Rates, content.Windows)
	if content.Hours, err = p.history(r, content.Key, hours(f.AsOf, 72), windows.Hour); err != nil {
		return err
	}
	if content.Days, err = p.history(r, content.Key, days(f.AsOf, 30), windows.Day); err != nil {
		return err
	}
	page, err := p.source.Alerts(r.Context(), answer.AlertQuery{Subject: content.Key, Limit: 25})
	if err != nil {
		return err
	}
	for _, rec := range page.Alerts {
		content.Alerts = append(content.Alerts, alertOf(rec, f.Now))
	}
	content.More = page.NextCursor != nil
	if f.Recipient {
		content.Tenant = content.Labels.Get(windows.Tenant)
	}
	content.Parts = parts(&shape, content.Labels)
	f.Content = content
	return p.show(w, r, http.StatusOK, "subject", f)
}

// matrix puts rows into a table of rates by windows.
func matrix(rows []policy.Row, names []string) []SubjectRate {
	var out []SubjectRate
	for _, row := range rows {
		i := slices.IndexFunc(out, func(s SubjectRate) bool { return s.Rate == row.Rate })
		if i < 0 {
			i = len(out)
			out = append(out, SubjectRate{Rate: row.Rate, Cells: make([][]Figure, len(names))})
		}
		if j := slices.Index(names, row.Window); j >= 0 {
			out[i].Cells[j] = append(out[i].Cells[j], Figure{Row: row, Meter: meterOfRow(&row)})
		}
	}
	return out
}

func (p *Pages) history(r *http.Request, key string, a axis, step windows.Step) ([]Strip, error) {
	counts, err := p.source.SubjectCounts(r.Context(), answer.CountQuery{Subject: key, From: a.from, To: a.from.Add(time.Duration(a.n) * a.step), Step: step})
	if err != nil {
		return nil, err
	}
	return a.strips(counts.Buckets, responses()), nil
}

// parts are the subjects that this one is part of: it with one dimension less, where that is counted.
func parts(shape *answer.Shape, labels windows.Labels) []string {
	var keys []string
	for i := range labels {
		var dimensions []windows.Dimension
		for j, l := range labels {
			if j != i {
				dimensions = append(dimensions, l.Dimension)
			}
		}
		c, ok := shape.Combination(dimensions)
		if !ok {
			continue
		}
		values := make([]string, len(c))
		for j, d := range c {
			values[j] = labels.Get(d)
		}
		keys = append(keys, string(c.AppendSubject(nil, values...)))
	}
	return keys
}

// AlertList is the content of the page of alerts.
type AlertList struct {
	Status    string
	Incidents []Incident
	Next      string
	Later     bool
}

func (p *Pages) alerts(w http.ResponseWriter, r *http.Request) error {
	f, open, err := p.frame(r.Context(), "Alerts", "alerts")
	if err != nil {
		return err
	}
	values := r.URL.Query()
	content := &AlertList{Status: values.Get("status"), Later: values.Get("cursor") != ""}
	records := open
	switch content.Status {
	case "resolved", "all":
		q := answer.AlertQuery{Limit: 100, Cursor: values.Get("cursor")}
		if content.Status == "resolved" {
			q.State = new(alerts.Closed)
		}
		page, err := p.source.Alerts(r.Context(), q)
		if err != nil {
			return err
		}
		records = page.Alerts
		if page.NextCursor != nil {
			values.Set("cursor", *page.NextCursor)
			content.Next = "/alerts?" + values.Encode()
		}
	default:
		content.Status = "firing"
	}
	content.Incidents = incidents(records, f.Now)
	for i := range content.Incidents[:min(len(content.Incidents), shownLive)] {
		if err := p.readNow(r.Context(), &content.Incidents[i].Lead); err != nil {
			return err
		}
	}
	f.Refresh = !content.Later
	f.Content = content
	return p.show(w, r, http.StatusOK, "alerts", f)
}

// AlertPage is the content of one alert's page.
type AlertPage struct {
	Alert   Alert
	History []Alert // newest first
	Others  int     // alerts of the same incident that are open
}

func (p *Pages) alert(w http.ResponseWriter, r *http.Request) error {
	f, open, err := p.frame(r.Context(), "Alert", "alerts")
	if err != nil {
		return err
	}
	episode, err := p.source.Alert(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	content := &AlertPage{Alert: alertOf(episode.Record, f.Now)}
	if err := p.readNow(r.Context(), &content.Alert); err != nil {
		return err
	}
	for _, rec := range slices.Backward(episode.History) {
		content.History = append(content.History, alertOf(rec, f.Now))
	}
	for _, rec := range open {
		if rec.Incident == episode.Incident && rec.ID != episode.ID {
			content.Others++
		}
	}
	f.Title = "Alert on " + episode.SubjectKey
	f.Content = content
	return p.show(w, r, http.StatusOK, "alert", f)
}

// Status is the content of the page on the service.
type Status struct {
	answer.Status
	Behind  int64 // records in all
	Outcome []Part
	Reasons []Part
}

// Part is a part of a whole.
type Part struct {
	Name  string
	N     int64
	Share float64 // of the whole, in per cent
}

func (p *Pages) status(w http.ResponseWriter, r *http.Request) error {
	status, err := p.source.Status(r.Context())
	if err != nil {
		return err
	}
	f := p.bare("Status", "status")
	f.Refresh = true
	if status.AsOf != nil {
		if f, _, err = p.frame(r.Context(), "Status", "status"); err != nil {
			return err
		}
	}
	content := &Status{Status: *status}
	for _, partition := range status.Partitions {
		content.Behind += partition.Lag
	}
	if e := status.Events; e != nil {
		rejected := e.Read - e.Counted - e.Duplicate - e.Late - e.Ignored
		for _, o := range []Part{{"counted", e.Counted, 0}, {"duplicate", e.Duplicate, 0}, {"late", e.Late, 0}, {"ignored", e.Ignored, 0}, {"rejected", rejected, 0}} {
			content.Outcome = append(content.Outcome, o.of(e.Read))
		}
		for reason, n := range e.Rejected {
			content.Reasons = append(content.Reasons, Part{reason, n, 0}.of(rejected))
		}
		slices.SortFunc(content.Reasons, func(a, b Part) int { return strings.Compare(a.Name, b.Name) })
		slices.SortStableFunc(content.Reasons, func(a, b Part) int { return int(min(1, max(-1, b.N-a.N))) })
	}
	f.Content = content
	return p.show(w, r, http.StatusOK, "status", f)
}

// text writes the share; what is little is not written as none, what is not all not as all.
func (p Part) text() string {
	switch {
	case p.N > 0 && p.Share < 0.01:
		return "< 0.01 %"
	case p.Share > 99.99 && p.Share < 100:
		return "> 99.99 %"
	}
	return share(p.Share / 100)
}

func (p Part) of(whole int64) Part {
	if whole > 0 {
		p.Share = float64(p.N) / float64(whole) * 100
	}
	return p
}

// Method is the content of the page that says how rates are computed.
type Method struct {
	Rows     []policy.Row
	Policies []string
}

func (p *Pages) method(w http.ResponseWriter, r *http.Request) error {
	f, _, err := p.frame(r.Context(), "How rates are computed", "method")
	if err != nil {
		return err
	}
	shape := p.source.Shape()
	content := &Method{Policies: shape.Policies}
	rates, err := p.source.SubjectRates(r.Context(), windows.All, time.Time{}, policy.Filter{})
	switch {
	case err == nil:
		content.Rows = rates.Rates
	case !notCounted(err):
		return err
	}
	f.Refresh = false
	f.Content = content
	return p.show(w, r, http.StatusOK, "method", f)
}
