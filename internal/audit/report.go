package audit

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
)

// Report is what an audit found. Rows are made as they are asked for: of a hundred thousand subjects they would not fit.
type Report struct {
	Events   memstore.Totals
	From, To time.Time // oldest and newest time of a counted event; zero without events
	Disorder Disorder
	Alerts   []alerts.Record // in order
	InBreach int             // rows with the verdict breach at the end
	Subjects int

	audit *Audit
	order []*ledger // by subject key
}

// Worst is the worst reading that a rate of a subject ever had on a window: that of the highest verdict and, among those,
// with the largest judged share. Of equal ones it is the first.
type Worst struct {
	policy.Row
	At time.Time `json:"at"` // when it was judged
}

// Finish judges the end of the data and returns the report. The audit takes nothing more after it.
func (a *Audit) Finish() *Report {
	r := &Report{audit: a, Events: a.store.Totals(), From: a.store.Oldest(), To: a.store.Newest(), Disorder: a.disorder}
	if !a.started {
		return r
	}
	// The rates at the end are readings like all others, and may be the worst.
	a.kept = a.o.Retention.At(r.To)
	for _, sub := range a.store.Subjects() {
		a.look(a.ledger(sub), r.To)
	}
	a.judge(a.second + 1)
	r.Alerts, r.Subjects = a.records, len(a.store.Subjects())
	r.order = slices.DeleteFunc(slices.Clone(a.ledgers), func(g *ledger) bool { return g == nil })
	slices.SortFunc(r.order, func(x, y *ledger) int { return strings.Compare(x.sub.Key, y.sub.Key) })
	for row := range r.Rates() {
		if row.Verdict != nil && *row.Verdict == policy.Breach {
			r.InBreach++
		}
	}
	return r
}

// Breached tells whether a limit is broken at the end, or an alert was raised.
func (r *Report) Breached() bool { return r.InBreach > 0 || len(r.Alerts) > 0 }

// Rates are the rows of all subjects at the end of the data, by subject key. A row is valid for one turn.
func (r *Report) Rates() iter.Seq[*policy.Row] {
	return func(yield func(*policy.Row) bool) {
		for _, g := range r.order {
			rows, err := r.audit.o.Policies.Rows(g.sub.Key, g.sub.Series(), r.To, r.audit.o.Retention.At(r.To), policy.Filter{})
			if err != nil {
				continue // a window longer than what is kept: configurations do not allow it
			}
			for i := range rows {
				if !yield(&rows[i]) {
					return
				}
			}
		}
	}
}

// Worst are the worst rows of all subjects, by subject key. A row is valid for one turn.
func (r *Report) Worst() iter.Seq[*Worst] {
	return func(yield func(*Worst) bool) {
		for _, g := range r.order {
			for _, w := range g.worst() {
				if !yield(&w) {
					return
				}
			}
		}
	}
}

// worst are the rows of one subject, by rate, window and policy as rates are.
func (g *ledger) worst() []Worst {
	found := make([]int, 0, len(g.tracks))
	for i := range g.tracks {
		if !g.tracks[i].seen {
			continue
		}
		if j := slices.IndexFunc(found, func(j int) bool { return g.sheet.lines[i].sameRow(&g.sheet.lines[j]) }); j < 0 {
			found = append(found, i)
		} else if g.graver(i, found[j]) {
			found[j] = i
		}
	}
	slices.SortStableFunc(found, func(i, j int) int {
		x, y := &g.sheet.lines[i], &g.sheet.lines[j]
		return cmp.Or(cmp.Compare(x.formula.Rate, y.formula.Rate), cmp.Compare(x.index, y.index))
	})
	out := make([]Worst, 0, len(found))
	for _, i := range found {
		out = append(out, g.row(i))
	}
	return out
}

// sameRow tells whether two lines share one row: several limits of one policy on the same rate and window.
func (l *line) sameRow(o *line) bool {
	return l.rule != nil && o.rule != nil && l.rule.Policy == o.rule.Policy && l.formula.Rate == o.formula.Rate && l.index == o.index
}

// graver tells whether line i speaks for the row rather than line j, as in rates: by verdict, then in breach the higher limit,
// else the nearer one.
func (g *ledger) graver(i, j int) bool {
	x, y := &g.tracks[i], &g.tracks[j]
	if x.verdict != y.verdict {
		return x.verdict > y.verdict
	}
	one, other := g.sheet.lines[i].rule.Limit, g.sheet.lines[j].rule.Limit
	if x.verdict == policy.Breach {
		return one.Line().Cmp(other.Line()) > 0
	}
	return one.Closeness(x.worst.reading()).Cmp(other.Closeness(y.worst.reading())) > 0
}

func (f *figures) reading() windows.Reading {
	return windows.Reading{Numerator: f.Numerator, Denominator: f.Denominator, Exposure: f.Exposure}
}

func (g *ledger) row(i int) Worst {
	l, t := &g.sheet.lines[i], &g.tracks[i]
	at := time.Unix(t.worst.At, 0).UTC()
	reading, span := t.worst.reading(), l.window.Span(at)
	reading.From, reading.To = span.From(), span.To()
	f := reading.Figures()
	w := Worst{At: at, Row: policy.Row{
		Subject: g.labels, SubjectKey: g.sub.Key, Rate: l.formula.Rate, Window: l.window.Name, From: f.From, To: f.To,
		Numerator: f.Numerator, Denominator: f.Denominator, Exposure: f.Exposure,
		Ratio: f.Ratio, Judged: f.Judged, Lower: f.Lower, Upper: f.Upper,
	}}
	if w.Subject == nil {
		w.Subject = windows.Labels{}
	}
	w.Definition = l.definition
	if l.rule == nil {
		return w
	}
	limit := l.rule.Limit.Line().Float()
	j := l.rule.Judge(reading)
	w.Policy, w.Limit, w.LimitName = &l.rule.Policy, &limit, l.rule.Limit.Name
	w.Verdict, w.Certain, w.Headroom = &j.Verdict, &j.Certain, &j.Headroom
	return w
}

// WriteJSON writes the report as contract section 9 says: one JSON object, a row on each line.
func (r *Report) WriteJSON(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<16)
	head := struct {
		Events   eventTotals `json:"events"`
		Disorder *Disorder   `json:"disorder,omitempty"`
		From     *time.Time  `json:"from"`
		To       *time.Time  `json:"to"`
	}{Events: totalsOf(r.Events)}
	if r.Disorder.Events > 0 {
		head.Disorder = &r.Disorder
	}
	if !r.To.IsZero() {
		head.From, head.To = &r.From, &r.To
	}
	first, err := json.Marshal(head)
	if err != nil {
		return err
	}
	w.Write(first[:len(first)-1]) // errors of a bufio.Writer stay until Flush
	var failed []error
	list := func(name string, rows iter.Seq[[]byte]) {
		w.WriteString(",\n\"" + name + "\":[")
		separator := "\n"
		for row := range rows {
			w.WriteString(separator)
			w.Write(row)
			separator = ",\n"
		}
		w.WriteByte(']')
	}
	list("rates", encoded(r.Rates(), &failed))
	list("worst", encoded(r.Worst(), &failed))
	list("alerts", func(yield func([]byte) bool) {
		for i := range r.Alerts {
			if !yield(r.Alerts[i].Encode()) {
				return
			}
		}
	})
	w.WriteString("}\n")
	return errors.Join(append(failed, w.Flush())...)
}

func encoded[T any](rows iter.Seq[T], failed *[]error) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for row := range rows {
			text, err := json.Marshal(row)
			if err != nil {
				*failed = append(*failed, err)
				return
			}
			if !yield(text) {
				return
			}
		}
	}
}

// eventTotals are totals as answers write them.
type eventTotals struct {
	Read      int64            `json:"read"`
	Counted   int64            `json:"counted"`
	Duplicate int64            `json:"duplicate"`
	Late      int64            `json:"late"`
	Ignored   int64            `json:"ignored"`
	Rejected  map[string]int64 `json:"rejected"`
}

func totalsOf(t memstore.Totals) eventTotals {
	out := eventTotals{Read: t.Read, Counted: t.Counted, Duplicate: t.Duplicate, Late: t.Late, Ignored: t.Ignored, Rejected: map[string]int64{}}
	for reason, n := range t.Rejected {
		out.Rejected[string(reason)] = n
	}
	return out
}
