package windows

import (
	"math"
	"math/big"
	"math/bits"
)

// AtLeast tells whether k ÷ e reaches the limit: k·b ≥ a·e for a limit a/b, in integers. k and e are not negative. No event
// at all never reaches a limit, not even one of zero.
func AtLeast(k, e int64, limit Ratio) bool {
	return k > 0 && cmp128(mul(k, limit.B), mul(limit.A, e)) >= 0
}

// Certain tells whether k events in an exposure e exceed the limit beyond chance: √k − √(limit·e) ≥ 3/2. That is the
// variance-stabilised Poisson test at z = 3 (Anscombe 1948: √k has a standard deviation near ½ whatever its mean), which a
// sender at the limit passes in at most one look of a thousand, at every size.
//
// It is decided in integers. With the limit as a/b: squaring √k ≥ √(a·e/b) + 3/2 and multiplying by 4b gives
// c = 4bk − 4ae − 9b ≥ 12·√(a·b·e), so c ≥ 0 and c² ≥ 144·a·b·e.
//
// What must never happen at all (a limit of zero) is certain from the first event.
func Certain(k, e int64, limit Ratio) bool {
	a, b := limit.A, limit.B
	if a == 0 {
		return k > 0
	}
	if k < 0 || e < 0 || k > 1<<40 || e > 1<<40 || a > 1<<20 || b > 1<<20 {
		return certainBig(k, e, limit)
	}
	// Below these bounds |c| < 2^63 and 144·a·b·e < 2^88, so everything fits into 128 bits.
	c := 4*b*k - 4*a*e - 9*b
	return c >= 0 && cmp128(mul(c, c), mul(144*a*b, e)) >= 0
}

// certainBig is Certain for numbers of any size.
func certainBig(k, e int64, limit Ratio) bool {
	a, b, n := big.NewInt(limit.A), big.NewInt(limit.B), big.NewInt(max(e, 0))
	c := new(big.Int).Mul(big.NewInt(4), new(big.Int).Mul(b, big.NewInt(k)))
	c.Sub(c, new(big.Int).Mul(big.NewInt(4), new(big.Int).Mul(a, n)))
	c.Sub(c, new(big.Int).Mul(big.NewInt(9), b))
	if c.Sign() < 0 {
		return false
	}
	right := new(big.Int).Mul(big.NewInt(144), new(big.Int).Mul(a, b))
	return c.Mul(c, c).Cmp(right.Mul(right, n)) >= 0
}

// Headroom is how many more events the exposure bears before the limit is reached: max(0, ⌈limit·e⌉ − k). The limit is at
// most 1.
func Headroom(k, e int64, limit Ratio) int64 {
	if e <= 0 {
		return 0
	}
	p := mul(limit.A, e)
	quotient, rest := bits.Div64(p.hi, p.lo, uint64(limit.B))
	if rest > 0 {
		quotient++
	}
	return max(0, int64(quotient)-k)
}

// wilsonZ is the one-sided 95% point of the standard normal distribution.
const wilsonZ = 1.6448536269514722

// Wilson returns the score bounds of min(k, e) in e at one-sided 95% (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927), e > 0.
// They are for people and decide nothing.
func Wilson(k, e int64) (lower, upper float64) {
	n := float64(e)
	p := float64(min(k, e)) / n
	const zz = wilsonZ * wilsonZ
	centre := (p + zz/(2*n)) / (1 + zz/n)
	half := wilsonZ * math.Sqrt(p*(1-p)/n+zz/(4*n*n)) / (1 + zz/n)
	// At the ends the bounds are exact; rounding would put them a hair beside it.
	lower, upper = max(0, centre-half), min(1, centre+half)
	if k <= 0 {
		lower = 0
	}
	if k >= e {
		upper = 1
	}
	return lower, upper
}

// uint128 is a product of two numbers of 63 bits.
type uint128 struct{ hi, lo uint64 }

// mul multiplies two numbers that are not negative.
func mul(a, b int64) uint128 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	return uint128{hi, lo}
}

func cmp128(a, b uint128) int {
	switch {
	case a.hi < b.hi || a.hi == b.hi && a.lo < b.lo:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// Closeness is how near a reading is to a limit, as an exact fraction: judged ÷ limit. "Worst first" goes by it. The zero
// value is not usable.
type Closeness struct{ n, d uint128 }

// ClosenessOf is (k ÷ e) ÷ limit. A limit of zero, and an exposure of zero, make it infinite when there are events and zero
// when there are none.
func ClosenessOf(k, e int64, limit Ratio) Closeness {
	return Closeness{mul(max(k, 0), limit.B), mul(max(e, 0), limit.A)}
}

// Inverse is limit ÷ judged: for a rate that must not fall below its limit.
func (c Closeness) Inverse() Closeness { return Closeness{c.d, c.n} }

// Cmp compares exactly: −1, 0 or 1.
func (c Closeness) Cmp(o Closeness) int {
	zero, one := uint128{}, uint128{lo: 1}
	for _, f := range []*Closeness{&c, &o} {
		switch {
		case f.n == zero:
			f.d = one
		case f.d == zero:
			f.n = one
		}
	}
	// With zero as 0/1 and infinity as 1/0, multiplying crosswise orders them too, except two infinities: 0 = 0, equal.
	left, right := mulWide(c.n, o.d), mulWide(o.n, c.d)
	for i := len(left) - 1; i >= 0; i-- {
		if left[i] != right[i] {
			if left[i] < right[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// mulWide multiplies two 128-bit numbers into 256 bits, lowest word first.
func mulWide(a, b uint128) (out [4]uint64) {
	x, y := [2]uint64{a.lo, a.hi}, [2]uint64{b.lo, b.hi}
	for i := range x {
		var carry uint64
		for j := range y {
			hi, lo := bits.Mul64(x[i], y[j])
			var c uint64
			lo, c = bits.Add64(lo, out[i+j], 0)
			hi += c
			lo, c = bits.Add64(lo, carry, 0)
			hi += c
			out[i+j] = lo
			carry = hi
		}
		out[i+2] = carry
	}
	return out
}
