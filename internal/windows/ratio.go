package windows

import (
	"fmt"
	"math/bits"
	"strings"
)

// Ratio is an exact share A ÷ B in lowest terms, B > 0. Limits are ratios, so that no comparison is ever rounded.
type Ratio struct{ A, B int64 }

// maxDenominator bounds B so that the product of two ratios still fits.
const maxDenominator = 1_000_000_000

// NewRatio returns a ÷ b in lowest terms, for a ≥ 0 and b > 0.
func NewRatio(a, b int64) Ratio {
	g := gcd(a, b)
	return Ratio{a / g, b / g}
}

// ParseRatio reads "3%", "0.1%" or "0.03" exactly, into lowest terms. It takes digits with at most one point and, after
// them, a percent sign; no sign and no exponent. The error says what was found and what is expected.
func ParseRatio(s string) (Ratio, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	number = strings.TrimSpace(number)
	whole, fraction, _ := strings.Cut(number, ".")
	fraction = strings.TrimRight(fraction, "0")
	digits := strings.TrimLeft(whole+fraction, "0")
	if number == "" || number == "." || strings.Trim(whole+fraction, "0123456789") != "" {
		return Ratio{}, fmt.Errorf("%q is no share: write it as 3%% or 0.03", s)
	}
	if len(digits) > 15 || len(fraction) > 15 {
		return Ratio{}, fmt.Errorf("%q has too many digits: at most seven after the point of a percentage", s)
	}
	a, b := int64(0), int64(1)
	for i := range digits {
		a = a*10 + int64(digits[i]-'0')
	}
	for range fraction {
		b *= 10
	}
	if percent {
		b *= 100
	}
	r := NewRatio(a, b)
	if r.B > maxDenominator {
		return Ratio{}, fmt.Errorf("%q has too many digits: at most seven after the point of a percentage", s)
	}
	return r, nil
}

// Times is the product of two ratios.
func (r Ratio) Times(o Ratio) Ratio {
	// Reducing crosswise first keeps the products small.
	g, h := gcd(r.A, o.B), gcd(o.A, r.B)
	return Ratio{(r.A / g) * (o.A / h), (r.B / h) * (o.B / g)}
}

// Cmp compares exactly: −1, 0 or 1.
func (r Ratio) Cmp(o Ratio) int { return cmp128(mul(r.A, o.B), mul(o.A, r.B)) }

// Float is the float64 nearest to the ratio: for output only, never for a decision.
func (r Ratio) Float() float64 { return float64(r.A) / float64(r.B) }

// String writes the ratio as a percentage where that is exact ("0.1%"), else as "1/3".
func (r Ratio) String() string {
	// A percentage has a finite number of digits when B divides a power of ten.
	for scale, digits := int64(100), 0; digits <= 7; scale, digits = scale*10, digits+1 {
		if scale%r.B != 0 {
			continue
		}
		hi, n := bits.Mul64(uint64(r.A), uint64(scale/r.B))
		if hi != 0 {
			break
		}
		text := fmt.Sprintf("%0*d", digits+1, n)
		if digits > 0 {
			text = text[:len(text)-digits] + "." + text[len(text)-digits:]
		}
		return text + "%"
	}
	return fmt.Sprintf("%d/%d", r.A, r.B)
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
