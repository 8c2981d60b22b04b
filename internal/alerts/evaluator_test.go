package alerts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

var ret = windows.DefaultRetention(400)

func dynamics() *policy.Set {
	p, _ := policy.Pack(policy.Default)
	return policy.NewSet([]policy.Policy{p}, windows.DefaultWindows(), ret, policy.Defaults{})
}

// oracle judges every subject by every rule at every evaluation, by the definitions and with nothing left out. It shares Step,
// Read and the identity of episodes with the evaluator, and nothing of what decides who is looked at and when.
type oracle struct {
	rules  []*rule
	series map[string]*windows.Series
	status map[string]Status // by alert key
	last   time.Time
}

func (o *oracle) evaluate(m Moment) []string {
	var lines []string
	incident := map[string]string{} // of the scopes that have an open alert after this evaluation's resolutions
	type firing struct{ key, scope, line string }
	var fired []firing
	for _, subject := range slices.Sorted(maps.Keys(o.series)) {
		labels, _ := windows.ParseSubject(subject)
		for _, r := range o.rules {
			if !r.holds(labels) {
				continue
			}
			reading, err := windows.Read(o.series[subject], r.ref.Formula, r.ref.Window, m.At, ret.At(m.At), r.ref.JudgeWindow)
			if err != nil {
				continue
			}
			j := r.judge(reading)
			key := r.ref.key(subject)
			s, change := Step(o.status[key], r.timing, Observation{j.Verdict == policy.Breach, j.Certain, reading}, m, o.last)
			scope := r.ref.Policy + " " + r.ref.Rate + " " + incidentScope(subject)
			line := fmt.Sprintf("%s %s %s %s", change, r.ref.Window.Name, r.ref.LimitID, subject)
			if change == Fired {
				s.ID = r.ref.episodeID(subject, m.Now)
				fired = append(fired, firing{key, scope, line})
			} else if s.Phase == Open {
				incident[scope] = s.Incident
			}
			if change != Fired && change != Unchanged {
				lines = append(lines, line+details(s.ID, s.Incident, s.Seq, s.Severity, reading, s.Peak, s.StartsAt))
			}
			if s.Phase == Idle {
				s = Status{}
			}
			o.status[key] = s
		}
	}
	for _, f := range fired {
		s := o.status[f.key]
		if incident[f.scope] == "" {
			incident[f.scope] = s.ID
		}
		s.Incident = incident[f.scope]
		o.status[f.key] = s
		lines = append(lines, f.line+details(s.ID, s.Incident, s.Seq, s.Severity, s.AtFire, s.Peak, s.StartsAt))
	}
	o.last = m.Now
	slices.Sort(lines)
	return lines
}

func details(id, incident string, seq int64, sev Severity, r, peak windows.Reading, starts time.Time) string {
	return fmt.Sprintf(" %.6s in %.6s seq=%d %s %d/%d/%d peak=%d/%d since %s", id, incident, seq, sev, r.Numerator, r.Denominator, r.Exposure,
		peak.Numerator, peak.Exposure, clock(starts))
}

func incidentScope(key string) string {
	for part := range strings.SplitSeq(key, ",") {
		if strings.HasPrefix(part, "tenant=") {
			return part
		}
	}
	return "subject " + key
}

// asLines writes records as the oracle does.
func asLines(e *Evaluator, records []Record) []string {
	var lines []string
	for i := range records {
		r := &records[i]
		limit := ""
		for _, rule := range e.rules {
			if rule.ref.Window.Name == r.Window && rule.ref.episodeID(r.SubjectKey, r.StartsAt) == r.ID {
				limit = rule.ref.LimitID
			}
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s", r.Change, r.Window, limit, r.SubjectKey)+
			details(r.ID, r.Incident, r.Seq, r.Severity, r.Observed.Reading(), r.Peak.Reading(), r.StartsAt))
	}
	slices.Sort(lines)
	return lines
}

// drawSet draws policies with short times, so that everything happens within hours.
func drawSet(t *rapid.T) *policy.Set {
	minutes := func(name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Minute
	}
	var p policy.Policy
	p.Name = "mine"
	for i := range rapid.IntRange(1, 3).Draw(t, "limits") {
		l := policy.NewLimit(windows.Rate(i), windows.NewRatio(int64(rapid.IntRange(1, 5).Draw(t, "below")), 100))
		keep, remind := minutes("keep", 90), minutes("remind", 300)+time.Minute
		fire := policy.Fire(rapid.IntRange(0, 1).Draw(t, "fire"))
		l.KeepFiringFor.All, l.RemindEvery, l.Fire.All, l.For = &keep, &remind, &fire, minutes("for", 3)
		l.MinVolume = 20
		if rapid.Bool().Draw(t, "matched") {
			l.Subjects = []windows.Combination{{windows.Tenant}, {windows.Tenant, windows.Provider}}
		}
		p.Limits = append(p.Limits, l)
	}
	return policy.NewSet([]policy.Policy{p}, windows.DefaultWindows(), ret, policy.Defaults{})
}

var drawnSubjects = []string{"all", "tenant=acme", "tenant=beta", "ip=203.0.113.9", "tenant=acme,provider=gmail", "tenant=acme,ip=203.0.113.9"}

// TestEvaluatorLooksAtEnough compares what the evaluator says, looking only at what may have changed, with an oracle that looks
// at everything: over random streams and moments, gaps, stale feeds, clocks that go back, and restarts at any point.
func TestEvaluatorLooksAtEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := drawSet(t)
		e := NewEvaluator(set, ret)
		o := &oracle{rules: compile(set, ret), series: map[string]*windows.Series{}, status: map[string]Status{}}
		at := t0
		add := func(key string, c windows.Counter, when time.Time, n int64) {
			if o.series[key] == nil {
				o.series[key] = windows.NewSeries(ret)
			}
			for step := windows.Minute; int(step) < windows.NumSteps; step++ {
				o.series[key].Add(step, step.Bucket(when), c, n)
				e.Add(key, step, step.Bucket(when), c, n)
			}
		}
		for range rapid.IntRange(5, 60).Draw(t, "evaluations") {
			for range rapid.IntRange(0, 3).Draw(t, "events") {
				key := rapid.SampledFrom(drawnSubjects).Draw(t, "subject")
				when := at.Add(-time.Duration(rapid.IntRange(-20, 4000).Draw(t, "age")) * time.Second)
				add(key, windows.Delivered, when, int64(rapid.IntRange(0, 200).Draw(t, "delivered")))
				add(key, windows.BouncedHard, when, int64(rapid.IntRange(0, 9).Draw(t, "bounced")))
				add(key, windows.Complained, when, int64(rapid.IntRange(0, 4).Draw(t, "complained")))
			}
			gap := rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 7 * time.Minute, time.Hour, 26 * time.Hour, -2 * time.Second}).Draw(t, "gap")
			at = at.Add(gap + time.Duration(rapid.IntRange(0, 5).Draw(t, "s"))*time.Second)
			m := Moment{At: at, Now: at.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "lag")) * time.Second), Fresh: rapid.IntRange(0, 3).Draw(t, "fresh") > 0}
			got, want := asLines(e, e.Evaluate(m)), o.evaluate(m)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("at %v (-oracle +evaluator):\n%s", m.At, diff)
			}
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0: // another process goes on
				e = restarted(e, set, o.series)
			case 1: // the counts are read anew
				e.Reset()
				for key, s := range o.series {
					e.Load(key, copySeries(s))
				}
			case 2:
				e.Trim(at)
			}
		}
	})
}

// restarted is a new evaluator with what is stored of the other one, and the counts.
func restarted(e *Evaluator, set *policy.Set, series map[string]*windows.Series) *Evaluator {
	next := NewEvaluator(set, ret)
	next.Restore(slices.Collect(maps.Values(e.Saved())), e.last.Now)
	for key, s := range series {
		next.Load(key, copySeries(s))
	}
	return next
}

func copySeries(s *windows.Series) *windows.Series {
	c := windows.NewSeries(ret)
	for step := windows.Minute; int(step) < windows.NumSteps; step++ {
		for b, counts := range s.Buckets(windows.Span{Step: step, First: 0, Last: 1 << 30}) {
			c.AddCounts(step, b, counts)
		}
	}
	return c
}

// TestSavedChanges holds the stored form to the whole: applying every Changed gives what Saved gives.
func TestSavedChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := NewEvaluator(drawSet(t), ret)
		stored := map[string]Saved{}
		at := t0
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			at = at.Add(time.Duration(rapid.IntRange(1, 3000).Draw(t, "gap")) * time.Second)
			count(e, "tenant=acme", windows.Delivered, at, int64(rapid.IntRange(0, 100).Draw(t, "d")))
			count(e, "tenant=acme", windows.BouncedHard, at, int64(rapid.IntRange(0, 6).Draw(t, "b")))
			if rapid.Bool().Draw(t, "loss") {
				e.SetLosses([]Loss{{"mail.events", 1, int64(rapid.IntRange(0, 9).Draw(t, "lost"))}})
			}
			e.Evaluate(Moment{at, at, true})
			for key, s := range e.Changed() {
				if s == nil {
					delete(stored, key)
				} else {
					stored[key] = *s
				}
			}
			want := e.Saved()
			for key, s := range want { // what follows from the time of the last evaluation need not be written
				if s.Status.InBreach && stored[key].Status.InBreach {
					s.Status.LastBreach = stored[key].Status.LastBreach
					want[key] = s
				}
			}
			if diff := cmp.Diff(want, stored); diff != "" {
				t.Fatalf("-whole +changes:\n%s", diff)
			}
		}
	})
}

// count adds to all three steps, as the fold does.
func count(e *Evaluator, key string, c windows.Counter, when time.Time, n int64) {
	for step := windows.Minute; int(step) < windows.NumSteps; step++ {
		e.Add(key, step, step.Bucket(when), c, n)
	}
}

// TestSwappedPolicies shows what a reload does to open alerts.
func TestSwappedPolicies(t *testing.T) {
	limit := func(name string, percent int64) policy.Limit {
		l := policy.NewLimit(windows.Bounce, windows.NewRatio(percent, 100))
		l.Name, l.Windows = name, []string{"24h"}
		return l
	}
	set := func(limits ...policy.Limit) *policy.Set {
		return policy.NewSet([]policy.Policy{{Name: "mine", Limits: limits}}, windows.DefaultWindows(), ret, policy.Defaults{})
	}
	e := NewEvaluator(set(limit("lists", 3), limit("", 4)), ret)
	count(e, "tenant=acme", windows.Delivered, t0, 940)
	count(e, "tenant=acme", windows.BouncedHard, t0, 60)
	fired := e.Evaluate(Moment{t0, t0, true})
	if len(fired) != 2 {
		t.Fatalf("%d alerts fired, expected 2", len(fired))
	}

	// A named limit with another line goes on; one without a name is another limit then.
	e.SetPolicies(set(limit("lists", 5), limit("", 5)))
	at := t0.Add(time.Second)
	if got := e.Evaluate(Moment{at, at, false}); len(got) != 1 || got[0].Change != Fired || got[0].LimitName != "" {
		t.Fatalf("stale: %d records, expected the new limit to fire and nothing to resolve", len(got))
	}
	at = at.Add(time.Second)
	got := e.Evaluate(Moment{at, at, true})
	if len(got) != 1 || got[0].Change != Resolved || got[0].ID != fired[1].ID {
		t.Fatalf("%+v: expected the limit that is gone to resolve", got)
	}
	if text := got[0].Annotations.Get("description"); !strings.Contains(text, "no longer in the configuration") {
		t.Errorf("description %q does not say why", text)
	}
	for key, s := range e.Saved() {
		if s.Ref.LimitName == "lists" && (s.Status.ID != fired[0].ID || s.Ref.Below != windows.NewRatio(5, 100)) {
			t.Errorf("%q: episode %s with limit %v, expected %s to go on at 5%%", key, s.Status.ID, s.Ref.Below, fired[0].ID)
		}
	}
}

func TestIncidents(t *testing.T) {
	e := NewEvaluator(dynamics(), ret)
	at := t0
	evaluate := func() []Record {
		at = at.Add(time.Second)
		return e.Evaluate(Moment{at, at, true})
	}
	bad := func(key string) {
		count(e, key, windows.Delivered, at, 900)
		count(e, key, windows.BouncedHard, at, 100)
	}
	bad("tenant=acme")
	first := evaluate()
	bad("tenant=acme,ip=203.0.113.9")
	bad("tenant=beta")
	bad("ip=203.0.113.9")
	bad("all")
	second := evaluate()
	of := map[string]map[string]bool{}
	for _, r := range append(first, second...) {
		if of[r.SubjectKey] == nil {
			of[r.SubjectKey] = map[string]bool{}
		}
		of[r.SubjectKey][r.Incident] = true
	}
	for key, incidents := range of {
		if len(incidents) != 1 {
			t.Errorf("%s: %d incidents, expected all windows in one", key, len(incidents))
		}
	}
	if !maps.Equal(of["tenant=acme"], of["tenant=acme,ip=203.0.113.9"]) {
		t.Error("two subjects of one tenant are not in one incident")
	}
	for _, other := range []string{"tenant=beta", "ip=203.0.113.9", "all"} {
		if maps.Equal(of["tenant=acme"], of[other]) {
			t.Errorf("%s shares an incident with tenant=acme", other)
		}
	}
	if !of["tenant=acme"][first[0].ID] {
		t.Errorf("the incident is not named after its first alert")
	}
}

func TestCauses(t *testing.T) {
	e := NewEvaluator(dynamics(), ret)
	mail := func(tenant, provider, ip, campaign string, delivered, hard, block int64) {
		for _, key := range []string{
			"all", "tenant=" + tenant, "ip=" + ip, "tenant=" + tenant + ",ip=" + ip, "tenant=" + tenant + ",provider=" + provider,
			"tenant=" + tenant + ",campaign=" + campaign,
		} {
			count(e, key, windows.Delivered, t0, delivered)
			count(e, key, windows.BouncedHard, t0, hard)
			count(e, key, windows.BouncedBlock, t0, block)
		}
	}
	mail("acme", "gmail", "203.0.113.9", "spring", 371, 3, 26)
	mail("acme", "other", "203.0.113.9", "spring", 598, 2, 0)
	mail("beta", "other", "203.0.113.9", "news", 3000, 1, 0)
	records := e.Evaluate(Moment{t0, t0, true})
	find := func(key string) *Record {
		for i := range records {
			if records[i].SubjectKey == key && records[i].Window == "24h" {
				return &records[i]
			}
		}
		t.Fatalf("no alert for %s on 24h", key)
		return nil
	}
	acme := find("tenant=acme")
	want := []Cause{
		{"campaign", "spring", 31, 1000, 1}, {"ip", "203.0.113.9", 31, 1000, 1}, {"provider", "gmail", 29, 400, 29.0 / 31},
		{"bounce_class", "block", 26, 1000, 26.0 / 31}, {"bounce_class", "hard", 5, 1000, 5.0 / 31}, {"provider", "other", 2, 600, 2.0 / 31},
	}
	if diff := cmp.Diff(want, acme.Causes); diff != "" {
		t.Errorf("causes of tenant=acme (-want +got):\n%s", diff)
	}
	if text := acme.Annotations.Get("description"); !strings.Contains(text, "Main cause: provider gmail with 29 of them (93.5%) on 400 mails.") ||
		!strings.Contains(text, "class block") {
		t.Errorf("description %q does not name gmail and blocks", text)
	}
	e = NewEvaluator(dynamics(), ret)
	mail("acme", "gmail", "203.0.113.9", "spring", 300, 60, 0)
	mail("beta", "other", "203.0.113.9", "news", 1000, 2, 0)
	records = e.Evaluate(Moment{t0, t0, true})
	tenant := Cause{"tenant", "acme", 60, 360, 60.0 / 62}
	if got := find("ip=203.0.113.9").Causes; !slices.Contains(got, tenant) {
		t.Errorf("the causes on the address are %+v, expected tenant acme among them", got)
	}
	if got := find("all").Causes; !slices.Contains(got, tenant) || !slices.Contains(got, Cause{"ip", "203.0.113.9", 62, 1362, 1}) {
		t.Errorf("the causes of all mail are %+v, expected tenant acme and the address", got)
	}
}

func TestLosses(t *testing.T) {
	e := NewEvaluator(dynamics(), ret)
	at := t0
	step := func(lost int64, after time.Duration, fresh bool) []Record {
		at = at.Add(after)
		e.SetLosses([]Loss{{"mail.events", 3, lost}, {"mail.events", 1, 0}})
		return e.Evaluate(Moment{at, at, fresh})
	}
	expect := func(got []Record, change Change, seq, lost int64) {
		t.Helper()
		if len(got) != 1 || got[0].Change != change || got[0].Seq != seq || got[0].Observed.Numerator != lost || got[0].Severity != Critical {
			t.Fatalf("%+v: expected one %v with seq %d and %d records", got, change, seq, lost)
		}
	}
	if got := step(0, 0, true); got != nil {
		t.Fatalf("nothing lost: %+v", got)
	}
	fired := step(120, time.Second, true)
	expect(fired, Fired, 1, 120)
	if r := fired[0]; r.SubjectKey != "topic=mail.events,partition=3" || r.Labels.Get("alertname") != "RecordsLost" || r.Subject.Get("partition") != "3" ||
		r.Incident != r.ID {
		t.Errorf("subject %q, labels %v, incident %q", r.SubjectKey, r.Labels, r.Incident)
	}
	e = restarted(e, dynamics(), nil)
	expect(step(150, time.Minute, true), Reminder, 2, 150)
	if got := step(150, 24*time.Hour-time.Second, true); got != nil {
		t.Fatalf("too early: %+v", got)
	}
	expect(step(150, time.Second, false), Reminder, 3, 150)
	expect(step(150, time.Second, true), Resolved, 4, 0)
	e = restarted(e, dynamics(), nil)
	if got := step(150, time.Hour, true); got != nil {
		t.Fatalf("told twice: %+v", got)
	}
	if got := step(100, time.Hour, true); got != nil { // the state went back
		t.Fatalf("the state went back: %+v", got)
	}
	expect(step(101, time.Hour, true), Fired, 1, 1)
}

func TestPartitionOf(t *testing.T) {
	const n = 8
	if PartitionOf("tenant=acme", n) != PartitionOf("tenant=acme,ip=203.0.113.9", n) || PartitionOf("ip=203.0.113.9,tenant=acme", n) != PartitionOf("tenant=acme", n) {
		t.Error("subjects of one tenant are in different partitions")
	}
	used := map[int]bool{}
	for i := range 200 {
		p := PartitionOf(fmt.Sprintf("tenant=t%d", i), n)
		if p < 0 || p >= n {
			t.Fatalf("partition %d of %d", p, n)
		}
		used[p] = true
	}
	if len(used) != n {
		t.Errorf("200 tenants use %d of %d partitions", len(used), n)
	}
}
