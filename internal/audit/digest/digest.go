// Package digest picks what people want to know of an audit's report, gravest first, for whoever shows it: as text or as a page. It
// decides nothing that the report has not decided.
package digest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit"
	"sendwatch/internal/policy"
)

// Outcome is what an audit came to.
type Outcome uint8

// The outcomes.
const (
	NoEvents Outcome = iota // nothing to judge
	Good                    // no limit was broken
	Broken                  // a limit was broken, or is at the end
)

// Digest is what a report comes to.
type Digest struct {
	Report    *audit.Report
	Outcome   Outcome
	Alerts    []Episode  // in the order in which they fired
	Critical  int        // of them
	Incidents []Incident // gravest first
	Worst     Rows       // that ever were, of the rates that were watched or in breach
	Rates     Rows       // at the end
}

// Of returns the digest of a report, with so many rows of each table; 0 leaves the tables out.
func Of(r *audit.Report, rows int) *Digest {
	d := &Digest{Report: r, Alerts: Episodes(r.Alerts), Outcome: Broken, Worst: Rows{n: rows}, Rates: Rows{n: rows}}
	d.Incidents, d.Critical = IncidentsOf(d.Alerts), CriticalOf(d.Alerts)
	switch {
	case r.To.IsZero():
		d.Outcome = NoEvents
	case !r.Breached():
		d.Outcome = Good
	}
	if rows == 0 {
		return d
	}
	for w := range r.Worst() {
		if w.Policy != nil && w.Verdict != nil && *w.Verdict >= policy.Watch {
			d.Worst.add(Row{w.Row, w.At})
		}
	}
	for row := range r.Rates() {
		if row.Policy != nil && row.Judged != nil {
			d.Rates.add(Row{*row, r.To})
		}
	}
	return d
}

// Headline says the outcome in one line: were limits broken, how many and how badly.
func (d *Digest) Headline() string {
	return [...]string{"NO EVENTS", "GOOD", "LIMITS BROKEN"}[d.Outcome] + ": " + d.Findings()
}

// Findings say what the outcome rests on.
func (d *Digest) Findings() string {
	switch d.Outcome {
	case NoEvents:
		return "there is nothing to judge."
	case Good:
		return fmt.Sprintf("no limit was broken by any of %s.", Count(d.Report.Subjects, "subject"))
	}
	return fmt.Sprintf("%s in %s, %s of them critical; %s in breach at the end.", Count(len(d.Alerts), "alert"),
		Count(len(d.Incidents), "incident"), Thousands(int64(d.Critical)), Count(d.Report.InBreach, "rate"))
}

// Read says what became of the events in one line.
func (d *Digest) Read() string {
	t := d.Report.Events
	return fmt.Sprintf("%s events read: %s counted, %s repeats, %s ignored, %s rejected", Thousands(t.Read), Thousands(t.Counted),
		Thousands(t.Duplicate), Thousands(t.Ignored), Thousands(t.Read-t.Counted-t.Duplicate-t.Ignored-t.Late))
}

// Reason is how many records were rejected for one reason.
type Reason struct {
	Name  string
	Count int64
}

// Rejected are the reasons, by name.
func (d *Digest) Rejected() []Reason {
	var all []Reason
	for _, reason := range slices.Sorted(maps.Keys(d.Report.Events.Rejected)) {
		all = append(all, Reason{string(reason), d.Report.Events.Rejected[reason]})
	}
	return all
}

// Disorder says how far events were from being in order; "" when they were in it.
func (d *Digest) Disorder() string {
	o := d.Report.Disorder
	if o.Events == 0 {
		return ""
	}
	return fmt.Sprintf("%s events came more than a minute after newer ones (up to %s): they count in their own time, but alerts know of them late.",
		Thousands(o.Events), time.Duration(o.Seconds)*time.Second)
}

// Episode is one alert, from when it fired to its last record.
type Episode struct{ Fired, Last *alerts.Record }

// Open tells whether the alert is open at the end.
func (e Episode) Open() bool { return e.Last.Status == alerts.Firing }

// During says when it was open.
func (e Episode) During() string {
	if e.Open() {
		return "since " + Moment(e.Fired.StartsAt)
	}
	return "from " + Moment(e.Fired.StartsAt) + " to " + Moment(*e.Last.EndsAt)
}

// Resolved says when it ended, or that it did not.
func (e Episode) Resolved() string {
	if e.Open() {
		return "open"
	}
	return Moment(*e.Last.EndsAt)
}

// Episodes puts records together, in the order in which the alerts fired.
func Episodes(records []alerts.Record) []Episode {
	var all []Episode
	byID := map[string]int{}
	for i := range records {
		r := &records[i]
		at, ok := byID[r.ID]
		if !ok {
			at = len(all)
			byID[r.ID] = at
			all = append(all, Episode{Fired: r})
		}
		all[at].Last = r
	}
	return all
}

// CriticalOf is how many alerts became critical.
func CriticalOf(all []Episode) int {
	n := 0
	for _, e := range all {
		if e.Last.Severity == alerts.Critical {
			n++
		}
	}
	return n
}

// Incident is the alerts of one incident, the gravest first: by severity, then by how many times the limit the peak is.
type Incident []Episode

// Beside says what the incident has beside its gravest alert.
func (in Incident) Beside() string {
	if len(in) == 1 {
		return "alone"
	}
	return "with " + Count(len(in)-1, "more alert") + " of the same incident"
}

// IncidentsOf puts the alerts of each incident together. Incidents come in the order of their gravest alerts.
func IncidentsOf(all []Episode) []Incident {
	by := map[string]Incident{}
	for _, e := range all {
		by[e.Fired.Incident] = append(by[e.Fired.Incident], e)
	}
	graver := func(a, b Episode) int {
		return cmp.Or(-cmp.Compare(a.Last.Severity, b.Last.Severity), -cmp.Compare(a.Excess(), b.Excess()), cmp.Compare(a.Fired.ID, b.Fired.ID))
	}
	var incidents []Incident
	for _, in := range by {
		slices.SortFunc(in, graver)
		incidents = append(incidents, in)
	}
	slices.SortFunc(incidents, func(a, b Incident) int { return graver(a[0], b[0]) })
	return incidents
}

// Excess is how many times the limit the peak is, a billion for a limit of none at all.
func (e Episode) Excess() float64 {
	switch {
	case e.Last.Peak.Judged == nil:
		return 0
	case e.Last.Limit == 0:
		return 1e9
	}
	return *e.Last.Peak.Judged / e.Last.Limit
}

// Row is a row of an answer on rates, with the time that it is for.
type Row struct {
	policy.Row
	At time.Time
}

// Rows are the gravest of many: by verdict, then by nearness to the limit.
type Rows struct {
	All  int // how many there were
	Rows []Row
	n    int
}

func (t *Rows) add(row Row) {
	t.All++
	i, _ := slices.BinarySearchFunc(t.Rows, row, compareRows)
	if i >= t.n {
		return
	}
	if len(t.Rows) == t.n {
		t.Rows = t.Rows[:t.n-1]
	}
	t.Rows = slices.Insert(t.Rows, i, row)
}

func compareRows(a, b Row) int {
	near := func(r *Row) float64 {
		switch {
		case r.Judged == nil:
			return 0
		case *r.Limit == 0:
			return *r.Judged * 1e9
		}
		return *r.Judged / *r.Limit
	}
	return cmp.Or(-cmp.Compare(*a.Verdict, *b.Verdict), -cmp.Compare(near(&a), near(&b)), strings.Compare(a.SubjectKey, b.SubjectKey),
		cmp.Compare(a.Rate, b.Rate), strings.Compare(a.Window, b.Window))
}
