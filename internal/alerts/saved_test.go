package alerts

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// life is an evaluator in which tenant=acme has been in breach on 24h since t0 plus a while, with the records so far.
func life(t *testing.T, after time.Duration, evaluations int) (*Evaluator, []Record) {
	t.Helper()
	l := policy.NewLimit(windows.Bounce, windows.NewRatio(3, 100))
	l.Windows = []string{"24h"}
	remind := time.Minute
	l.RemindEvery = &remind
	e := NewEvaluator(policy.NewSet([]policy.Policy{{Name: "p", Limits: []policy.Limit{l}}}, windows.DefaultWindows(), ret, policy.Defaults{}), ret)
	count(e, "tenant=acme", windows.Delivered, t0, 900)
	count(e, "tenant=acme", windows.BouncedHard, t0, 100)
	var records []Record
	for i := range evaluations {
		at := t0.Add(after + time.Duration(i)*time.Minute)
		records = append(records, e.Evaluate(Moment{at, at, true})...)
	}
	if len(records) != evaluations {
		t.Fatalf("%d records of %d evaluations", len(records), evaluations)
	}
	e.Changed()
	return e, records
}

func openOf(e *Evaluator) map[string]Status {
	open := map[string]Status{}
	for _, s := range e.Saved() {
		open[s.Status.ID] = s.Status
	}
	return open
}

func TestAdopt(t *testing.T) {
	_, theirs := life(t, time.Hour, 3) // an episode that began an hour after t0: fired, two reminders
	next := func(e *Evaluator, fresh bool) []Record {
		at := t0.Add(2 * time.Hour)
		return e.Evaluate(Moment{at, at, fresh})
	}
	counted := func(e *Evaluator) *Evaluator {
		count(e, "tenant=acme", windows.Delivered, t0, 900)
		count(e, "tenant=acme", windows.BouncedHard, t0, 100)
		return e
	}
	fresh := func() *Evaluator {
		e, _ := life(t, 0, 0)
		return e
	}

	t.Run("an open episode that the state does not know goes on", func(t *testing.T) {
		e := fresh()
		for i := range theirs {
			e.Adopt(&theirs[i])
		}
		if !e.Urgent() || len(e.Changed()) != 1 {
			t.Error("what was adopted is not stored")
		}
		got := next(e, true)
		if len(got) != 1 || got[0].ID != theirs[0].ID || got[0].Seq != 4 || got[0].Change != Reminder || got[0].Incident != theirs[0].Incident {
			t.Errorf("%+v: expected the reminder with seq 4", got)
		}
	})
	t.Run("one that was closed stays closed", func(t *testing.T) {
		e := counted(NewEvaluator(policy.NewSet(nil, windows.DefaultWindows(), ret, policy.Defaults{}), ret))
		end := theirs[2]
		end.Seq, end.Change, end.Status, end.EndsAt = 4, Resolved, Closed, &end.EvaluatedAt
		e.Adopt(&theirs[2])
		e.Adopt(&end)
		if got := next(e, true); len(got) != 0 || len(e.Saved()) != 0 {
			t.Errorf("%+v, %d alerts: expected nothing", got, len(e.Saved()))
		}
	})
	t.Run("the state's own episode goes on from the topic's record", func(t *testing.T) {
		e, mine := life(t, time.Hour, 1)
		if mine[0].ID != theirs[0].ID {
			t.Fatal("ids are not deterministic")
		}
		e.Adopt(&theirs[1])
		e.Adopt(&theirs[2])
		if s := openOf(e)[mine[0].ID]; s.Seq != 3 || s.LastRecord != theirs[2].EvaluatedAt {
			t.Errorf("status %+v, expected seq 3", s)
		}
	})
	for name, after := range map[string]time.Duration{"began later": 30 * time.Minute, "began earlier": 90 * time.Minute} {
		t.Run("of two episodes the first goes on, when that of the topic "+map[bool]string{true: "began later", false: "began earlier"}[after < time.Hour], func(t *testing.T) {
			e, mine := life(t, after, 1)
			e.Adopt(&theirs[0])
			stays, goes := mine[0].ID, theirs[0].ID
			if name == "began earlier" {
				stays, goes = goes, stays
			}
			if got := next(e, false); slices.ContainsFunc(got, func(r Record) bool { return r.Change == Resolved }) {
				t.Errorf("resolved on stale data: %+v", got)
			}
			got := next(e, true)
			if len(got) != 1 || got[0].ID != goes || got[0].Change != Resolved || !strings.Contains(got[0].Annotations.Get("description"), stays) {
				t.Errorf("%+v: expected %s to be closed in favour of %s", got, goes, stays)
			}
			if open := openOf(e); len(open) != 1 || open[stays].Phase != Open {
				t.Errorf("open: %v, expected %s alone", slices.Collect(maps.Keys(open)), stays)
			}
		})
	}
	t.Run("one of a limit that is gone is closed", func(t *testing.T) {
		e := counted(NewEvaluator(policy.NewSet(nil, windows.DefaultWindows(), ret, policy.Defaults{}), ret))
		e.Adopt(&theirs[0])
		got := next(e, true)
		if len(got) != 1 || got[0].ID != theirs[0].ID || got[0].Seq != 2 || got[0].Change != Resolved || got[0].Limit != 0.03 || got[0].Observed.Numerator != 100 {
			t.Errorf("%+v: expected it to be closed", got)
		}
	})
	t.Run("a loss goes on", func(t *testing.T) {
		e := fresh()
		e.SetLosses([]Loss{{"mail.events", 3, 7}})
		fired := next(e, true)
		other := fresh()
		for i := range fired {
			if fired[i].Policy == SystemPolicy {
				other.Adopt(&fired[i])
			}
		}
		other.SetLosses([]Loss{{"mail.events", 3, 9}})
		for _, r := range next(other, true) {
			if r.Policy == SystemPolicy && (r.Change != Reminder || r.Seq != 2) {
				t.Errorf("%+v: expected a reminder with seq 2", r)
			}
		}
	})
}

// TestRestoredUnderOtherPolicies: the configuration changed while nothing ran.
func TestRestoredUnderOtherPolicies(t *testing.T) {
	e, mine := life(t, 0, 1)
	other := NewEvaluator(dynamics(), ret)
	other.Restore(slices.Collect(maps.Values(e.Saved())), e.Evaluated())
	at := t0.Add(time.Minute)
	var resolved []Record
	for _, r := range other.Evaluate(Moment{at, at, true}) {
		if r.Change == Resolved {
			resolved = append(resolved, r)
		}
	}
	if len(resolved) != 1 || resolved[0].ID != mine[0].ID || resolved[0].Policy != "p" {
		t.Errorf("%+v: expected the alert of the limit that is gone to resolve", resolved)
	}
}
