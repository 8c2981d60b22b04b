package alerts

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"sendwatch/internal/windows"
)

var t0 = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// look is one evaluation of a scripted alert: when, what was seen, and what has to come of it.
type look struct {
	after   time.Duration // since t0
	seen    seen
	want    Change
	wantSev Severity
}

type seen uint8

const (
	below   seen = iota
	breach       // on fresh data
	certain      // breach beyond chance, on fresh data
	staleBelow
	staleBreach
)

func (s seen) observation() Observation {
	o := Observation{Reading: windows.Reading{Numerator: 10, Denominator: 1000, Exposure: 1000}}
	switch s {
	case breach, staleBreach:
		o.Breach, o.Reading.Numerator = true, 40
	case certain:
		o.Breach, o.Certain, o.Reading.Numerator = true, true, 80
	}
	return o
}

func (s seen) fresh() bool { return s != staleBelow && s != staleBreach }

func TestStep(t *testing.T) {
	const m, h = time.Minute, time.Hour
	plain := Timing{KeepFiringFor: 15 * m, RemindEvery: 24 * h}
	tests := map[string]struct {
		timing Timing
		script []look
	}{
		"fires at the first breach as a warning, and resolves once below for keep_firing_for": {plain, []look{
			{0, below, Unchanged, 0},
			{1 * m, breach, Fired, Warning},
			{2 * m, breach, Unchanged, Warning},
			{3 * m, below, Unchanged, Warning},
			{16*m + 59*time.Second, below, Unchanged, Warning},
			{17 * m, below, Resolved, Warning}, // 15m after 2m, the last evaluation in breach
			{18 * m, below, Unchanged, 0},
		}},
		"a breach in between begins keep_firing_for anew": {plain, []look{
			{0, breach, Fired, Warning},
			{10 * m, below, Unchanged, Warning},
			{14 * m, breach, Unchanged, Warning},
			{20 * m, below, Unchanged, Warning},
			{28 * m, below, Unchanged, Warning},
			{29 * m, below, Resolved, Warning},
		}},
		"escalates once and never goes back": {plain, []look{
			{0, breach, Fired, Warning},
			{1 * m, certain, Escalated, Critical},
			{2 * m, breach, Unchanged, Critical},
			{3 * m, certain, Unchanged, Critical},
			{17 * m, below, Unchanged, Critical},
			{18 * m, below, Resolved, Critical},
		}},
		"fires as critical when it is certain at once": {plain, []look{
			{0, certain, Fired, Critical},
			{1 * m, breach, Unchanged, Critical},
		}},
		"waits for `for`, and begins anew after a break": {Timing{For: 5 * m, KeepFiringFor: 15 * m, RemindEvery: 24 * h}, []look{
			{0, breach, Unchanged, 0},
			{4 * m, certain, Unchanged, 0},
			{5*m - 1, below, Unchanged, 0},
			{6 * m, breach, Unchanged, 0},
			{11*m - 1, breach, Unchanged, 0},
			{11 * m, breach, Fired, Warning},
		}},
		"fire: certain waits for it, however long": {Timing{NeedsCertain: true, KeepFiringFor: 15 * m, RemindEvery: 24 * h}, []look{
			{0, breach, Unchanged, 0},
			{3 * h, breach, Unchanged, 0},
			{4 * h, certain, Fired, Critical},
			{5 * h, breach, Unchanged, Critical}, // open, so a breach is enough to stay open
			{5*h + 14*m, below, Unchanged, Critical},
			{5*h + 15*m, below, Resolved, Critical},
		}},
		"fire: certain with `for` counts the breach, not the certainty": {Timing{NeedsCertain: true, For: 5 * m, KeepFiringFor: 15 * m}, []look{
			{0, breach, Unchanged, 0},
			{6 * m, breach, Unchanged, 0},
			{7 * m, certain, Fired, Critical},
		}},
		"nothing resolves while the feed is stale, then the first fresh evaluation does it": {plain, []look{
			{0, breach, Fired, Warning},
			{1 * m, staleBelow, Unchanged, Warning},
			{3 * h, staleBelow, Unchanged, Warning},
			{4 * h, below, Resolved, Warning},
		}},
		"a breach seen on stale data counts": {plain, []look{
			{0, staleBreach, Fired, Warning},
			{10 * m, staleBreach, Unchanged, Warning},
			{20 * m, below, Unchanged, Warning},
			{25 * m, below, Resolved, Warning},
		}},
		"reminds from the last record on, also while it waits to resolve": {Timing{KeepFiringFor: 72 * h, RemindEvery: 24 * h}, []look{
			{0, breach, Fired, Warning},
			{2 * h, certain, Escalated, Critical},
			{25 * h, certain, Unchanged, Critical},
			{26 * h, below, Reminder, Critical},
			{49 * h, staleBelow, Unchanged, Critical},
			{50 * h, staleBelow, Reminder, Critical},
			{74 * h, below, Reminder, Critical},
			{97*h - 1, below, Unchanged, Critical},
			{97 * h, below, Resolved, Critical}, // last in breach at 25h
		}},
		"keep_firing_for 0 resolves at once": {Timing{RemindEvery: 24 * h}, []look{
			{0, breach, Fired, Warning},
			{1 * m, below, Resolved, Warning},
			{2 * m, breach, Fired, Warning},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var s Status
			var last time.Time
			for _, l := range test.script {
				now := t0.Add(l.after)
				next, change := Step(s, test.timing, l.seen.observation(), Moment{At: now, Now: now, Fresh: l.seen.fresh()}, last)
				if change != l.want {
					t.Fatalf("at %v: %v, expected %v", l.after, change, l.want)
				}
				if next.Severity != l.wantSev {
					t.Fatalf("at %v: severity %v, expected %v", l.after, next.Severity, l.wantSev)
				}
				if change == Resolved {
					next = Status{}
				}
				s, last = next, now
			}
		})
	}
}

func TestStepKeepsThePeakOfBreachesOnly(t *testing.T) {
	timing := Timing{KeepFiringFor: time.Hour}
	at := func(i int, o Observation, s Status) Status {
		now := t0.Add(time.Duration(i) * time.Minute)
		s, _ = Step(s, timing, o, Moment{now, now, true}, now.Add(-time.Minute))
		return s
	}
	reading := func(n, e int64) windows.Reading { return windows.Reading{Numerator: n, Denominator: e, Exposure: e} }
	s := at(0, Observation{Breach: true, Reading: reading(40, 1000)}, Status{})
	s = at(1, Observation{Breach: true, Reading: reading(90, 2000)}, s)
	s = at(2, Observation{Breach: true, Reading: reading(60, 1500)}, s)
	s = at(3, Observation{Reading: reading(2, 5)}, s) // 40%, but too little mail to be a breach
	if s.AtFire != reading(40, 1000) || s.Peak != reading(90, 2000) {
		t.Fatalf("at fire %+v, peak %+v; expected 40 of 1000 and 90 of 2000", s.AtFire, s.Peak)
	}
}

// TestStepProperties drives an alert at random and holds it to the contract's words.
func TestStepProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minutes := func(name string) time.Duration {
			return time.Duration(rapid.IntRange(0, 60).Draw(t, name)) * time.Minute
		}
		timing := Timing{
			NeedsCertain: rapid.Bool().Draw(t, "needs"), For: minutes("for"), KeepFiringFor: minutes("keep"), RemindEvery: minutes("remind") + time.Minute,
		}
		var s Status
		var last, lastBreach, runOfBreach time.Time
		now := t0
		for range rapid.IntRange(1, 80).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.IntRange(1, 1800).Draw(t, "gap")) * time.Second)
			o := seen(rapid.IntRange(0, 4).Draw(t, "seen"))
			ob := o.observation()
			if ob.Breach && runOfBreach.IsZero() {
				runOfBreach = now
			}
			if !ob.Breach {
				runOfBreach = time.Time{}
			}
			if ob.Breach {
				lastBreach = now
			}
			next, change := Step(s, timing, ob, Moment{now, now, o.fresh()}, last)
			due := ob.Breach && now.Sub(runOfBreach) >= timing.For && (ob.Certain || !timing.NeedsCertain)
			switch {
			case s.Phase != Open && (change == Fired) != due:
				t.Fatalf("fired %v, due %v", change == Fired, due)
			case s.Phase == Open && change == Fired:
				t.Fatal("fired while open")
			case change == Resolved && (!o.fresh() || ob.Breach || now.Sub(lastBreach) < timing.KeepFiringFor):
				t.Fatalf("resolved: %v, %v since the last breach", o, now.Sub(lastBreach))
			case s.Phase == Open && change != Resolved && o.fresh() && !ob.Breach && now.Sub(lastBreach) >= timing.KeepFiringFor:
				t.Fatal("not resolved")
			case change == Escalated && (s.Severity == Critical || !ob.Certain):
				t.Fatal("escalated without reason")
			case s.Phase == Open && change == Unchanged && now.Sub(s.LastRecord) >= timing.RemindEvery:
				t.Fatal("not reminded")
			case change == Unchanged && next.Seq != s.Seq && next.Phase == Open:
				t.Fatal("seq moved without a record")
			case change != Unchanged && change != Fired && next.Seq != s.Seq+1:
				t.Fatalf("seq %d after %d", next.Seq, s.Seq)
			case change == Fired && next.Seq != 1:
				t.Fatalf("the first seq is %d", next.Seq)
			case next.Phase == Open && next.Severity < s.Severity:
				t.Fatal("severity went down")
			}
			if next.Phase == Idle {
				next = Status{}
			}
			s, last = next, now
		}
	})
}

// A clock that was an hour ahead and is right again does not keep an alert open for an hour.
func TestStepAfterAClockThatWasAhead(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	timing := Timing{KeepFiringFor: time.Minute}
	at := func(s Status, offset, last time.Duration, breach bool) (Status, Change) {
		now := start.Add(offset)
		return Step(s, timing, Observation{Breach: breach}, Moment{now, now, true}, start.Add(last))
	}
	s, change := at(Status{}, time.Hour, time.Hour-time.Second, true)
	if change != Fired {
		t.Fatalf("got %s", change)
	}
	if s, change = at(s, time.Second, time.Hour, false); change != Unchanged {
		t.Fatalf("got %s, the breach was just seen", change)
	}
	if _, change = at(s, 61*time.Second, time.Second, false); change != Resolved {
		t.Fatalf("got %s a minute after the breach", change)
	}
}
