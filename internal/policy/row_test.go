package policy

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sendwatch/internal/windows"
)

var now = time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC)

// series holds the counts in the current bucket of every step.
func series(counts map[windows.Counter]int64) *windows.Series {
	s := windows.NewSeries(windows.DefaultRetention(400))
	for c, n := range counts {
		for step := windows.Minute; int(step) < windows.NumSteps; step++ {
			s.Add(step, step.Bucket(now), c, n)
		}
	}
	return s
}

func newSet(policies ...Policy) *Set {
	return NewSet(policies, windows.DefaultWindows(), windows.DefaultRetention(400), Defaults{})
}

func pack(name string) Policy {
	p, _ := Pack(name)
	return p
}

func kept() windows.Kept { return windows.DefaultRetention(400).At(now) }

// describe is one line a row: rate, window, policy and limit, verdict.
func describe(rows []Row) []string {
	var out []string
	for _, r := range rows {
		verdict := "-"
		if r.Verdict != nil {
			verdict = r.Verdict.String()
		}
		out = append(out, strings.Join([]string{r.Rate.String(), r.Window, text(r.Policy) + "/" + r.LimitName, verdict}, " "))
	}
	return out
}

func TestRowsOfTheDefault(t *testing.T) {
	s := series(map[windows.Counter]int64{windows.Delivered: 969, windows.BouncedHard: 31, windows.Complained: 1})
	rows, err := newSet(pack(Default)).Rows("tenant=acme,ip=203.0.113.9", s, now, kept(), Filter{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bounce 1h dynamics-365/ breach", "bounce 24h dynamics-365/ breach", "bounce 7d dynamics-365/ breach", "bounce 30d dynamics-365/ breach",
		"complaint 1h / -", "complaint 24h dynamics-365/ low_volume", "complaint 7d dynamics-365/ low_volume", "complaint 30d dynamics-365/ low_volume",
		"unsubscribe 1h / -", "unsubscribe 24h dynamics-365/ ok", "unsubscribe 7d dynamics-365/ ok", "unsubscribe 30d dynamics-365/ ok",
	}
	if got := describe(rows); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRowInJSON(t *testing.T) {
	s := series(map[windows.Counter]int64{windows.Delivered: 969, windows.BouncedHard: 31})
	set := newSet(pack(Default))
	for _, c := range []struct {
		rate   windows.Rate
		window string
		counts *windows.Series
		want   string
	}{
		{windows.Bounce, "24h", s, `{"subject":{"tenant":"acme","ip":"203.0.113.9"},"subject_key":"tenant=acme,ip=203.0.113.9",` +
			`"policy":"dynamics-365","rate":"bounce","window":"24h","from":"2026-02-28T11:00:00Z","to":"2026-03-01T11:00:00Z",` +
			`"numerator":31,"denominator":1000,"exposure":1000,"ratio":0.031,"judged":0.031,"lower":0.02317`},
		{windows.Complaint, "1h", s, `{"subject":{"tenant":"acme","ip":"203.0.113.9"},"subject_key":"tenant=acme,ip=203.0.113.9",` +
			`"policy":null,"rate":"complaint","window":"1h","from":"2026-03-01T09:31:00Z","to":"2026-03-01T10:31:00Z",` +
			`"numerator":0,"denominator":969,"exposure":969,"ratio":0,"judged":0,"lower":0,"upper":0.0027`},
		{windows.Unsubscribe, "24h", series(nil), `{"subject":{"tenant":"acme","ip":"203.0.113.9"},"subject_key":"tenant=acme,ip=203.0.113.9",` +
			`"policy":"dynamics-365","rate":"unsubscribe","window":"24h","from":"2026-02-28T11:00:00Z","to":"2026-03-01T11:00:00Z",` +
			`"numerator":0,"denominator":0,"exposure":0,"ratio":null,"judged":null,"lower":null,"upper":null,"limit":0.01,"verdict":"no_data",` +
			`"certain":false,"headroom":0,"definition":"unsubscribe = `},
	} {
		rows, err := set.Rows("tenant=acme,ip=203.0.113.9", c.counts, now, kept(), Filter{Window: c.window, Rate: &c.rate})
		if err != nil || len(rows) != 1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		text, err := json.Marshal(rows[0])
		if err != nil || !strings.HasPrefix(string(text), c.want) {
			t.Errorf("%v\n%s\ndoes not begin with\n%s", err, text, c.want)
		}
		var keys map[string]any
		if err := json.Unmarshal(text, &keys); err != nil {
			t.Fatal(err)
		}
		for _, key := range strings.Fields("subject subject_key policy rate window from to numerator denominator exposure ratio judged " +
			"lower upper limit verdict certain headroom definition") {
			if _, ok := keys[key]; !ok {
				t.Errorf("no %q in %s", key, text)
			}
		}
		if rows[0].Policy == nil && (keys["limit"] != nil || keys["verdict"] != nil || keys["certain"] != nil || keys["headroom"] != nil) {
			t.Errorf("a row without a policy says %s", text)
		}
		var back Row
		if err := json.Unmarshal(text, &back); err != nil || back.Reading() != rows[0].Reading() {
			t.Errorf("read back as %+v, %v", back, err)
		}
	}
}

// The mail was two days ago, the responses come now: no denominator in the day, but an exposure.
func TestRowWithoutDenominator(t *testing.T) {
	s := series(map[windows.Counter]int64{windows.Complained: 5})
	s.Add(windows.Hour, windows.Hour.Bucket(now)-30, windows.Delivered, 10_000)
	rate := windows.Complaint
	rows, err := newSet(pack(Default)).Rows("all", s, now, kept(), Filter{Window: "24h", Rate: &rate})
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	r := rows[0]
	if r.Denominator != 0 || r.Exposure != 6666 || r.Ratio != nil || r.Judged == nil || r.Lower == nil || r.Upper == nil || *r.Verdict != OK ||
		*r.Headroom != 2 {
		t.Errorf("%+v", r)
	}
	if text, _ := json.Marshal(r.Subject); string(text) != "{}" {
		t.Errorf("the subject all is %s", text)
	}
}

func TestRowsOfSeveralPolicies(t *testing.T) {
	matched := NewLimit(windows.Complaint, ratio(1, 100))
	matched.Name, matched.Match = "acme", map[windows.Dimension]string{windows.Tenant: "acme"}
	suppressed := NewLimit(windows.Suppressed, ratio(0, 1))
	mine := Policy{"mine", []Limit{matched, suppressed}}
	s := series(map[windows.Counter]int64{
		windows.Delivered: 920, windows.BouncedHard: 80, windows.DeliveredSuppressed: 1, windows.DeliveredReporting: 500, windows.Complained: 4,
	})
	set := newSet(pack(Default), mine, pack("amazon-ses"))
	for subject, want := range map[string][]string{
		"tenant=acme": {
			"bounce 24h dynamics-365/ breach", "bounce 24h amazon-ses/bounce-review breach",
			"complaint 24h dynamics-365/ breach", "complaint 24h mine/acme ok", "complaint 24h amazon-ses/complaint-pause breach",
			"unsubscribe 24h dynamics-365/ ok", "suppressed 24h mine/ breach",
		},
		"tenant=other": {
			"bounce 24h dynamics-365/ breach", "bounce 24h amazon-ses/bounce-review breach",
			"complaint 24h dynamics-365/ breach", "complaint 24h amazon-ses/complaint-pause breach",
			"unsubscribe 24h dynamics-365/ ok", "suppressed 24h mine/ breach",
		},
	} {
		rows, err := set.Rows(subject, s, now, kept(), Filter{Window: "24h"})
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(rows); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", subject, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	// A limit that is not this subject's leaves a row without a policy.
	rows, err := newSet(mine).Rows("tenant=other", s, now, kept(), Filter{Window: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"bounce 1h / -", "complaint 1h / -", "unsubscribe 1h / -", "suppressed 1h mine/ breach"}
	if got := describe(rows); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRowsRefuse(t *testing.T) {
	set := newSet(pack(Default))
	s := series(nil)
	if _, err := set.Rows("tenant:acme", s, now, kept(), Filter{}); err == nil || errors.Is(err, windows.ErrNotKept) {
		t.Errorf("a wrong key: %v", err)
	}
	ago := now.Add(-5 * time.Hour)
	if _, err := set.Rows("all", s, ago, kept(), Filter{}); !errors.Is(err, windows.ErrNotKept) {
		t.Errorf("minutes of five hours ago: %v", err)
	}
	if rows, err := set.Rows("all", s, ago, kept(), Filter{Window: "24h"}); err != nil || len(rows) != 3 {
		t.Errorf("a day that ended five hours ago: %d rows, %v", len(rows), err)
	}
}

func TestCompareWorst(t *testing.T) {
	set := newSet(pack(Default), pack("strict"))
	var rows []Row
	for subject, counts := range map[string]map[windows.Counter]int64{
		"tenant=bounces":    {windows.Delivered: 950, windows.BouncedHard: 50},                 // 1.67 and 2.5 times
		"tenant=complaints": {windows.Delivered: 10_000, windows.Complained: 30},               // 3 and 3.75 times
		"tenant=close":      {windows.Delivered: 1_000_000_000, windows.Complained: 3_000_001}, // a hair above
		"tenant=nothing":    {},
	} {
		r, err := set.Rows(subject, series(counts), now, kept(), Filter{Window: "24h"})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r...)
	}
	unlimited, err := newSet(pack("google-yahoo")).Rows("tenant=bounces", series(nil), now, kept(), Filter{Window: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	rows = append(rows, unlimited...)
	slices.SortFunc(rows, func(a, b Row) int { return CompareWorst(&a, &b) })
	var got []string
	for _, r := range rows[:6] {
		got = append(got, r.SubjectKey[len("tenant="):]+" "+r.Rate.String()+" "+text(r.Policy))
	}
	want := []string{
		"close complaint strict", "complaints complaint strict", "close complaint dynamics-365", "complaints complaint dynamics-365",
		"bounces bounce strict", "bounces bounce dynamics-365",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i := 1; i < len(rows); i++ {
		if rows[i-1].rank() > rows[i].rank() {
			t.Errorf("row %d is out of place", i)
		}
	}
	if last := rows[len(rows)-1]; last.Limit != nil {
		t.Errorf("a row with a limit comes last")
	}
}

// Whatever policies are in force, every rate and window has one row a policy, or one without any.
func TestRowsAreComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var policies []Policy
		for i := range rapid.IntRange(0, 3).Draw(t, "policies") {
			p := Policy{Name: string('a' + rune(i))}
			for range rapid.IntRange(1, 4).Draw(t, "limits") {
				l := NewLimit(windows.Rate(rapid.IntRange(0, 4).Draw(t, "rate")), ratio(rapid.Int64Range(1, 100).Draw(t, "line"), 100))
				l.Windows = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1h", "24h", "7d", "30d", "gone"}), 1, 5, rapid.ID[string]).Draw(t, "windows")
				if rapid.Bool().Draw(t, "elsewhere") {
					l.Match = map[windows.Dimension]string{windows.Tenant: "elsewhere"}
				}
				p.Limits = append(p.Limits, l)
			}
			policies = append(policies, p)
		}
		s := series(map[windows.Counter]int64{
			windows.Delivered: rapid.Int64Range(0, 3000).Draw(t, "delivered"), windows.BouncedSoft: rapid.Int64Range(0, 90).Draw(t, "bounced"),
			windows.Complained: rapid.Int64Range(0, 9).Draw(t, "complained"), windows.DeliveredEngaged: rapid.Int64Range(0, 100).Draw(t, "engaged"),
		})
		rows, err := newSet(policies...).Rows("tenant=acme", s, now, kept(), Filter{})
		if err != nil {
			t.Fatal(err)
		}
		type pair struct {
			rate   windows.Rate
			window string
		}
		got := map[pair][]string{}
		for _, r := range rows {
			got[pair{r.Rate, r.Window}] = append(got[pair{r.Rate, r.Window}], text(r.Policy))
		}
		for rate := windows.Bounce; rate <= windows.Engaged; rate++ {
			for _, w := range windows.DefaultWindows() {
				var want []string
				for _, p := range policies {
					if slices.ContainsFunc(p.Limits, func(l Limit) bool {
						return l.Rate == rate && slices.Contains(l.Windows, w.Name) && l.Match == nil
					}) {
						want = append(want, p.Name)
					}
				}
				if want == nil && rate <= windows.Unsubscribe {
					want = []string{""}
				}
				if found := got[pair{rate, w.Name}]; !slices.Equal(found, want) {
					t.Fatalf("%v on %s: policies %q, want %q", rate, w.Name, found, want)
				}
			}
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	set := newSet(pack(Default))
	s := windows.NewSeries(windows.DefaultRetention(400))
	for step := windows.Minute; int(step) < windows.NumSteps; step++ {
		for back := range int64(400) {
			for c := windows.Delivered; c <= windows.Unsubscribed; c++ {
				s.Add(step, step.Bucket(now)-back, c, 3+back)
			}
		}
	}
	s.Trim(now)
	sums, k := set.Plan().NewSums(), kept()
	b.ReportAllocs()
	breaches := 0
	for b.Loop() {
		sums.Load(s, now, k)
		for i := range set.Rules() {
			r := &set.Rules()[i]
			reading, err := sums.Read(r.WindowIndex, r.Formula, r.JudgeWindow)
			if err != nil {
				b.Fatal(err)
			}
			if r.Judge(reading).Verdict == Breach {
				breaches++
			}
		}
	}
	if breaches == 0 {
		b.Error("nothing was judged")
	}
}

func BenchmarkRows(b *testing.B) {
	set := newSet(pack(Default))
	s, k := series(map[windows.Counter]int64{windows.Delivered: 969, windows.BouncedHard: 31}), kept()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := set.Rows("tenant=acme,ip=203.0.113.9", s, now, k, Filter{}); err != nil {
			b.Fatal(err)
		}
	}
}
