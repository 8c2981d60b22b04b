package main

import (
	"fmt"
	"io"
	"strings"

	"sendwatch/internal/audit"
	"sendwatch/internal/audit/digest"
)

// printAudit prints a report for people: the verdict first, then what it rests on.
func printAudit(w io.Writer, r *audit.Report, top int) error {
	top = max(1, top)
	p := auditPrinter{w: w, top: top}
	d := digest.Of(r, top)
	p.verdict(d)
	p.events(d)
	p.alerts(d.Alerts)
	p.worst(d.Worst)
	p.rates(d.Rates)
	return p.err
}

type auditPrinter struct {
	w   io.Writer
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

// verdict says in a few lines what a reader wants to know: were limits broken, by whom, when, by how much and why.
func (p *auditPrinter) verdict(d *digest.Digest) {
	p.line("%s", d.Headline())
	for i, in := range d.Incidents {
		if i == min(p.top, 5) {
			p.line("  ... and %s", digest.Count(len(d.Incidents)-i, "more incident"))
			break
		}
		gravest := in[0]
		p.line("\n  %s %s, %s", strings.ToUpper(gravest.Last.Severity.String()), gravest.During(), in.Beside())
		p.line("  %s", gravest.Fired.Annotations.Get("summary"))
		p.line("  When it fired: %s", gravest.Fired.Annotations.Get("description"))
	}
}

// events tells what was read. Of nothing there is only the outcome to tell.
func (p *auditPrinter) events(d *digest.Digest) {
	p.line("\n%s", d.Read())
	if d.Outcome != digest.NoEvents {
		p.line("from %s to %s, %s", moment(d.Report.From), moment(d.Report.To), digest.Count(d.Report.Subjects, "subject"))
	}
	for _, reason := range d.Rejected() {
		p.line("  rejected as %s: %s", reason.Name, thousands(reason.Count))
	}
	if text := d.Disorder(); text != "" {
		p.line("%s", text)
	}
}

func (p *auditPrinter) alerts(episodes []digest.Episode) {
	t := newTable("FIRED", "RESOLVED", "SEVERITY", "SUBJECT", "RATE", "WINDOW", ">LIMIT", ">AT FIRE", ">PEAK", "POLICY")
	for _, e := range episodes[:min(len(episodes), p.top)] {
		t.row(moment(e.Fired.StartsAt), e.Resolved(), e.Last.Severity.String(), e.Fired.SubjectKey, e.Fired.Rate, e.Fired.Window,
			percent(&e.Fired.Limit), percent(e.Fired.AtFire.Judged), percent(e.Last.Peak.Judged), digest.PolicyName(e.Fired.Policy, e.Fired.LimitName))
	}
	p.table("ALERTS, in the order in which they fired", t, len(episodes))
}

// worst shows the readings that came nearest to a limit, or went furthest beyond it.
func (p *auditPrinter) worst(top digest.Rows) {
	t := newTable("SUBJECT", "RATE", "WINDOW", "VERDICT", ">WORST", ">LIMIT", ">COUNT", ">EXPOSURE", "WHEN", "POLICY")
	for _, row := range top.Rows {
		t.row(row.SubjectKey, row.Rate.String(), row.Window, row.Verdict.String(), percent(row.Judged), percent(row.Limit),
			thousands(row.Numerator), thousands(row.Exposure), moment(row.At), digest.PolicyName(*row.Policy, row.LimitName))
	}
	p.table("WORST EVER, of the rates that were watched or in breach", t, top.All)
}

func (p *auditPrinter) rates(top digest.Rows) {
	t := newTable("SUBJECT", "RATE", "WINDOW", "VERDICT", ">RATE", ">JUDGED", ">LIMIT", ">COUNT", ">OF", ">HEADROOM", "POLICY")
	for _, row := range top.Rows {
		t.row(row.SubjectKey, row.Rate.String(), row.Window, row.Verdict.String(), percent(row.Ratio), percent(row.Judged), percent(row.Limit),
			thousands(row.Numerator), thousands(row.Denominator), thousands(*row.Headroom), digest.PolicyName(*row.Policy, row.LimitName))
	}
	p.table("RATES AT THE END, those nearest to their limits first", t, top.All)
}
