package main

import (
	"io"
	"strings"
	"time"

	"sendwatch/internal/audit/digest"
	"sendwatch/internal/backtest"
)

// printComparison prints two sides for people: what each would have alerted, then where they differ, then where they agree.
func printComparison(w io.Writer, sides []backtest.Side, c backtest.Comparison, top int) error {
	p := auditPrinter{w: w, top: max(1, top)}
	for i, s := range sides {
		p.line("%s  %s", [...]string{"A", "B"}[i], sideLine(s))
	}
	inBoth := [2]int{}
	for _, both := range c.Both {
		inBoth[0] += len(both.A)
		inBoth[1] += len(both.B)
	}
	p.line("\nOnly A alerts: %s. Only B alerts: %s. Both alert: %s of A, %s of B.", digest.Count(len(c.OnlyA), "time"), digest.Count(len(c.OnlyB), "time"),
		thousands(int64(inBoth[0])), thousands(int64(inBoth[1])))
	p.events(digest.Of(sides[0].Report, 0))
	p.episodes("ONLY A, in the order in which they fired", c.OnlyA)
	p.episodes("ONLY B, in the order in which they fired", c.OnlyB)
	p.both(c.Both)
	return p.err
}

func sideLine(s backtest.Side) string {
	episodes := digest.Episodes(s.Report.Alerts)
	name := s.Name
	if list := strings.Join(s.Policies, ", "); list != name {
		name += " (" + list + ")"
	}
	return name + ": " + digest.Count(len(episodes), "alert") + " in " + digest.Count(len(digest.IncidentsOf(episodes)), "incident") + ", " +
		thousands(int64(digest.CriticalOf(episodes))) + " of them critical; " + digest.Count(s.Report.InBreach, "rate") + " in breach at the end"
}

func (p *auditPrinter) episodes(title string, list []digest.Episode) {
	t := newTable("FIRED", "RESOLVED", "SEVERITY", "SUBJECT", "RATE", "WINDOW", ">LIMIT", ">AT FIRE", ">PEAK", "POLICY")
	for _, e := range list[:min(len(list), p.top)] {
		t.row(moment(e.Fired.StartsAt), e.Resolved(), e.Last.Severity.String(), e.Fired.SubjectKey, e.Fired.Rate, e.Fired.Window,
			percent(&e.Fired.Limit), percent(e.Fired.AtFire.Judged), percent(e.Last.Peak.Judged), digest.PolicyName(e.Fired.Policy, e.Fired.LimitName))
	}
	p.table(title, t, len(list))
}

// both shows alerts that both sides have, and how much sooner or later B has them.
func (p *auditPrinter) both(list []backtest.Both) {
	t := newTable("SUBJECT", "RATE", "WINDOW", "A FIRED", "A RESOLVED", "B FIRED", "B RESOLVED", "B AFTER A")
	for _, both := range list[:min(len(list), p.top)] {
		a, b := both.A[0], both.B[0]
		t.row(a.Fired.SubjectKey, a.Fired.Rate, a.Fired.Window, moment(a.Fired.StartsAt), lastOf(both.A), moment(b.Fired.StartsAt), lastOf(both.B),
			after(b.Fired.StartsAt.Sub(a.Fired.StartsAt)))
	}
	p.table("BOTH, in the order in which they fired", t, len(list))
}

// lastOf is when the last of a side's alerts resolved, and how many there were when it was not one.
func lastOf(list []digest.Episode) string {
	text := list[len(list)-1].Resolved()
	if len(list) > 1 {
		text += " (" + digest.Count(len(list), "alert") + ")"
	}
	return text
}

func after(d time.Duration) string {
	if d > 0 {
		return "+" + d.String()
	}
	return d.String()
}
