package web

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Alert is a record as tables show it.
type Alert struct {
	alerts.Record
	Meter  *Meter
	Causes string
	URL    string // of its subject, "" when it has no page
	Age    time.Duration
	Times  float64 // judged ÷ limit
	Now    *Figure // the reading of this moment, where it was looked up
}

// Below tells that the limit holds again, so that the alert waits to resolve.
func (a Alert) Below() bool {
	return a.Status == alerts.Firing && a.Now != nil && a.Now.Row.Verdict != nil && *a.Now.Row.Verdict != policy.Breach
}

// Fell tells that the present reading is below the peak.
func (a Alert) Fell() bool {
	return a.Now != nil && a.Now.Row.Judged != nil && a.Peak.Judged != nil && *a.Now.Row.Judged < *a.Peak.Judged
}

func alertOf(r alerts.Record, now time.Time) Alert {
	a := Alert{Record: r, URL: subjectURL(r.SubjectKey), Age: now.Sub(r.StartsAt)}
	if r.EndsAt != nil {
		a.Age = r.EndsAt.Sub(r.StartsAt)
	}
	class := r.Severity.String()
	if r.Status == alerts.Closed {
		class = "" // a resolved one can be above its limit: with too little volume to be judged
	}
	a.Meter = meterOf(r.Observed.Judged, r.Observed.Lower, r.Observed.Upper, &r.Limit, class)
	if r.Observed.Judged != nil && r.Limit > 0 {
		a.Times = *r.Observed.Judged / r.Limit
	}
	a.Causes = causes(r.Causes)
	return a
}

// causes names the parts that carry most of a breach, one a dimension.
func causes(all []alerts.Cause) string {
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b alerts.Cause) int { return cmp.Compare(b.Share, a.Share) })
	var texts []string
	had := map[string]bool{}
	for _, c := range sorted {
		if had[c.Dimension] || c.Share < 0.4 {
			continue
		}
		had[c.Dimension] = true
		dimension := c.Dimension
		if dimension == "bounce_class" {
			dimension = "class"
		}
		if texts = append(texts, dimension+" "+c.Value+" "+wholePercent(c.Share)); len(texts) == 3 {
			break
		}
	}
	return strings.Join(texts, ", ")
}

// wholePercent never says 100 % of what is not all.
func wholePercent(x float64) string {
	if x > 0.995 && x < 1 {
		return "> 99 %"
	}
	return limitOf(float64(int(x*100+0.5)) / 100)
}

// Incident is the open (or all) alerts that belong together.
type Incident struct {
	ID       string
	Lead     Alert // the one that says most
	Alerts   []Alert
	Severity alerts.Severity
	Open     int
	Since    time.Time
	Age      time.Duration
	Rates    string
}

// incidents groups alerts, the gravest incident first.
func incidents(records []alerts.Record, now time.Time) []Incident {
	byID := map[string]*Incident{}
	var order []string
	for _, r := range records {
		in := byID[r.Incident]
		if in == nil {
			in = &Incident{ID: r.Incident, Since: r.StartsAt}
			byID[r.Incident] = in
			order = append(order, r.Incident)
		}
		in.Alerts = append(in.Alerts, alertOf(r, now))
		if r.StartsAt.Before(in.Since) {
			in.Since = r.StartsAt
		}
		if r.Status == alerts.Firing {
			in.Open++
			in.Severity = max(in.Severity, r.Severity)
		}
	}
	out := make([]Incident, 0, len(order))
	for _, id := range order {
		in := byID[id]
		slices.SortStableFunc(in.Alerts, moreTelling)
		in.Lead, in.Age = in.Alerts[0], now.Sub(in.Since)
		out = append(out, *in)
	}
	slices.SortStableFunc(out, func(a, b Incident) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(min(b.Open, 1), min(a.Open, 1)), b.Since.Compare(a.Since))
	})
	return out
}

// moreTelling puts the alert first that a person should read first: open, grave, on the widest subject, on the shortest window
// above an hour, far over its limit.
func moreTelling(a, b Alert) int {
	return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(b.Severity, a.Severity), cmp.Compare(len(a.Subject), len(b.Subject)),
		cmp.Compare(b.Times, a.Times))
}

// Reading is one reading of an alert beside the limit.
type Reading struct {
	windows.Figures
	Limit float64
	Meter *Meter
}

func readingOf(f windows.Figures, limit float64) Reading {
	class := "ok"
	if f.Judged != nil && *f.Judged >= limit {
		class = "breach"
	}
	return Reading{Figures: f, Limit: limit, Meter: meterOf(f.Judged, f.Lower, f.Upper, &limit, class)}
}

// readNow looks up the present reading of an alert; it stays as it was told when there is none (any longer).
func (p *Pages) readNow(ctx context.Context, a *Alert) error {
	rate, known := windows.ParseRate(a.Rate)
	if a.URL == "" || !known || a.Status != alerts.Firing {
		return nil
	}
	rates, err := p.source.SubjectRates(ctx, a.SubjectKey, time.Time{}, policy.Filter{Window: a.Window, Rate: &rate})
	if err != nil {
		if notCounted(err) { // the configuration has changed
			return nil
		}
		return err
	}
	for _, row := range rates.Rates {
		if row.Policy != nil && *row.Policy == a.Policy && row.LimitName == a.LimitName {
			a.Now = &Figure{Row: row, Meter: meterOf(row.Judged, row.Lower, row.Upper, row.Limit, a.Meter.Class)}
		}
	}
	if a.Below() {
		a.Now.Meter.Class = a.Now.Row.Verdict.String()
	}
	return nil
}

func figuresOf(r policy.Row) windows.Figures {
	return windows.Figures{Numerator: r.Numerator, Denominator: r.Denominator, Exposure: r.Exposure, Ratio: r.Ratio, Judged: r.Judged,
		Lower: r.Lower, Upper: r.Upper, From: r.From, To: r.To}
}
