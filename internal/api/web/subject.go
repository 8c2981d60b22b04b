package web

import (
	"net/http"
	"slices"
	"time"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

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
