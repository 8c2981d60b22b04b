package audit

import (
	"slices"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
)

// Options say what is counted and judged.
type Options struct {
	Combinations []windows.Combination
	Policies     *policy.Set
	Retention    windows.Retention
	Horizon      time.Duration // of repeats; 0 = off
	Engagement   *engagement.Rules
	Providers    memstore.Providers
	Courses      int // how many rates that break a limit are followed over time (Report.Course); 0 = none
}

// Audit takes events in order and judges them. Make one with New; it is not for concurrent use.
type Audit struct {
	o      Options
	store  *memstore.Store
	eval   *alerts.Evaluator
	sheets *sheets
	sums   *windows.Sums

	ledgers  []*ledger // by subject id
	minutely []*ledger // to be checked when a minute ends
	hourly   []*ledger // to be looked at when an hour ends

	started bool
	second  int64 // the clock: the newest second of an event
	judged  int64 // the newest moment that was judged
	kept    windows.Kept

	loaded   []*ledger            // those that the evaluator has
	parts    map[uint64][]*ledger // subjects by their labels without one; nil until something breaks a limit
	wanted   map[uint64]bool      // label sets whose parts the evaluator has
	breaches int                  // lines in breach
	open     int                  // alerts that are open
	courses  int                  // lines that are followed
	traced   []*ledger            // subjects with such a line that a minute can change
	fed      int                  // subjects given to the evaluator for this moment
	records  []alerts.Record
	disorder Disorder
	looks    int // for benchmarks: looks taken
}

// Disorder says how far events were from being in order of time.
type Disorder struct {
	Events  int64 `json:"events"`  // that were older than the clock by more than a minute
	Seconds int64 `json:"seconds"` // by which one was older, at most
}

// New returns an audit of nothing.
func New(o Options) *Audit {
	a := &Audit{
		o: o, eval: alerts.NewEvaluator(o.Policies, o.Retention), sheets: newSheets(o.Policies, o.Retention),
		wanted: map[uint64]bool{},
		store: memstore.New(memstore.Options{
			Combinations: o.Combinations, Retention: o.Retention, Horizon: o.Horizon, Engagement: o.Engagement, Providers: o.Providers,
		}),
	}
	a.sums = a.sheets.plan.NewSums()
	return a
}

// Take takes the outcome of one record. What it holds may be reused afterwards.
func (a *Audit) Take(r *event.Result) {
	for i := range r.Events {
		if p, ok := a.store.Prepare(&r.Events[i], time.Time{}); ok { // nothing is late in a file
			if x, counts := a.store.Sift(&p); counts {
				a.count(x)
			}
		}
	}
	a.store.Note(r)
}

// count moves the clock to an event's second and counts the event.
func (a *Audit) count(x memstore.Sifted) {
	a.advance(x.Seconds)
	a.store.Tally(x)
}

// advance moves the clock to an event's second, after judging all moments that lie before it.
func (a *Audit) advance(second int64) {
	switch {
	case !a.started:
		a.started, a.second, a.judged = true, second, second
		return
	case second == a.second:
		return
	case second < a.second:
		if late := a.second - second; late > 60 {
			a.disorder.Events++
			a.disorder.Seconds = max(a.disorder.Seconds, late)
		}
		return
	}
	a.judge(a.second + 1)
	a.judgeEmpty(second)
	a.second = second
}

// judgeEmpty judges the ends of buckets from the clock up to a second, none of which had events.
func (a *Audit) judgeEmpty(until int64) {
	last := until - mod(until, 60)
	for at := a.second + 1; ; {
		switch {
		case a.breaches > 0 || a.open > 0 || len(a.minutely) > 0:
			at += 60 - mod(at, 60)
		case len(a.hourly) > 0:
			at += 3600 - mod(at, 3600)
		default:
			return // time alone brings no news any more
		}
		if at > last {
			return
		}
		a.judge(at)
	}
}

func mod(a, n int64) int64 { return (a%n + n) % n }

// judge judges everything at one moment, in seconds since 1970. Moments never go back.
func (a *Audit) judge(at int64) {
	now := time.Unix(at, 0).UTC()
	a.kept = a.o.Retention.At(now)
	minute, hour := windows.Minute.BucketOf(at), windows.Hour.BucketOf(at)
	a.fed = 0
	switch {
	case hour != windows.Hour.BucketOf(a.judged):
		a.endHour(now)
	case minute != windows.Minute.BucketOf(a.judged):
		a.endMinute(now, minute)
	}
	a.judged = at
	for _, sub := range a.store.Due() {
		g := a.ledger(sub)
		if g.hour != hour || !g.quiet(g.minutely) {
			a.look(g, now)
		}
		if !g.hourly {
			g.hourly = true
			a.hourly = append(a.hourly, g)
		}
	}
	if a.fed > 0 || a.breaches > 0 || a.open > 0 {
		a.evaluate(now)
	}
}

func (a *Audit) evaluate(now time.Time) {
	if due := a.eval.NextDue(); due.IsZero() || !now.Before(due) {
		for _, g := range a.loaded {
			g.sub.Series() // brings it up to date
		}
	}
	for _, r := range a.eval.EvaluateTouched(alerts.Moment{At: now, Now: now, Fresh: true}) {
		switch r.Change {
		case alerts.Fired:
			a.open++
		case alerts.Resolved:
			a.open--
		}
		a.records = append(a.records, r)
	}
}

// endHour looks at every subject that time can change, and forgets what is too old.
func (a *Audit) endHour(now time.Time) {
	a.hourly = slices.DeleteFunc(a.hourly, func(g *ledger) bool {
		if g.hourly = !g.idle(); g.hourly {
			a.look(g, now)
		} else {
			// Whatever comes next in a numerator leads to a look, however much later. What volume was allowed stays right: no
			// exposure grows by time.
			g.minutely = false
			g.sub.AllowNone()
		}
		return !g.hourly
	})
	a.store.Trim(now)
}

// endMinute checks the subjects for which time can bring news before the hour ends.
func (a *Audit) endMinute(now time.Time, minute int64) {
	a.minutely = slices.DeleteFunc(a.minutely, func(g *ledger) bool {
		if g.minutely { // else a look since has shown that the hour will do
			known, anything := false, false
			if g.lastMinute == minute-1 {
				if g.departures.from == unknown {
					g.depart(g.lastMinute)
				}
				known, anything = g.leave(minute)
			}
			// Whether the hour would do is asked now and then only: it rarely would, so shortly after it did not.
			if !known || anything && (minute%8 != 0 || !g.quiet(false)) && !g.quiet(true) {
				a.look(g, now)
			}
		}
		g.listed = g.minutely
		return !g.listed
	})
	a.traceMinutes(now)
}

// ledger returns the subject's ledger, made when it is new.
func (a *Audit) ledger(sub *memstore.Subject) *ledger {
	for len(a.ledgers) <= sub.ID {
		a.ledgers = append(a.ledgers, nil)
	}
	g := a.ledgers[sub.ID]
	if g == nil {
		labels, _ := windows.ParseSubject(sub.Key)
		g = &ledger{sub: sub, labels: labels, sheet: a.sheets.of(labels), hour: unknown, departures: departures{from: unknown}}
		g.tracks = make([]track, len(g.sheet.lines))
		a.ledgers[sub.ID] = g
		a.index(g)
	}
	return g
}

// look reads and judges every line of the subject.
func (a *Audit) look(g *ledger, now time.Time) {
	a.looks++
	g.sub.ResetSince()
	g.departures.from = unknown
	a.sums.Load(g.sub.Series(), now, a.kept)
	at, concerns := now.Unix(), false
	for i := range g.sheet.lines {
		l, t := &g.sheet.lines[i], &g.tracks[i]
		reading, err := a.sums.Read(l.index, l.formula, l.judgeWindow)
		if err != nil {
			continue // a window longer than what is kept: configurations do not allow it
		}
		was, last := t.breach, figures{Numerator: t.k, Exposure: t.e, At: g.looked}
		concerns = l.note(t, reading, at) || concerns
		if t.breach != was {
			if t.breach {
				a.breaches++
			} else {
				a.breaches--
			}
		}
		if l.fine {
			l.keep(t, a.sums)
		}
		if t.breach || t.course != nil {
			a.trace(g, l, t, at, last)
		}
	}
	g.looked = at
	g.hour, g.lastMinute = windows.Hour.Bucket(now), windows.Minute.Bucket(now)
	if concerns {
		a.feed(g)
	}
	a.follow(g)
}

// follow sets the subject's budget after a look: one for as long as the hour lasts or, where that is none, one that has to be
// looked after whenever a minute ends.
func (a *Audit) follow(g *ledger) {
	if g.quiet(false) || len(g.sheet.fineLines) == 0 {
		return
	}
	g.quiet(true)
	if !g.listed {
		g.listed = true
		a.minutely = append(a.minutely, g)
	}
}
