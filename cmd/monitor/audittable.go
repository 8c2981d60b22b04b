package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit"
	"sendwatch/internal/policy"
)

// printAudit prints a report for people: the verdict first, then what it rests on.
func printAudit(w io.Writer, r *audit.Report, top int) error {
	p := auditPrinter{w: w, r: r, top: max(1, top)}
	episodes := episodesOf(r.Alerts)
	p.verdict(episodes)
	p.events()
	p.alerts(episodes)
	p.worst()
	p.rates()
	return p.err
}

type auditPrinter struct {
	w   io.Writer
	r   *audit.Report
	top int
	err error
}

func (p *auditPrinter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *auditPrinter) table(title string, t *table, all int) {
	if len(t.rows) == 0 {
		return
	}
	p.line("\n%s", title)
	if p.err == nil {
		p.err = t.print(p.w)
	}
	if more := all - len(t.rows); more > 0 {
		p.line("and %s more; --top shows more of them, -o json all", thousands(int64(more)))
	}
}

// episode is one alert from when it fired to its last record.
type episode struct {
	fired *alerts.Record
	last  *alerts.Record
}

func (e *episode) open() bool { return e.last.Status == alerts.Firing }

// episodesOf puts records together, in the order in which the alerts fired.
func episodesOf(records []alerts.Record) []episode {
	var all []episode
	byID := map[string]int{}
	for i := range records {
		r := &records[i]
		at, ok := byID[r.ID]
		if !ok {
			at = len(all)
			byID[r.ID] = at
			all = append(all, episode{fired: r})
		}
		all[at].last = r
	}
	return all
}

// verdict says in a few lines what a reader wants to know: were limits broken, by whom, when, by how much and why.
func (p *auditPrinter) verdict(episodes []episode) {
	switch {
	case p.r.To.IsZero():
		p.line("NO EVENTS: there is nothing to judge.")
		return
	case len(episodes) == 0 && p.r.InBreach == 0:
		p.line("GOOD: no limit was broken by any of %s.", count(p.r.Subjects, "subject"))
		return
	}
	critical := 0
	for _, e := range episodes {
		if e.last.Severity == alerts.Critical {
			critical++
		}
	}
	incidents := incidentsOf(episodes)
	p.line("LIMITS BROKEN: %s in %s, %d of them critical; %s in breach at the end.", count(len(episodes), "alert"),
		count(len(incidents), "incident"), critical, count(p.r.InBreach, "rate"))
	for i, in := range incidents {
		if i == min(p.top, 5) {
			p.line("  ... and %s", count(len(incidents)-i, "more incident"))
			break
		}
		gravest := in[0]
		p.line("\n  %s %s, %s", strings.ToUpper(gravest.last.Severity.String()), during(gravest), plus(len(in)-1, "more alert", "of the same incident"))
		p.line("  %s", gravest.fired.Annotations.Get("summary"))
		p.line("  When it fired: %s", gravest.fired.Annotations.Get("description"))
	}
}

func plus(n int, what, of string) string {
	if n == 0 {
		return "alone"
	}
	return "with " + count(n, what) + " " + of
}

func during(e episode) string {
	if e.open() {
		return "since " + moment(e.fired.StartsAt)
	}
	return "from " + moment(e.fired.StartsAt) + " to " + moment(*e.last.EndsAt)
}

// incidentsOf puts the alerts of each incident together, the gravest first: by severity, then by how far the peak is above the
// limit. Incidents come in the same order by their gravest alerts.
func incidentsOf(episodes []episode) [][]episode {
	by := map[string][]episode{}
	for _, e := range episodes {
		by[e.fired.Incident] = append(by[e.fired.Incident], e)
	}
	graver := func(a, b episode) int {
		return cmp.Or(-cmp.Compare(a.last.Severity, b.last.Severity), -cmp.Compare(excess(a), excess(b)), cmp.Compare(a.fired.ID, b.fired.ID))
	}
	var all [][]episode
	for _, in := range by {
		slices.SortFunc(in, graver)
		all = append(all, in)
	}
	slices.SortFunc(all, func(a, b []episode) int { return graver(a[0], b[0]) })
	return all
}

// excess is how many times the limit the peak is; for order only.
func excess(e episode) float64 {
	if e.last.Peak.Judged == nil {
		return 0
	}
	if e.last.Limit == 0 {
		return 1e9
	}
	return *e.last.Peak.Judged / e.last.Limit
}

func (p *auditPrinter) events() {
	t := p.r.Events
	p.line("\n%s events read: %s counted, %s repeats, %s ignored, %s rejected", thousands(t.Read), thousands(t.Counted),
		thousands(t.Duplicate), thousands(t.Ignored), thousands(t.Read-t.Counted-t.Duplicate-t.Ignored-t.Late))
	if !p.r.To.IsZero() {
		p.line("from %s to %s, %s", moment(p.r.From), moment(p.r.To), count(p.r.Subjects, "subject"))
	}
	for _, reason := range slices.Sorted(maps.Keys(t.Rejected)) {
		p.line("  rejected as %s: %s", reason, thousands(t.Rejected[reason]))
	}
	if d := p.r.Disorder; d.Events > 0 {
		p.line("%s events came more than a minute after newer ones (up to %s): they count in their own time, but alerts know of them late.",
			thousands(d.Events), time.Duration(d.Seconds)*time.Second)
	}
}

func (p *auditPrinter) alerts(episodes []episode) {
	t := newTable("FIRED", "RESOLVED", "SEVERITY", "SUBJECT", "RATE", "WINDOW", ">LIMIT", ">AT FIRE", ">PEAK", "POLICY")
	for _, e := range episodes[:min(len(episodes), p.top)] {
		resolved := "open"
		if !e.open() {
			resolved = moment(*e.last.EndsAt)
		}
		t.row(moment(e.fired.StartsAt), resolved, e.last.Severity.String(), e.fired.SubjectKey, e.fired.Rate, e.fired.Window,
			percent(&e.fired.Limit), percent(e.fired.AtFire.Judged), percent(e.last.Peak.Judged), policyName(e.fired.Policy, e.fired.LimitName))
	}
	p.table("ALERTS, in the order in which they fired", t, len(episodes))
}

func policyName(policy, limit string) string {
	if limit == "" {
		return policy
	}
	return policy + " (" + limit + ")"
}

// worst shows the readings that came nearest to a limit, or went furthest beyond it.
func (p *auditPrinter) worst() {
	top := newTopRows(p.top)
	for w := range p.r.Worst() {
		if w.Policy != nil && w.Verdict != nil && *w.Verdict >= policy.Watch {
			top.add(auditRow{w.Row, w.At})
		}
	}
	t := newTable("SUBJECT", "RATE", "WINDOW", "VERDICT", ">WORST", ">LIMIT", ">COUNT", ">EXPOSURE", "WHEN", "POLICY")
	for _, row := range top.rows {
		t.row(row.SubjectKey, row.Rate.String(), row.Window, row.Verdict.String(), percent(row.Judged), percent(row.Limit),
			thousands(row.Numerator), thousands(row.Exposure), moment(row.at), policyName(*row.Policy, row.LimitName))
	}
	p.table("WORST EVER, of the rates that were watched or in breach", t, top.all)
}

func (p *auditPrinter) rates() {
	top := newTopRows(p.top)
	for row := range p.r.Rates() {
		if row.Policy != nil && row.Judged != nil {
			top.add(auditRow{*row, p.r.To})
		}
	}
	t := newTable("SUBJECT", "RATE", "WINDOW", "VERDICT", ">RATE", ">JUDGED", ">LIMIT", ">COUNT", ">OF", ">HEADROOM", "POLICY")
	for _, row := range top.rows {
		t.row(row.SubjectKey, row.Rate.String(), row.Window, row.Verdict.String(), percent(row.Ratio), percent(row.Judged), percent(row.Limit),
			thousands(row.Numerator), thousands(row.Denominator), thousands(*row.Headroom), policyName(*row.Policy, row.LimitName))
	}
	p.table("RATES AT THE END, those nearest to their limits first", t, top.all)
}

// auditRow is a row with the time that it is for.
type auditRow struct {
	policy.Row
	at time.Time
}

// topRows keeps the gravest rows of many: by verdict, then by nearness to the limit.
type topRows struct {
	n    int
	all  int
	rows []auditRow
}

func newTopRows(n int) *topRows { return &topRows{n: n} }

func (t *topRows) add(row auditRow) {
	t.all++
	i, _ := slices.BinarySearchFunc(t.rows, row, compareRows)
	if i >= t.n {
		return
	}
	if len(t.rows) == t.n {
		t.rows = t.rows[:t.n-1]
	}
	t.rows = slices.Insert(t.rows, i, row)
}

func compareRows(a, b auditRow) int {
	near := func(r *auditRow) float64 {
		switch {
		case r.Judged == nil:
			return 0
		case *r.Limit == 0:
			return *r.Judged * 1e9
		}
		return *r.Judged / *r.Limit
	}
	return cmp.Or(-cmp.Compare(*a.Verdict, *b.Verdict), -cmp.Compare(near(&a), near(&b)), cmp.Compare(a.SubjectKey, b.SubjectKey),
		cmp.Compare(a.Rate, b.Rate), cmp.Compare(a.Window, b.Window))
}

// count writes a number with its noun: "1 alert", "12 alerts".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(int64(n)) + " " + noun
}
