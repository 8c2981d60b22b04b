package windows

import (
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sendwatch/internal/event"
)

// tally is how often a counter was counted at one second.
type tally struct {
	unix    int64
	counter Counter
	n       int64
}

// events is a subject's history, by the second.
type events []tally

func (e events) series(ret Retention) *Series {
	s := NewSeries(ret)
	for _, t := range e {
		for step := Minute; int(step) < NumSteps; step++ {
			s.Add(step, step.BucketOf(t.unix), t.counter, t.n)
		}
	}
	return s
}

// floor is the start of the bucket of this size that a second lies in.
func floor(unix, size int64) int64 {
	q, m := new(big.Int).DivMod(big.NewInt(unix), big.NewInt(size), new(big.Int))
	_ = m
	return q.Int64() * size
}

// covered sums up the events whose bucket of this size starts in (floor(at) − length, floor(at)].
func (e events) covered(at, length, size int64) (sum map[Counter]int64) {
	sum = map[Counter]int64{}
	for _, t := range e {
		if start := floor(t.unix, size); start > floor(at, size)-length && start <= floor(at, size) {
			sum[t.counter] += t.n
		}
	}
	return sum
}

// define computes numerator and denominator from the table of the contract.
func define(f Formula, sum map[Counter]int64) (numerator, denominator int64) {
	classes := map[event.BounceClass]Counter{
		event.Hard: BouncedHard, event.Soft: BouncedSoft, event.Block: BouncedBlock, event.Undetermined: BouncedUndetermined,
	}
	switch f.Rate {
	case Bounce:
		denominator = sum[Delivered] - sum[BouncedAsync]
		for class, counter := range classes {
			denominator += sum[counter]
			if f.Classes == 0 || f.Classes&(1<<class) != 0 {
				numerator += sum[counter]
			}
		}
		return numerator, denominator
	case Complaint:
		if f.OverReporting {
			return sum[Complained], sum[DeliveredReporting]
		}
		return sum[Complained], sum[Delivered]
	case Unsubscribe:
		return sum[Unsubscribed], sum[Delivered]
	case Suppressed:
		return sum[DeliveredSuppressed], sum[Delivered]
	default:
		return sum[DeliveredEngaged], sum[Delivered]
	}
}

// spanRow is one entry of the contract's table of exposure spans: hours, size of bucket in seconds, n, m.
type spanRow struct{ hours, size, n, m int64 }

func contractSpans() map[string][]spanRow {
	return map[string][]spanRow{
		"1h": {
			{2, 60, 1, 2}, {4, 3600, 1, 4}, {8, 3600, 1, 8}, {16, 3600, 1, 16}, {32, 3600, 1, 32}, {64, 3600, 1, 64}, {128, 3600, 1, 128},
		},
		"24h": {{36, 3600, 24, 36}, {48, 3600, 24, 48}, {72, 3600, 24, 72}, {96, 3600, 24, 96}, {192, 3600, 24, 192}},
		"7d":  {{192, 3600, 7, 8}, {216, 3600, 7, 9}, {14 * 24, 86400, 7, 14}},
		"30d": {{36 * 24, 86400, 30, 36}, {60 * 24, 86400, 30, 60}},
		"2h":  {{4, 3600, 1, 2}, {8, 3600, 1, 4}, {16, 3600, 1, 8}},
		"90m": {{3, 60, 1, 2}, {6, 3600, 1, 4}, {12, 3600, 1, 8}},
		"3d":  {{144, 3600, 1, 2}, {12 * 24, 86400, 1, 4}, {24 * 24, 86400, 1, 8}},
		// 50 days kept: twice 20 are, four times are not.
		"20d": {{40 * 24, 86400, 1, 2}},
	}
}

func testWindows() []Window {
	return append(DefaultWindows(),
		Window{"2h", 2 * time.Hour, Minute}, Window{"90m", 90 * time.Minute, Minute}, Window{"3d", 72 * time.Hour, Hour},
		Window{"20d", 20 * 24 * time.Hour, Day})
}

// wantReading reads by the definitions. ok is false when the window's own buckets are not kept.
func wantReading(e events, f Formula, w Window, spans []spanRow, at int64, kept func(at, length, size int64) bool, judgeWindow bool) (Reading, bool) {
	size, length := w.Step.Seconds(), int64(w.Length/time.Second)
	if !kept(at, length, size) {
		return Reading{}, false
	}
	r := Reading{
		From: time.Unix(floor(at, size)-length+size, 0).UTC(), To: time.Unix(floor(at, size)+size, 0).UTC(),
	}
	r.Numerator, r.Denominator = define(f, e.covered(at, length, size))
	r.Exposure = r.Denominator
	if judgeWindow || f.Rate == Suppressed || f.Rate == Engaged {
		return r, true
	}
	for _, x := range spans {
		if !kept(at, x.hours*3600, x.size) {
			continue
		}
		_, d := define(f, e.covered(at, x.hours*3600, x.size))
		m := x.m
		if f.Rate == Bounce {
			m *= 2
		}
		share := new(big.Int).Mul(big.NewInt(d), big.NewInt(x.n))
		r.Exposure = max(r.Exposure, share.Div(share, big.NewInt(m)).Int64())
	}
	return r, true
}

func drawEvents(t *rapid.T, now int64) events {
	counters := []Counter{
		Delivered, BouncedHard, BouncedSoft, BouncedBlock, BouncedUndetermined, BouncedAdmin, Complained, ComplaintWithdrawn,
		Unsubscribed, DeliveredReporting, DeliveredEngaged, DeliveredSuppressed, Sent, Opened,
	}
	var list events
	for range rapid.IntRange(0, 60).Draw(t, "events") {
		back := rapid.Int64Range(-700, 1<<rapid.IntRange(1, 23).Draw(t, "how far")).Draw(t, "back")
		e := tally{now - back, rapid.SampledFrom(counters).Draw(t, "counter"), rapid.Int64Range(1, 3000).Draw(t, "n")}
		list = append(list, e)
		if e.counter == BouncedSoft && rapid.Bool().Draw(t, "async") {
			list = append(list, tally{e.unix, BouncedAsync, e.n})
		}
	}
	return list
}

func drawFormula(t *rapid.T) Formula {
	f := Formula{Rate: Rate(rapid.IntRange(0, NumRates-1).Draw(t, "rate"))}
	switch f.Rate {
	case Bounce:
		f.Classes = Classes(rapid.IntRange(0, 15).Draw(t, "classes"))
	case Complaint:
		f.OverReporting = rapid.Bool().Draw(t, "reporting")
	}
	return f
}

func TestReadAgainstDefinition(t *testing.T) {
	ws, spans := testWindows(), contractSpans()
	ret := DefaultRetention(50)
	plan := NewPlan(ws, ret)
	sums := plan.NewSums()
	rapid.Check(t, func(t *rapid.T) {
		now := rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(t, "now")
		list := drawEvents(t, now)
		s := list.series(ret)
		asOf := time.Unix(now, rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		kept := ret.At(asOf)
		if rapid.Bool().Draw(t, "trimmed") {
			s.Trim(asOf)
		}
		back := rapid.SampledFrom([]int64{0, 0, 1, 59, 3600, 7000, 100_000, 2_000_000}).Draw(t, "ago")
		at := asOf.Add(-time.Duration(back) * time.Second)
		isKept := func(at, length, size int64) bool {
			held := map[int64]int64{60: 3 * 3600, 3600: 9 * 86400, 86400: 50 * 86400}[size]
			first := floor(at, size) - length + size
			for start := floor(at, size); start >= first; start -= size {
				if start <= floor(now, size)-held {
					return false
				}
			}
			return true
		}
		sums.Load(s, at, kept)
		f := drawFormula(t)
		judgeWindow := rapid.Bool().Draw(t, "judge window")
		for i, w := range ws {
			want, ok := wantReading(list, f, w, spans[w.Name], at.Unix(), isKept, judgeWindow)
			got, err := Read(s, f, w, at, kept, judgeWindow)
			planned, plannedErr := sums.Read(i, f, judgeWindow)
			if !ok {
				if !errors.Is(err, ErrNotKept) || !errors.Is(plannedErr, ErrNotKept) {
					t.Fatalf("%s %d s ago: %v and %v, want an error", w.Name, back, err, plannedErr)
				}
				continue
			}
			if err != nil || plannedErr != nil {
				t.Fatalf("%s %d s ago: %v, %v", w.Name, back, err, plannedErr)
			}
			if got != want || planned != want {
				t.Fatalf("%v on %s %d s ago: %+v and, planned, %+v; want %+v", f, w.Name, back, got, planned, want)
			}
		}
	})
}

func TestSpanCoversWindow(t *testing.T) {
	at := time.Date(2026, 3, 1, 10, 30, 15, 0, time.UTC)
	for _, c := range []struct{ window, from, to string }{
		{"1h", "2026-03-01T09:31:00Z", "2026-03-01T10:31:00Z"},
		{"24h", "2026-02-28T11:00:00Z", "2026-03-01T11:00:00Z"},
		{"7d", "2026-02-22T11:00:00Z", "2026-03-01T11:00:00Z"},
		{"30d", "2026-01-31T00:00:00Z", "2026-03-02T00:00:00Z"},
	} {
		for _, w := range DefaultWindows() {
			if w.Name != c.window {
				continue
			}
			span := w.Span(at)
			if from, to := span.From().Format(time.RFC3339), span.To().Format(time.RFC3339); from != c.from || to != c.to {
				t.Errorf("%s: %s to %s, want %s to %s", w.Name, from, to, c.from, c.to)
			}
		}
	}
}

// All default windows and the spans of their exposure fit into what is kept, at every second of a day.
func TestDefaultWindowsAreKept(t *testing.T) {
	ret := DefaultRetention(400)
	for second := int64(0); second < 86400; second += 7 {
		at := time.Unix(1_770_000_000+second, 0)
		kept := ret.At(at)
		for _, w := range DefaultWindows() {
			if !kept.Has(w.Span(at)) {
				t.Fatalf("%s at %v is not kept", w.Name, at)
			}
			for _, x := range w.Exposure(ret) {
				if !kept.Has(SpanAt(x.Step, x.Length, at)) {
					t.Fatalf("%s's span %v at %v is not kept", w.Name, x.Length, at)
				}
			}
		}
	}
}

func TestSeriesThatForgotIsNotRead(t *testing.T) {
	ret := DefaultRetention(400)
	s := NewSeries(ret)
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	s.Add(Minute, Minute.Bucket(now), Delivered, 5)
	s.Trim(now)
	_, err := Read(s, Formula{}, DefaultWindows()[0], now.Add(-4*time.Hour), ret.At(now.Add(-4*time.Hour)), false)
	if !errors.Is(err, ErrNotKept) {
		t.Errorf("got %v, want an error that wraps ErrNotKept", err)
	}
	const want = "window 1h from 2026-03-01T05:01:00Z: its 1m buckets are kept from 2026-03-01T07:01:00Z on"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %q", err, want)
	}
}

func TestFiguresWithoutData(t *testing.T) {
	f := Reading{}.Figures()
	if f.Ratio != nil || f.Judged != nil || f.Lower != nil || f.Upper != nil {
		t.Errorf("figures of nothing: %+v", f)
	}
	f = Reading{Numerator: 3, Exposure: 100}.Figures()
	if f.Ratio != nil || f.Judged == nil || f.Lower == nil || f.Upper == nil {
		t.Errorf("figures without a denominator: %+v", f)
	}
}

func TestDefinition(t *testing.T) {
	ret := DefaultRetention(400)
	hard, _ := NewClasses(event.Hard)
	w := DefaultWindows()
	for _, c := range []struct {
		formula     Formula
		window      Window
		judgeWindow bool
		want        string
	}{
		{
			Formula{Rate: Bounce, Classes: hard}, w[3], false,
			"bounce = bounced (hard) ÷ (delivered + bounced (hard, soft, block, undetermined) − bounced_async), by the events' own time, " +
				"over the 30 UTC buckets of 1d up to the one that as_of lies in (30d). Judged on the exposure: the largest of the " +
				"denominator and, rounded down, the same denominator over 36d (1d) × 30/72, 60d (1d) × 30/120; spans whose buckets are " +
				"no longer kept are left out.",
		},
		{
			Formula{Rate: Complaint, OverReporting: true}, w[0], true,
			"complaint = complained ÷ delivered at mailbox providers that send complaint reports, by the events' own time, over the 60 " +
				"UTC buckets of 1m up to the one that as_of lies in (1h). Judged on the denominator of the window itself.",
		},
		{
			Formula{Rate: Unsubscribe}, w[2], false,
			"unsubscribe = unsubscribed ÷ delivered, by the events' own time, over the 168 UTC buckets of 1h up to the one that as_of lies " +
				"in (7d). Judged on the exposure: the largest of the denominator and, rounded down, the same denominator over 192h (1h) " +
				"× 7/8, 216h (1h) × 7/9, 14d (1d) × 7/14; spans whose buckets are no longer kept are left out.",
		},
	} {
		if got := c.formula.Definition(c.window, ret, c.judgeWindow); got != c.want {
			t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
		}
	}
}

func TestWindowCheck(t *testing.T) {
	ret := DefaultRetention(400)
	for _, w := range DefaultWindows() {
		if err := w.Check(ret); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
	}
	for _, w := range []Window{
		{"", time.Hour, Minute}, {"a b", time.Hour, Minute}, {"x", 0, Minute}, {"x", 90 * time.Second, Minute}, {"x", 4 * time.Hour, Minute},
		{"x", 10 * 24 * time.Hour, Hour}, {"x", 401 * 24 * time.Hour, Day},
	} {
		if err := w.Check(ret); err == nil {
			t.Errorf("%+v is taken", w)
		}
	}
}

func BenchmarkFullJudgement(b *testing.B) {
	ws, ret := DefaultWindows(), DefaultRetention(400)
	now := time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC)
	s := NewSeries(ret)
	fill(s, now, 400)
	sums := NewPlan(ws, ret).NewSums()
	b.ReportAllocs()
	defer func() { b.ReportMetric(float64(s.Bytes()), "bytes/subject") }()
	for b.Loop() {
		sums.Load(s, now, ret.At(now))
		for i := range ws {
			for rate := Bounce; rate <= Unsubscribe; rate++ {
				r, err := sums.Read(i, Formula{Rate: rate}, false)
				if err != nil || !AtLeast(r.Numerator, r.Exposure, Ratio{1, 1000}) && Certain(r.Numerator, r.Exposure, Ratio{1, 1000}) {
					b.Fatal(err)
				}
			}
		}
	}
}

func BenchmarkSeriesAdd(b *testing.B) {
	now := time.Date(2026, 3, 1, 10, 30, 0, 0, time.UTC)
	s := NewSeries(DefaultRetention(400))
	fill(s, now, 400)
	b.ReportAllocs()
	for b.Loop() {
		s.Add(Hour, Hour.Bucket(now)-3, Unsubscribed, 1)
	}
}

// The random histories seldom let each span decide, so the table is also compared entry by entry.
func TestExposureTable(t *testing.T) {
	ret := DefaultRetention(50)
	for _, w := range testWindows() {
		var got []spanRow
		for _, x := range w.Exposure(ret) {
			got = append(got, spanRow{int64(x.Length / time.Hour), x.Step.Seconds(), x.N, x.M})
		}
		if want := contractSpans()[w.Name]; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", w.Name, got, want)
		}
	}
	// The name alone, or the length alone, makes no default window.
	for _, w := range []Window{{"1h", 2 * time.Hour, Minute}, {"hour", time.Hour, Minute}} {
		if got := w.Exposure(ret); len(got) != 3 || got[0].M != 2 || got[1].M != 4 || got[2].M != 8 {
			t.Errorf("%v: %v", w, got)
		}
	}
}

func TestPlanRetention(t *testing.T) {
	ret := DefaultRetention(400)
	got := NewPlan(DefaultWindows(), ret).Retention(ret)
	if want := (Retention{ret[Minute], ret[Hour], 62 * 24 * time.Hour}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	s := NewSeries(got)
	fill(s, time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), 400)
	if n := s.Bytes(); n > 13_000 {
		t.Errorf("a busy subject takes %d bytes in an evaluator", n)
	}
}

func TestLabelsInJSON(t *testing.T) {
	labels := Labels{{Tenant, `a"c`}, {IP, "203.0.113.9"}}
	text, err := json.Marshal(labels)
	if want := `{"tenant":"a\"c","ip":"203.0.113.9"}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
	var back Labels
	if err := json.Unmarshal(text, &back); err != nil || !slices.Equal(back, labels) {
		t.Errorf("read back as %v, %v", back, err)
	}
	for _, wrong := range []string{`[]`, `{"planet":"x"}`, `{"tenant":1}`} {
		if err := json.Unmarshal([]byte(wrong), &back); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "36h": 36 * time.Hour, "90m": 90 * time.Minute, "15s": 15 * time.Second, "0s": 0,
		"1.5s": 1500 * time.Millisecond, "1h": time.Hour,
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
