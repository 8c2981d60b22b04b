package windows

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var (
	bounceLimit      = Ratio{3, 100}
	complaintLimit   = Ratio{1, 1000}
	unsubscribeLimit = Ratio{1, 100}
)

func TestCertainFirstNumerators(t *testing.T) {
	for _, c := range []struct {
		name     string
		limit    Ratio
		exposure int64
		first    int64
	}{
		{"bounce", bounceLimit, 200, 16},
		{"bounce", bounceLimit, 1000, 49},
		{"bounce", bounceLimit, 10_000, 355},
		{"complaint", complaintLimit, 200, 4},
		{"complaint", complaintLimit, 1000, 7},
		{"complaint", complaintLimit, 10_000, 22},
		{"unsubscribe", unsubscribeLimit, 200, 9},
		{"unsubscribe", unsubscribeLimit, 1000, 22},
		{"no exposure", bounceLimit, 0, 3},
		{"none allowed", Ratio{0, 1}, 1_000_000, 1},
	} {
		first := int64(0)
		for !Certain(first, c.exposure, c.limit) {
			first++
		}
		if first != c.first {
			t.Errorf("%s of %d: first certain numerator %d, want %d", c.name, c.exposure, first, c.first)
		}
	}
}

// Numerators on the very line, such as √4 − √(1/4) = 3/2.
func TestCertainOnTheLine(t *testing.T) {
	for _, c := range []struct {
		k, e  int64
		limit Ratio
		want  bool
	}{
		{4, 1, Ratio{1, 4}, true},
		{3, 1, Ratio{1, 4}, false},
		{4, 9, Ratio{1, 36}, true},
		{4, 10, Ratio{1, 36}, false},
	} {
		if got := Certain(c.k, c.e, c.limit); got != c.want {
			t.Errorf("Certain(%d, %d, %v) = %v", c.k, c.e, c.limit, got)
		}
	}
}

func drawRatio(t *rapid.T, name string) Ratio {
	b := rapid.Int64Range(1, 1_000_000_000).Draw(t, name+" b")
	if rapid.Bool().Draw(t, name+" small") {
		b = b%2000 + 1
	}
	return NewRatio(rapid.Int64Range(0, b).Draw(t, name+" a"), b)
}

// drawSize draws a count of any magnitude.
func drawSize(t *rapid.T, name string) int64 {
	return rapid.Int64Range(0, 1<<rapid.IntRange(1, 62).Draw(t, name+" bits")).Draw(t, name)
}

// drawPair draws a limit, an exposure and a numerator, mostly near the limit.
func drawPair(t *rapid.T) (k, e int64, limit Ratio) {
	limit, e = drawRatio(t, "limit"), drawSize(t, "e")
	if rapid.Bool().Draw(t, "anywhere") {
		return drawSize(t, "k"), e, limit
	}
	line := math.Sqrt(limit.Float()*float64(e)) + float64(rapid.IntRange(0, 2).Draw(t, "from"))*0.75
	k = int64(min(line*line, 1<<61)) + rapid.Int64Range(-2, 2).Draw(t, "off")
	return max(0, k), e, limit
}

func TestComparisonsAgainstBigNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, e, limit := drawPair(t)
		line := new(big.Rat).Mul(big.NewRat(limit.A, limit.B), new(big.Rat).SetInt64(e))
		numerator := new(big.Rat).SetInt64(k)
		if got, want := AtLeast(k, e, limit), k > 0 && numerator.Cmp(line) >= 0; got != want {
			t.Fatalf("AtLeast(%d, %d, %v) = %v", k, e, limit, got)
		}
		ceil := new(big.Int).Add(line.Num(), new(big.Int).Sub(line.Denom(), big.NewInt(1)))
		ceil.Div(ceil, line.Denom())
		if got, want := Headroom(k, e, limit), max(0, ceil.Int64()-k); got != want {
			t.Fatalf("Headroom(%d, %d, %v) = %d, want %d", k, e, limit, got, want)
		}
		if got, want := Certain(k, e, limit), certainByRoots(k, e, limit); got != want {
			t.Fatalf("Certain(%d, %d, %v) = %v, want %v", k, e, limit, got, want)
		}
		if limit.A > 0 && Certain(k, e, limit) != certainBig(k, e, limit) {
			t.Fatalf("Certain(%d, %d, %v) depends on the size of its numbers", k, e, limit)
		}
	})
}

// certainByRoots takes the definition by its word: √k − √(limit·e) ≥ 3/2, with 400 bits.
func certainByRoots(k, e int64, limit Ratio) bool {
	if limit.A == 0 {
		return k > 0
	}
	float := func() *big.Float { return new(big.Float).SetPrec(400) }
	line := float().SetRat(new(big.Rat).Mul(big.NewRat(limit.A, limit.B), new(big.Rat).SetInt64(e)))
	difference := float().Sub(float().Sqrt(float().SetInt64(k)), float().Sqrt(line))
	difference.Sub(difference, big.NewFloat(1.5))
	// What is closer to the line than this lies on it: two such numbers cannot be nearer without being equal.
	return difference.Cmp(big.NewFloat(-1e-70)) >= 0
}

func TestCloseness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := func(name string) (Closeness, *big.Rat, bool) {
			k, e, limit := drawSize(t, name+" k"), drawSize(t, name+" e"), drawRatio(t, name)
			if rapid.Bool().Draw(t, name+" tiny") {
				k, e = k%4, e%4
			}
			line := new(big.Rat).Mul(big.NewRat(limit.A, limit.B), new(big.Rat).SetInt64(e))
			c := ClosenessOf(k, e, limit)
			if line.Sign() == 0 {
				return c, new(big.Rat), k > 0
			}
			return c, new(big.Rat).Quo(new(big.Rat).SetInt64(k), line), false
		}
		a, wantA, infiniteA := share("first")
		b, wantB, infiniteB := share("second")
		want := wantA.Cmp(wantB)
		switch {
		case infiniteA && infiniteB:
			want = 0
		case infiniteA:
			want = 1
		case infiniteB:
			want = -1
		}
		if got := a.Cmp(b); got != want {
			t.Fatalf("got %d, want %d", got, want)
		}
	})
}

func TestWilson(t *testing.T) {
	lower, upper := Wilson(31, 1000)
	if math.Abs(lower-0.0232) > 0.00005 || math.Abs(upper-0.0414) > 0.00005 {
		t.Errorf("31 of 1000: %.6f to %.6f", lower, upper)
	}
	for _, c := range []struct{ k, e int64 }{{0, 1}, {0, 10_000}, {1, 1}, {5, 3}, {10_000, 10_000}, {1, 1 << 50}} {
		lower, upper := Wilson(c.k, c.e)
		p := float64(min(c.k, c.e)) / float64(c.e)
		if lower < 0 || upper > 1 || lower > p || upper < p {
			t.Errorf("%d of %d: %v to %v", c.k, c.e, lower, upper)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		e := rapid.Int64Range(1, 1_000_000).Draw(t, "e")
		k := rapid.Int64Range(0, e).Draw(t, "k")
		// A bound is the share p for which k/e lies z standard errors away.
		n, seen := float64(e), float64(k)/float64(e)
		lower, upper := Wilson(k, e)
		for _, p := range []float64{lower, upper} {
			if p == 0 || p == 1 {
				continue
			}
			if away := math.Abs(seen-p) / math.Sqrt(p*(1-p)/n); math.Abs(away-wilsonZ) > 1e-6 {
				t.Fatalf("%d of %d: the bound %v is %v standard errors away", k, e, p, away)
			}
		}
	})
}

func TestParseRatio(t *testing.T) {
	for text, want := range map[string]Ratio{
		"3%": {3, 100}, "0.1%": {1, 1000}, "0.03": {3, 100}, "80%": {4, 5}, " 1 % ": {1, 100}, "1": {1, 1}, "0": {0, 1}, "100%": {1, 1},
		".5": {1, 2}, "5.": {5, 1}, "0.0300": {3, 100}, "0.00000001": {1, 100_000_000}, "12.5%": {1, 8}, "003%": {3, 100},
	} {
		if got, err := ParseRatio(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "%", ".", "-3%", "+3%", "3%%", "3 percent", "1e-3", "0x3", "1/3", "3,5%", "0.0000000000001", "99999999999999999999", "٣%",
		"1_000", "1.2.3", "NaN", "3 4%",
	} {
		if got, err := ParseRatio(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestRatioText(t *testing.T) {
	for want, r := range map[string]Ratio{
		"3%": {3, 100}, "0.1%": {1, 1000}, "100%": {1, 1}, "0%": {0, 1}, "1/3": {1, 3}, "12.5%": {1, 8}, "0.03%": {3, 10_000},
	} {
		if got := r.String(); got != want {
			t.Errorf("%d/%d: %q, want %q", r.A, r.B, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		r := NewRatio(rapid.Int64Range(0, 10_000_000).Draw(t, "a"), 1_000_000_000)
		back, err := ParseRatio(r.String())
		if err != nil || back != r {
			t.Fatalf("%v became %q, then %v, %v", r, r.String(), back, err)
		}
	})
}

func TestRatioTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawRatio(t, "first"), drawRatio(t, "second")
		want := new(big.Rat).Mul(big.NewRat(a.A, a.B), big.NewRat(b.A, b.B))
		if got := a.Times(b); want.Num().Int64() != got.A || want.Denom().Int64() != got.B {
			t.Fatalf("%v × %v = %v, want %v", a, b, got, want)
		}
		if got, want := a.Cmp(b), big.NewRat(a.A, a.B).Cmp(big.NewRat(b.A, b.B)); got != want {
			t.Fatalf("comparing %v and %v: %d, want %d", a, b, got, want)
		}
	})
}
