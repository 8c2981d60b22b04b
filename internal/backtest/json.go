package backtest

import (
	"encoding/json"
	"io"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit"
	"sendwatch/internal/audit/digest"
	"sendwatch/internal/windows"
)

// Side names one side of a comparison, with what it found.
type Side struct {
	Name     string // as it was asked for
	Policies []string
	Report   *audit.Report
}

// WriteJSON writes two sides and what they have in common as one JSON object. Alerts of the comparison are told in short; their
// ids lead to the records.
func WriteJSON(to io.Writer, a, b Side, c Comparison) error {
	out := struct {
		Events struct {
			Read      int64            `json:"read"`
			Counted   int64            `json:"counted"`
			Duplicate int64            `json:"duplicate"`
			Late      int64            `json:"late"`
			Ignored   int64            `json:"ignored"`
			Rejected  map[string]int64 `json:"rejected"`
		} `json:"events"`
		From  *time.Time  `json:"from"`
		To    *time.Time  `json:"to"`
		A     sideJSON    `json:"a"`
		B     sideJSON    `json:"b"`
		OnlyA []alertJSON `json:"only_a"`
		OnlyB []alertJSON `json:"only_b"`
		Both  []bothJSON  `json:"both"`
	}{A: sideOf(a), B: sideOf(b), OnlyA: short(c.OnlyA), OnlyB: short(c.OnlyB), Both: []bothJSON{}}
	t, e := a.Report.Events, &out.Events // the same on both sides
	e.Read, e.Counted, e.Duplicate, e.Late, e.Ignored, e.Rejected = t.Read, t.Counted, t.Duplicate, t.Late, t.Ignored, map[string]int64{}
	for reason, n := range t.Rejected {
		e.Rejected[string(reason)] = n
	}
	if !a.Report.To.IsZero() {
		out.From, out.To = &a.Report.From, &a.Report.To
	}
	for _, both := range c.Both {
		out.Both = append(out.Both, bothJSON{short(both.A), short(both.B)})
	}
	enc := json.NewEncoder(to)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

type sideJSON struct {
	Name     string            `json:"name"`
	Policies []string          `json:"policies"`
	InBreach int               `json:"in_breach"` // rates at the end
	Alerts   []json.RawMessage `json:"alerts"`
}

func sideOf(s Side) sideJSON {
	out := sideJSON{Name: s.Name, Policies: s.Policies, InBreach: s.Report.InBreach, Alerts: []json.RawMessage{}}
	for i := range s.Report.Alerts {
		out.Alerts = append(out.Alerts, s.Report.Alerts[i].Encode())
	}
	return out
}

type bothJSON struct {
	A []alertJSON `json:"a"`
	B []alertJSON `json:"b"`
}

type alertJSON struct {
	ID         string          `json:"id"`
	Policy     string          `json:"policy"`
	LimitName  string          `json:"limit_name,omitempty"`
	Rate       string          `json:"rate"`
	Window     string          `json:"window"`
	Limit      float64         `json:"limit"`
	SubjectKey string          `json:"subject_key"`
	Severity   alerts.Severity `json:"severity"`
	StartsAt   time.Time       `json:"starts_at"`
	EndsAt     *time.Time      `json:"ends_at"` // null while open
	AtFire     windows.Figures `json:"at_fire"`
	Peak       windows.Figures `json:"peak"`
}

func short(episodes []digest.Episode) []alertJSON {
	out := []alertJSON{}
	for _, e := range episodes {
		f, l := e.Fired, e.Last
		out = append(out, alertJSON{
			ID: f.ID, Policy: f.Policy, LimitName: f.LimitName, Rate: f.Rate, Window: f.Window, Limit: f.Limit, SubjectKey: f.SubjectKey,
			Severity: l.Severity, StartsAt: f.StartsAt, EndsAt: l.EndsAt, AtFire: f.AtFire, Peak: l.Peak,
		})
	}
	return out
}
