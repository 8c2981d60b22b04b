package audit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sendwatch/internal/alerts"
	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
)

type table struct{}

func (table) Of(recipient string) string {
	if strings.HasSuffix(recipient, "@gmail.com") {
		return "gmail"
	}
	return "other"
}

func (table) Reports(provider string) bool { return provider == "other" }

var start = time.Date(2026, 3, 2, 8, 55, 0, 0, time.UTC)

func limit(rate windows.Rate, line string, change func(*policy.Limit)) policy.Limit {
	r, err := windows.ParseRatio(line)
	if err != nil {
		panic(err)
	}
	l := policy.NewLimit(rate, r)
	l.MinVolume, l.MinEvents = 6, 2
	if change != nil {
		change(&l)
	}
	return l
}

// touchy are policies that few events break, so that short streams go through all that there is.
func touchy() []policy.Policy {
	return []policy.Policy{
		{Name: "a", Limits: []policy.Limit{
			limit(windows.Bounce, "20%", nil),
			limit(windows.Complaint, "10%", func(l *policy.Limit) { l.Windows = []string{"24h", "7d"} }),
			limit(windows.Unsubscribe, "15%", func(l *policy.Limit) { l.For = 3 * time.Minute }),
			limit(windows.Bounce, "40%", func(l *policy.Limit) { l.Name = "more" }),
		}},
		{Name: "b", Limits: []policy.Limit{
			limit(windows.Bounce, "10%", func(l *policy.Limit) {
				l.Judge = policy.JudgeWindow
				l.Classes, _ = windows.NewClasses(event.Hard)
				l.MinVolume = 0
			}),
			limit(windows.Complaint, "10%", func(l *policy.Limit) {
				l.Over = policy.OverReporting
				l.MinEvents = 4
				l.Match = map[windows.Dimension]string{windows.Tenant: "a*"}
			}),
			limit(windows.Unsubscribe, "5%", func(l *policy.Limit) {
				certain := policy.Certain
				l.Fire.All = &certain
			}),
			limit(windows.Suppressed, "0%", func(l *policy.Limit) { l.MinVolume, l.MinEvents = 1, 1 }),
		}},
	}
}

func options(policies []policy.Policy, ws []windows.Window) Options {
	ret := windows.DefaultRetention(400)
	rules := engagement.DefaultRules()
	return Options{
		Combinations: windows.DefaultCombinations(), Retention: ret, Policies: policy.NewSet(policies, ws, ret, policy.Defaults{}),
		Horizon: 48 * time.Hour, Engagement: &rules, Providers: table{},
	}
}

func genStream(t *rapid.T) []event.Event {
	list := make([]event.Event, rapid.IntRange(1, 70).Draw(t, "events"))
	at := start
	gaps := []time.Duration{0, 0, time.Second, 300 * time.Millisecond, 20 * time.Second, 61 * time.Second, 7 * time.Minute,
		40 * time.Minute, 3 * time.Hour, -30 * time.Second, -5 * time.Minute, -2 * time.Hour}
	kinds := []event.Type{event.Delivery, event.Delivery, event.Delivery, event.Bounce, event.Complaint, event.Unsubscribe, event.Open}
	for i := range list {
		at = at.Add(rapid.SampledFrom(gaps).Draw(t, "gap"))
		e := event.Event{
			Type: rapid.SampledFrom(kinds).Draw(t, "type"), Time: at, ID: fmt.Sprint(rapid.IntRange(0, 400).Draw(t, "id")),
			Recipient: rapid.SampledFrom([]string{"a@gmail.com", "b@x.org", "c@x.org"}).Draw(t, "recipient"),
			Tenant:    rapid.SampledFrom([]string{"acme", "acme", "zeta"}).Draw(t, "tenant"),
			Campaign:  rapid.SampledFrom([]string{"", "spring"}).Draw(t, "campaign"),
		}
		e.BounceClass = event.BounceClass(rapid.IntRange(0, int(event.Admin)).Draw(t, "class"))
		e.BounceAsync = rapid.IntRange(0, 4).Draw(t, "async") == 0
		e.Tidy()
		list[i] = e
	}
	return list
}

// brute does what the contract says with no thought for cost: every subject is judged at every moment.
type brute struct {
	o       Options
	store   *memstore.Store
	eval    *alerts.Evaluator
	loaded  int
	second  int64
	worst   map[string]Worst
	records []alerts.Record
	started bool
}

func (b *brute) judge(at int64, alsoAlerts bool) {
	now := time.Unix(at, 0).UTC()
	b.store.Trim(now)
	subjects := b.store.Subjects()
	for _, sub := range subjects[b.loaded:] {
		b.eval.Load(sub.Key, sub.Series())
	}
	b.loaded = len(subjects)
	for _, sub := range subjects {
		b.eval.Touch(sub.Key)
		rows, err := b.o.Policies.Rows(sub.Key, sub.Series(), now, b.o.Retention.At(now), policy.Filter{})
		if err != nil {
			panic(err)
		}
		for _, row := range rows {
			b.noteWorst(row, now)
		}
	}
	if alsoAlerts {
		b.records = append(b.records, b.eval.Evaluate(alerts.Moment{At: now, Now: now, Fresh: true})...)
	}
}

func (b *brute) noteWorst(row policy.Row, now time.Time) {
	key := fmt.Sprint(row.SubjectKey, row.Rate, row.Window)
	rank := func(r *policy.Row) int {
		switch {
		case r.Verdict != nil:
			return int(*r.Verdict)
		case r.Judged != nil:
			return 1
		}
		return 0
	}
	if row.Policy != nil {
		key += *row.Policy
	}
	judged := func(r *policy.Row) float64 {
		switch {
		case r.Judged == nil:
			return -2
		case r.Rate == windows.Engaged:
			return -*r.Judged
		}
		return *r.Judged
	}
	old, ok := b.worst[key]
	if !ok || rank(&row) > rank(&old.Row) || rank(&row) == rank(&old.Row) && judged(&row) > judged(&old.Row) {
		b.worst[key] = Worst{row, now}
	}
}

func (b *brute) take(e event.Event) {
	p, _ := b.store.Prepare(&e, time.Time{})
	x, counts := b.store.Sift(&p)
	if !counts {
		return
	}
	s := x.Seconds
	if !b.started {
		b.started, b.second = true, s
	}
	if s > b.second {
		b.judge(b.second+1, true)
		for at := (b.second+1)/60*60 + 60; at <= s; at += 60 {
			b.judge(at, true)
		}
		b.second = s
	}
	b.store.Tally(x)
}

func (b *brute) finish() {
	b.judge(b.second, false)
	b.judge(b.second+1, true)
}

func newBrute(o Options) *brute {
	return &brute{o: o, eval: alerts.NewEvaluator(o.Policies, o.Retention), worst: map[string]Worst{},
		store: memstore.New(memstore.Options{Combinations: o.Combinations, Retention: o.Retention, Horizon: o.Horizon,
			Engagement: o.Engagement, Providers: o.Providers})}
}

func asJSON(t interface{ Fatal(...any) }, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func compare(t *rapid.T, o Options, list []event.Event) {
	a, b := New(o), newBrute(o)
	take, wait := a.Take, func() {}
	if rapid.Bool().Draw(t, "pipeline") {
		take, wait = a.Pipeline()
	}
	for i := range list {
		take(&event.Result{Events: list[i : i+1]})
		b.take(list[i])
	}
	wait()
	r := a.Finish()
	b.finish()
	var got, want []string
	for i := range r.Alerts {
		got = append(got, string(r.Alerts[i].Encode()))
	}
	for i := range b.records {
		want = append(want, string(b.records[i].Encode()))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("alerts (-brute +audit):\n%s", diff)
	}
	worst := map[string]Worst{}
	for w := range r.Worst() {
		key := fmt.Sprint(w.SubjectKey, w.Rate, w.Window)
		if w.Policy != nil {
			key += *w.Policy
		}
		worst[key] = *w
	}
	for key, want := range b.worst {
		got, ok := worst[key]
		if !ok {
			t.Fatalf("worst of %s is missing", key)
		}
		if asJSON(t, got) != asJSON(t, want) {
			t.Fatalf("worst of %s:\n%s", key, cmp.Diff(asJSON(t, want), asJSON(t, got)))
		}
	}
	if len(worst) != len(b.worst) {
		t.Fatalf("%d worst rows, want %d", len(worst), len(b.worst))
	}
}

func TestAgainstBruteForce(t *testing.T) {
	fifteen := []windows.Window{{Name: "15m", Length: 15 * time.Minute, Step: windows.Minute},
		{Name: "2h", Length: 2 * time.Hour, Step: windows.Hour}, {Name: "24h", Length: 24 * time.Hour, Step: windows.Hour}}
	engaged := []policy.Policy{{Name: "e", Limits: []policy.Limit{limit(windows.Engaged, "80%", nil), limit(windows.Bounce, "20%", nil)}}}
	for name, o := range map[string]Options{
		"touchy":        options(touchy(), windows.DefaultWindows()),
		"other windows": options(touchy(), fifteen),
		"short windows": options(touchy(), fifteen[:2]), // empty between one burst and the next
		"engaged":       options(engaged, windows.DefaultWindows()),
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { compare(t, o, genStream(t)) })
		})
	}
}

// A look that is older than the hour says nothing of what a window holds: all may have left it since.
func TestAfterALongSilence(t *testing.T) {
	lax := []policy.Policy{{Name: "lax", Limits: []policy.Limit{limit(windows.Complaint, "90%", nil)}}}
	a := New(options(lax, []windows.Window{{Name: "2h", Length: 2 * time.Hour, Step: windows.Hour}}))
	id := 0
	take := func(kind event.Type, n int, at time.Time) {
		for range n {
			id++
			a.Take(&event.Result{Events: []event.Event{{Type: kind, Time: at, ID: fmt.Sprint(id), Tenant: "acme"}}})
		}
	}
	take(event.Delivery, 100, start)
	take(event.Complaint, 10, start)
	later := start.Add(50 * time.Hour)
	take(event.Delivery, 10, later)
	take(event.Complaint, 2, later) // twice the share of before, of a tenth of the mail
	take(event.Delivery, 100, later.Add(time.Minute))
	for w := range a.Finish().Worst() {
		if w.Policy != nil && (w.Numerator != 2 || w.Exposure != 10 || !w.At.Equal(later.Add(time.Second))) {
			t.Errorf("worst of %s: %d of %d at %s", w.SubjectKey, w.Numerator, w.Exposure, w.At)
		}
	}
}

func TestRatesAtTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := options(touchy(), windows.DefaultWindows())
		a, b := New(o), newBrute(o)
		list := genStream(t)
		for i := range list {
			a.Take(&event.Result{Events: list[i : i+1]})
			b.take(list[i])
		}
		r := a.Finish()
		var got, want []string
		for row := range r.Rates() {
			got = append(got, asJSON(t, row))
		}
		for _, sub := range b.store.Subjects() {
			rows, _ := o.Policies.Rows(sub.Key, sub.Series(), r.To, o.Retention.At(r.To), policy.Filter{})
			for _, row := range rows {
				want = append(want, asJSON(t, row))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
