package policy

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"sendwatch/internal/windows"
)

func ratio(a, b int64) windows.Ratio { return windows.NewRatio(a, b) }

func TestAssess(t *testing.T) {
	bounce := NewLimit(windows.Bounce, ratio(3, 100))
	complaint := NewLimit(windows.Complaint, ratio(1, 1000))
	suppressed := NewLimit(windows.Suppressed, ratio(0, 1))
	engaged := NewLimit(windows.Engaged, ratio(4, 5))
	for _, c := range []struct {
		name                string
		limit               *Limit
		numerator, exposure int64
		want                Judgement
	}{
		{"nothing", &bounce, 0, 0, Judgement{NoData, false, 0}},
		{"responses without any mail", &bounce, 5, 0, Judgement{NoData, true, 0}},
		{"one below the volume", &bounce, 100, 199, Judgement{LowVolume, true, 0}},
		{"just enough volume", &bounce, 6, 200, Judgement{Breach, false, 0}},
		{"reached with too few events", &complaint, 2, 1000, Judgement{LowVolume, false, 0}},
		{"below the line with few events", &complaint, 2, 3000, Judgement{OK, false, 1}},
		{"reached with enough events", &complaint, 3, 3000, Judgement{Breach, false, 0}},
		{"on the line", &bounce, 30, 1000, Judgement{Breach, false, 0}},
		{"one under the line", &bounce, 29, 1000, Judgement{Watch, false, 1}},
		{"where watch begins", &bounce, 24, 1000, Judgement{Watch, false, 6}},
		{"one under watch", &bounce, 23, 1000, Judgement{OK, false, 7}},
		{"certain", &bounce, 49, 1000, Judgement{Breach, true, 0}},
		{"one before certain", &bounce, 48, 1000, Judgement{Breach, false, 0}},
		{"headroom is rounded up", &bounce, 0, 1001, Judgement{OK, false, 31}},
		{"more events than exposure", &bounce, 500, 200, Judgement{Breach, true, 0}},
		{"none suppressed", &suppressed, 0, 1000, Judgement{OK, false, 0}},
		{"one suppressed", &suppressed, 1, 1_000_000, Judgement{Breach, true, 0}},
		{"nobody engaged", &engaged, 0, 1000, Judgement{Watch, false, 0}},
		{"just engaged", &engaged, 800, 1000, Judgement{OK, false, 0}},
		{"one too few engaged", &engaged, 799, 1000, Judgement{Watch, false, 0}},
		{"all engaged", &engaged, 1000, 1000, Judgement{OK, false, 200}},
		{"few deliveries", &engaged, 0, 100, Judgement{LowVolume, false, 0}},
		{"no deliveries", &engaged, 0, 0, Judgement{NoData, false, 0}},
	} {
		if got := c.limit.Assess(windows.Reading{Numerator: c.numerator, Exposure: c.exposure}); got != c.want {
			t.Errorf("%s: %d of %d is %+v, want %+v", c.name, c.numerator, c.exposure, got, c.want)
		}
	}
}

// The verdicts in the words of the contract.
func TestAssessAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.Int64Range(1, 10_000).Draw(t, "b")
		l := NewLimit(windows.Bounce, ratio(rapid.Int64Range(1, b).Draw(t, "a"), b))
		l.MinVolume = rapid.Int64Range(0, 500).Draw(t, "min volume")
		l.MinEvents = rapid.Int64Range(0, 10).Draw(t, "min events")
		l.WatchAt = ratio(rapid.Int64Range(1, 100).Draw(t, "watch at"), 100)
		e := rapid.Int64Range(0, 3000).Draw(t, "e")
		k := rapid.Int64Range(0, 40).Draw(t, "k")
		if rapid.Bool().Draw(t, "near") {
			k = max(0, e*l.Below.A/l.Below.B+rapid.Int64Range(-1, 1).Draw(t, "off"))
		}
		limit := big.NewRat(l.Below.A, l.Below.B)
		watch := new(big.Rat).Mul(limit, big.NewRat(l.WatchAt.A, l.WatchAt.B))
		want := OK
		if e <= 0 {
			want = NoData
		} else if judged := big.NewRat(k, e); e < l.MinVolume || judged.Cmp(limit) >= 0 && k < l.MinEvents {
			want = LowVolume
		} else if judged.Cmp(limit) >= 0 {
			want = Breach
		} else if judged.Cmp(watch) >= 0 {
			want = Watch
		}
		if got := l.Assess(windows.Reading{Numerator: k, Exposure: e}); got.Verdict != want {
			t.Fatalf("%d of %d against %v: %v, want %v", k, e, l.Below, got.Verdict, want)
		}
	})
}
