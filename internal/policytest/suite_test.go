package policytest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit"
	"sendwatch/internal/event"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func options() audit.Options {
	below, _ := windows.ParseRatio("3%")
	limit := policy.NewLimit(windows.Bounce, below)
	limit.Windows = []string{"24h"}
	ret := windows.DefaultRetention(400)
	ws := windows.DefaultWindows()
	return audit.Options{Combinations: []windows.Combination{{windows.Tenant}}, Retention: ret, Horizon: 48 * time.Hour, Providers: windows.NewProviders(nil, nil),
		Policies: policy.NewSet([]policy.Policy{{Name: "mine", Limits: []policy.Limit{limit}}}, ws, ret, policy.Defaults{})}
}

// badList is mail of which some bounces, an hour after it began.
func badList() Case {
	return Case{Start: start, Steps: []Step{
		{At: time.Hour, Every: time.Second, Count: 60, Event: event.Event{Type: event.Bounce, BounceClass: event.Hard, Tenant: "acme"}},
		{Every: time.Second, Count: 600, Event: event.Event{Type: event.Delivery, Tenant: "acme"}},
	}}
}

func TestRun(t *testing.T) {
	c := badList()
	c.Until = 48 * time.Hour
	var got []string
	for _, r := range c.Run(options()) {
		got = append(got, c.text(&r))
	}
	// 19 of 619 is the first that is 3% and more, 35 of 635 the first that is beyond chance; a day later the bounces have left.
	want := []string{
		`{at: 1h0m19s, change: fired, severity: warning, policy: mine, rate: bounce, window: 24h, subject: tenant=acme} # 19 of 619, 3.07%`,
		`{at: 1h0m35s, change: escalated, severity: critical, policy: mine, rate: bounce, window: 24h, subject: tenant=acme} # 35 of 635, 5.51%`,
	}
	if len(got) < 3 || !slices.Equal(got[:2], want) || !strings.Contains(got[len(got)-1], "change: resolved") {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

func TestStepsComeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Case{Start: start}
		var want []time.Duration
		for range rapid.IntRange(0, 4).Draw(t, "steps") {
			s := Step{At: time.Duration(rapid.IntRange(0, 50).Draw(t, "at")) * time.Second, Every: time.Duration(rapid.IntRange(0, 9).Draw(t, "every")) * time.Second,
				Count: rapid.IntRange(1, 9).Draw(t, "count"), Event: event.Event{Type: event.Delivery, Tenant: "a"}}
			for n := range s.Count {
				want = append(want, s.event(start, n).Time.Sub(start))
			}
			c.Steps = append(c.Steps, s)
			if last := want[len(want)-1]; last != s.Last() {
				t.Fatalf("last at %v, want %v", s.Last(), last)
			}
		}
		slices.Sort(want)
		var got []time.Duration
		c.each(func(e *event.Event) { got = append(got, e.Time.Sub(start)) })
		if !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

func TestNumbers(t *testing.T) {
	s := Step{At: time.Minute, Every: time.Second, Count: 3, Event: event.Event{Type: event.Open, ID: "e{n}", Recipient: "ann{n}@x.org", Tenant: "t", Campaign: "{n}-{n}"}}
	e := s.event(start, 1)
	if e.ID != "e2" || e.Recipient != "ann2@x.org" || e.Tenant != "t" || e.Campaign != "2-2" || !e.Time.Equal(start.Add(61*time.Second)) {
		t.Errorf("%+v", e)
	}
}

func TestFilter(t *testing.T) {
	c := badList()
	c.Only = Filter{Change: []string{"fired", "resolved"}, Severity: []string{"warning"}, Subject: []string{"tenant=acme"}}
	if got := c.Run(options()); len(got) != 1 || got[0].Change != alerts.Fired {
		t.Errorf("%d records", len(got))
	}
	c.Only.Window = []string{"1h"}
	if got := c.Run(options()); len(got) != 0 {
		t.Errorf("%d records of another window", len(got))
	}
}

func TestCompare(t *testing.T) {
	c := badList()
	got := c.Run(options())
	at := func(d time.Duration) *Span { return &Span{d, d} }
	fired := time.Hour + 19*time.Second
	for name, tc := range map[string]struct {
		want []Expectation
		diff string
	}{
		"all":              {[]Expectation{{Change: "fired", At: at(fired)}, {Change: "escalated"}}, ""},
		"in other order":   {[]Expectation{{Change: "escalated"}, {Change: "fired"}}, ""},
		"one takes less":   {[]Expectation{{Rate: "bounce"}, {Change: "fired"}}, ""},
		"a range":          {[]Expectation{{Change: "fired", At: &Span{time.Hour, 2 * time.Hour}}, {Change: "escalated"}}, ""},
		"nothing wanted":   {nil, "+ {at: 1h0m19s, change: fired, severity: warning, policy: mine, rate: bounce, window: 24h, subject: tenant=acme} # 19 of 619, 3.07%\n+ {at: 1h0m35s, change: escalated, severity: critical, policy: mine, rate: bounce, window: 24h, subject: tenant=acme} # 35 of 635, 5.51%"},
		"one too many":     {[]Expectation{{Change: "fired"}, {Change: "escalated"}, {Change: "resolved", Subject: "tenant=acme,ip=192.0.2.1"}}, `- {change: resolved, subject: "tenant=acme,ip=192.0.2.1"}`},
		"at another time":  {[]Expectation{{Change: "fired", At: &Span{time.Hour, time.Hour + time.Second}}, {Change: "escalated"}}, "- {at: 1h..1h0m1s, change: fired}\n+ {at: 1h0m19s, change: fired, severity: warning, policy: mine, rate: bounce, window: 24h, subject: tenant=acme} # 19 of 619, 3.07%\n  at is 1h0m19s, expected 1h..1h0m1s"},
		"another severity": {[]Expectation{{Change: "fired", Severity: "critical", Limit: "lists"}, {Change: "escalated"}}, "- {change: fired, severity: critical, limit: lists}\n+ {at: 1h0m19s, change: fired, severity: warning, policy: mine, rate: bounce, window: 24h, subject: tenant=acme} # 19 of 619, 3.07%\n  severity is warning, expected critical; limit is \"\", expected lists"},
	} {
		c.Want = tc.want
		var lines []string
		for _, d := range c.Compare(got) {
			lines = append(lines, c.Lines(d)...)
		}
		if diff := strings.Join(lines, "\n"); diff != tc.diff {
			t.Errorf("%s:\n%s\nwant\n%s", name, diff, tc.diff)
		}
	}
}

// TestComparisonTellsEverything says that a comparison is empty exactly when each record is expected once and nothing else is,
// and that what it tells adds up.
func TestComparisonTellsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SampledFrom([]string{"24h", "7d"})
		var got []alerts.Record
		for range rapid.IntRange(0, 5).Draw(t, "records") {
			got = append(got, alerts.Record{Change: alerts.Fired, Window: kinds.Draw(t, "window"), Rate: "bounce", SubjectKey: "all",
				EvaluatedAt: start.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "at")) * time.Minute)})
		}
		c := Case{Start: start}
		for range rapid.IntRange(0, 5).Draw(t, "expectations") {
			from := time.Duration(rapid.IntRange(0, 3).Draw(t, "from")) * time.Minute
			c.Want = append(c.Want, Expectation{Window: rapid.SampledFrom([]string{"", "24h", "7d"}).Draw(t, "wanted"), At: &Span{from, from + time.Minute}})
		}
		wanted, came := 0, 0
		for _, d := range c.Compare(got) {
			if d.Want != nil && d.Got != nil && c.meets(d.Want, d.Got) {
				t.Fatal("told as a difference, but it is none")
			}
			if d.Want != nil {
				wanted++
			}
			if d.Got != nil {
				came++
			}
		}
		if len(c.Want)-wanted != len(got)-came {
			t.Fatalf("%d of %d expectations met by %d of %d records", len(c.Want)-wanted, len(c.Want), len(got)-came, len(got))
		}
		if best := most(&c, got, 0, make([]bool, len(got))); len(c.Want)-wanted != best {
			t.Fatalf("%d expectations met, %d can be", len(c.Want)-wanted, best)
		}
	})
}

// most tries all ways of giving records to expectations.
func most(c *Case, got []alerts.Record, x int, taken []bool) int {
	if x == len(c.Want) {
		return 0
	}
	best := most(c, got, x+1, taken)
	for i := range got {
		if !taken[i] && c.meets(&c.Want[x], &got[i]) {
			taken[i] = true
			best = max(best, 1+most(c, got, x+1, taken))
			taken[i] = false
		}
	}
	return best
}

func TestTexts(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 15 * time.Minute: "15m", time.Hour: "1h", 26*time.Hour + time.Minute: "26h1m", 90 * time.Second: "1m30s", 20 * time.Minute: "20m", 10 * time.Second: "10s", 10 * time.Hour: "10h"} {
		if got := durationText(d); got != want {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
	for text, want := range map[string]string{"tenant=acme": "tenant=acme", "a,b": `"a,b"`, "": `""`, "a b": `"a b"`, "#x": `"#x"`} {
		if got := quoted(text); got != want {
			t.Errorf("%q is written %s, want %s", text, got, want)
		}
	}
}
