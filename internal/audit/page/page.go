// Package page writes what an audit found as one HTML page to hand on: no script, nothing from elsewhere, everything of others
// escaped. It shows what digest picks and computes nothing but where lines of a drawing lie.
package page

import (
	"crypto/sha256"
	_ "embed" // the template and the style
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit"
	"sendwatch/internal/audit/digest"
	"sendwatch/internal/windows"
)

//go:embed page.html
var source string

//go:embed page.css
var style string

const (
	maxIncidents = 20 // that are told one by one
	maxCharts    = 4  // of an incident
)

// Courses is how many rates the audit has to follow for the page (audit.Options.Courses): 50 MB of them at most.
const Courses = 4000

// Write writes the page, with so many rows of each table. The same report always gives the same bytes.
func Write(w io.Writer, r *audit.Report, rows int) error {
	t, err := template.New("page").Funcs(words()).Parse(source)
	if err != nil {
		return fmt.Errorf("the page's template: %w", err)
	}
	return t.Execute(w, newPage(r, max(1, rows)))
}

// words are what the template writes values with.
func words() template.FuncMap {
	return template.FuncMap{
		"percent": digest.Percent, "share": func(x float64) string { return digest.Percent(&x) }, "thousands": digest.Thousands,
		"moment": digest.Moment, "machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"count": digest.Count, "policy": digest.PolicyName, "counted": counted, "times": times,
		"words":   func(s string) string { return strings.ReplaceAll(s, "_", " ") },
		"width":   func(x float64) float64 { return round(100 * min(1, max(0, x))) },
		"subject": subjectOf, "labels": labelsOf,
	}
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// counted is what a rate counts.
func counted(rate string) string {
	switch rate {
	case windows.Suppressed.String():
		return "deliveries to people who had left"
	case windows.Engaged.String():
		return "deliveries to engaged people"
	}
	return rate + "s"
}

// times is how many times the limit a peak is; "" where there is no telling.
func times(e digest.Episode) string {
	x := e.Excess()
	switch {
	case x <= 0 || e.Fired.Limit == 0:
		return ""
	case x >= 10:
		return digest.Thousands(int64(x))
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}

// page is what the template shows.
type page struct {
	*digest.Digest
	Style     template.CSS
	Policy    string // of the content: nothing but this style
	Title     string
	Lede      string
	Class     string
	Incidents []incident
	More      int // incidents that are not told one by one
	Table     []digest.Episode
	MoreRows  int
}

// incident is one of the page's stories.
type incident struct {
	digest.Incident
	Gravest digest.Episode
	Class   string
	Charts  []chart
	Others  []digest.Episode
	Rest    int // how many others there are
	Causes  []alerts.Cause
}

func newPage(r *audit.Report, rows int) *page {
	hash := sha256.Sum256([]byte(style))
	p := &page{
		Digest: digest.Of(r, rows), Style: template.CSS(style), //nolint:gosec // our own
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'",
	}
	switch p.Outcome {
	case digest.NoEvents:
		p.Title, p.Class = "No events", "calm"
	case digest.Good:
		p.Title, p.Class = "No limit was broken", "ok"
	default:
		p.Title, p.Class = "Limits were broken", "warning"
		if p.Critical > 0 {
			p.Class = "critical"
		}
	}
	p.Lede = sentence(p.Findings())
	for i, in := range p.Digest.Incidents {
		if i == min(rows, maxIncidents) {
			p.More = len(p.Digest.Incidents) - i
			break
		}
		p.Incidents = append(p.Incidents, newIncident(r, in, rows))
	}
	p.Table = p.Alerts[:min(len(p.Alerts), rows)]
	p.MoreRows = len(p.Alerts) - len(p.Table)
	return p
}

func newIncident(r *audit.Report, in digest.Incident, rows int) incident {
	x := incident{Incident: in, Gravest: in[0], Class: in[0].Last.Severity.String(), Causes: causesOf(in[0])}
	x.Others = in[1:min(len(in), 1+rows)]
	x.Rest = len(in) - 1
	// One drawing for each window on which the gravest alert's subject broke this limit.
	drawn := map[[3]string]bool{}
	for _, e := range in {
		f := e.Fired
		key := [3]string{f.Policy, f.LimitName, f.Window}
		if len(x.Charts) == maxCharts || f.SubjectKey != x.Gravest.Fired.SubjectKey || f.Rate != x.Gravest.Fired.Rate || drawn[key] {
			continue
		}
		drawn[key] = true
		if points := r.Course(f); len(points) > 1 {
			same := slices.DeleteFunc(slices.Clone(r.Alerts), func(a alerts.Record) bool {
				return a.SubjectKey != f.SubjectKey || a.Rate != f.Rate || a.Window != f.Window || a.Policy != f.Policy || a.LimitName != f.LimitName
			})
			x.Charts = append(x.Charts, newChart(f, points, digest.Episodes(same)))
		}
	}
	slices.SortStableFunc(x.Charts, func(a, b chart) int { return int(a.length - b.length) })
	return x
}

// causesOf are those of the record with the highest reading that has any: when an alert fires there may be none yet.
func causesOf(e digest.Episode) []alerts.Cause {
	if len(e.Fired.Causes) > 0 {
		return e.Fired.Causes
	}
	return e.Last.Causes
}

// labelled is a subject for people: its dimensions with their values; all mail has none.
type labelled []alerts.Pair

func subjectOf(p alerts.Pairs) labelled { return labelled(p) }

func labelsOf(l windows.Labels) labelled {
	all := make(labelled, len(l))
	for i, x := range l {
		all[i] = alerts.Pair{Name: x.Dimension.String(), Value: x.Value}
	}
	return all
}
