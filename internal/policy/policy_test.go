package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

func TestDynamics365(t *testing.T) {
	p, ok := Pack("dynamics-365")
	if !ok {
		t.Fatal("no such pack")
	}
	set := NewSet([]Policy{p}, windows.DefaultWindows(), windows.DefaultRetention(400), Defaults{})
	var got []string
	for _, r := range set.Rules() {
		l := r.Limit
		if l.MinVolume != 200 || l.MinEvents != 3 || l.WatchAt != ratio(4, 5) || r.JudgeWindow || r.For != 0 || l.Subjects != nil ||
			l.Match != nil || l.Name != "" || r.RemindEvery != 24*time.Hour || r.Policy != "dynamics-365" ||
			r.Formula != (windows.Formula{Rate: l.Rate}) {
			t.Errorf("%+v differs from the defaults", r)
		}
		got = append(got, strings.Join([]string{
			l.Rate.String(), l.Below.String(), r.Window.Name, r.Fire.String(), windows.FormatDuration(r.KeepFiringFor),
		}, " "))
	}
	want := []string{
		"bounce 3% 1h certain 1h", "bounce 3% 24h crossing 6h", "bounce 3% 7d crossing 24h", "bounce 3% 30d crossing 24h",
		"complaint 0.1% 24h crossing 6h", "complaint 0.1% 7d crossing 24h", "complaint 0.1% 30d crossing 24h",
		"unsubscribe 1% 24h crossing 6h", "unsubscribe 1% 7d crossing 24h", "unsubscribe 1% 30d crossing 24h",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestPacksAreValid(t *testing.T) {
	for _, name := range PackNames() {
		p, ok := Pack(name)
		if !ok || p.Name != name || len(p.Limits) == 0 {
			t.Errorf("%s: %+v, %v", name, p, ok)
		}
		if problems := p.Problems(); problems != nil {
			t.Errorf("%s: %v", name, problems)
		}
		p.Limits[0].Below = ratio(1, 2)
		if again, _ := Pack(name); again.Limits[0].Below == ratio(1, 2) {
			t.Errorf("%s: what one caller changes shows in another's", name)
		}
	}
	if _, ok := Pack("Dynamics-365"); ok {
		t.Error("names of packs are exact")
	}
	if PackNames()[0] != Default {
		t.Error("the default is not the first")
	}
}

func TestGoogleYahooWatchesFromATenth(t *testing.T) {
	p, _ := Pack("google-yahoo")
	for complaints, want := range map[int64]Verdict{9: OK, 10: Watch, 29: Watch, 30: Breach} {
		if got := p.Limits[0].Assess(windows.Reading{Numerator: complaints, Exposure: 10_000}).Verdict; got != want {
			t.Errorf("%d of 10000: %v, want %v", complaints, got, want)
		}
	}
}

func TestOwnWindowsAndSettings(t *testing.T) {
	hour, two, ten := time.Hour, 2*time.Hour, 10*time.Hour
	all := NewLimit(windows.Bounce, ratio(3, 100))
	set := NewLimit(windows.Bounce, ratio(3, 100))
	set.Windows = []string{"24h", "gone", "1h"}
	set.Fire = PerWindow[Fire]{ByWindow: map[string]Fire{"1h": Crossing, "24h": Certain}}
	certain := Certain
	everywhere := NewLimit(windows.Complaint, ratio(1, 100))
	everywhere.Fire.All = &certain
	everywhere.KeepFiringFor = PerWindow[time.Duration]{All: &two, ByWindow: map[string]time.Duration{"7d": hour}}
	everywhere.RemindEvery = &hour
	ws := append(windows.DefaultWindows(), windows.Window{Name: "short", Length: time.Hour, Step: windows.Minute},
		windows.Window{Name: "12h", Length: 12 * time.Hour, Step: windows.Hour}, windows.Window{Name: "3d", Length: 72 * time.Hour, Step: windows.Hour})
	s := NewSet([]Policy{{"mine", []Limit{all, set, everywhere}}}, ws, windows.DefaultRetention(400),
		Defaults{KeepFiringFor: PerWindow[time.Duration]{ByWindow: map[string]time.Duration{"24h": ten}}, RemindEvery: two})
	var got []string
	for _, r := range s.Rules() {
		got = append(got, strings.Join([]string{
			string('0' + rune(r.LimitIndex)), r.Window.Name, r.Fire.String(), windows.FormatDuration(r.KeepFiringFor),
			windows.FormatDuration(r.RemindEvery),
		}, " "))
	}
	want := []string{
		"0 1h certain 1h 2h", "0 24h crossing 10h 2h", "0 7d crossing 24h 2h", "0 30d crossing 24h 2h", "0 short crossing 1h 2h",
		"0 12h crossing 6h 2h", "0 3d crossing 24h 2h",
		"1 1h crossing 1h 2h", "1 24h certain 10h 2h",
		"2 1h certain 2h 1h", "2 24h certain 2h 1h", "2 7d certain 1h 1h", "2 30d certain 2h 1h", "2 short certain 2h 1h",
		"2 12h certain 2h 1h", "2 3d certain 2h 1h",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestApplies(t *testing.T) {
	type match = map[windows.Dimension]string
	tenantIP := windows.Combination{windows.Tenant, windows.IP}
	for _, c := range []struct {
		subjects []windows.Combination
		match    match
		subject  string
		want     bool
	}{
		{nil, nil, "all", true},
		{nil, nil, "tenant=acme,ip=::1", true},
		{[]windows.Combination{{}}, nil, "all", true},
		{[]windows.Combination{{}}, nil, "tenant=acme", false},
		{[]windows.Combination{tenantIP}, nil, "tenant=acme,ip=::1", true},
		{[]windows.Combination{tenantIP}, nil, "ip=::1,tenant=acme", true},
		{[]windows.Combination{tenantIP}, nil, "tenant=acme", false},
		{[]windows.Combination{{windows.Tenant}}, nil, "tenant=acme,ip=::1", false},
		{nil, match{windows.Tenant: "acme*"}, "tenant=acme-eu", true},
		{nil, match{windows.Tenant: "acme*"}, "tenant=acme-eu,provider=gmail", true},
		{nil, match{windows.Tenant: "acme*"}, "tenant=other", false},
		{nil, match{windows.Tenant: "acme*"}, "all", false},
		{nil, match{windows.Tenant: "*"}, "ip=::1", false},
		{nil, match{windows.Tenant: "a,b"}, "tenant=a%2Cb", true},
		{nil, match{windows.Tenant: "acme", windows.Provider: "gmail"}, "tenant=acme,provider=gmail", true},
		{nil, match{windows.Tenant: "acme", windows.Provider: "gmail"}, "tenant=acme,provider=yahoo", false},
		{[]windows.Combination{{windows.Tenant}}, match{windows.Tenant: "acme"}, "tenant=acme", true},
	} {
		l := NewLimit(windows.Bounce, ratio(3, 100))
		l.Subjects, l.Match = c.subjects, c.match
		labels, _ := windows.ParseSubject(c.subject)
		if got := l.Applies(labels); got != c.want {
			t.Errorf("subjects %v, match %v on %s: %v", c.subjects, c.match, c.subject, got)
		}
	}
}

func TestProblems(t *testing.T) {
	negative, zero := -time.Second, time.Duration(0)
	hard, _ := windows.NewClasses(event.Hard)
	for name, c := range map[string]struct {
		change func(*Policy)
		want   string
	}{
		"no name":             {func(p *Policy) { p.Name = "" }, `name: ""; `},
		"spaces":              {func(p *Policy) { p.Name = "my policy" }, `name: "my policy"; `},
		"no limits":           {func(p *Policy) { p.Limits = nil }, "limits: none; "},
		"limit's name":        {func(p *Policy) { p.Limits[0].Name = "a b" }, `limits[0].name: "a b"; `},
		"name twice":          {func(p *Policy) { p.Limits[0].Name, p.Limits[1].Name = "a", "a" }, `limits[1].name: "a" again; `},
		"below zero":          {func(p *Policy) { p.Limits[1].Below = ratio(0, 1) }, "limits[1].below: 0%; "},
		"below nothing":       {func(p *Policy) { p.Limits[1].Below = windows.Ratio{} }, "limits[1].below: nothing; "},
		"below too high":      {func(p *Policy) { p.Limits[0].Below = ratio(3, 1) }, "limits[0].below: 300%; "},
		"at_least for bounce": {func(p *Policy) { p.Limits[0].AtLeast = ratio(4, 5) }, "limits[0].at_least: 80% for bounce; "},
		"below for engaged":   {func(p *Policy) { p.Limits[0].Rate = windows.Engaged; p.Limits[0].AtLeast = ratio(4, 5) }, "limits[0].below: 3% for engaged; "},
		"no windows":          {func(p *Policy) { p.Limits[0].Windows = []string{} }, "limits[0].windows: an empty list; "},
		"window twice":        {func(p *Policy) { p.Limits[0].Windows = []string{"1h", "1h"} }, `limits[0].windows: "1h" again; `},
		"classes":             {func(p *Policy) { p.Limits[1].Classes = hard }, "limits[1].classes: given for complaint; "},
		"over":                {func(p *Policy) { p.Limits[0].Over = OverReporting }, "limits[0].over: reporting for bounce; "},
		"min_volume":          {func(p *Policy) { p.Limits[0].MinVolume = -1 }, "limits[0].min_volume: -1; "},
		"min_events":          {func(p *Policy) { p.Limits[0].MinEvents = -5 }, "limits[0].min_events: -5; "},
		"watch_at":            {func(p *Policy) { p.Limits[0].WatchAt = ratio(6, 5) }, "limits[0].watch_at: 120%; "},
		"for":                 {func(p *Policy) { p.Limits[0].For = negative }, "limits[0].for: -1s; "},
		"keep_firing_for":     {func(p *Policy) { p.Limits[0].KeepFiringFor.All = &negative }, "limits[0].keep_firing_for: -1s; "},
		"one keep_firing_for": {func(p *Policy) { p.Limits[0].KeepFiringFor.ByWindow = map[string]time.Duration{"1h": -1} }, "limits[0].keep_firing_for.1h: -1ns; "},
		"remind_every":        {func(p *Policy) { p.Limits[0].RemindEvery = &zero }, "limits[0].remind_every: 0s; "},
		"no subjects":         {func(p *Policy) { p.Limits[0].Subjects = []windows.Combination{} }, "limits[0].subjects: an empty list; "},
		"dimension twice":     {func(p *Policy) { p.Limits[0].Subjects = []windows.Combination{{0, 0}} }, "limits[0].subjects[0]: tenant twice; "},
		"empty match":         {func(p *Policy) { p.Limits[0].Match = map[windows.Dimension]string{windows.IP: ""} }, "limits[0].match.ip: an empty text; "},
		"match beside subject": {func(p *Policy) {
			p.Limits[0].Subjects = []windows.Combination{{windows.Tenant}}
			p.Limits[0].Match = map[windows.Dimension]string{windows.IP: "::1"}
		}, "limits[0].match: a dimension that none of the limit's subjects has; "},
	} {
		p := Policy{"mine", []Limit{NewLimit(windows.Bounce, ratio(3, 100)), NewLimit(windows.Complaint, ratio(1, 1000))}}
		if problems := p.Problems(); problems != nil {
			t.Fatal(problems)
		}
		c.change(&p)
		problems := p.Problems()
		if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, problems, c.want)
		}
	}
	p := Policy{Limits: []Limit{{}}}
	if got := p.Problems(); len(got) != 3 {
		t.Errorf("all mistakes are to be named: %v", got)
	}
	good := Policy{"mine", []Limit{NewLimit(windows.Suppressed, ratio(0, 1)), NewLimit(windows.Engaged, ratio(4, 5))}}
	if got := good.Problems(); got != nil {
		t.Errorf("%v", got)
	}
}
