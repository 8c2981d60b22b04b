package windows

import (
	"math/bits"
	"time"
)

// Responses come after the mail that they answer. A window's numerator is therefore held against an exposure: the largest of
// its denominator and, for each of some longer spans, the share of that span's denominator that falls to the window
// (contract, section 3).

// ExposureSpan is one of them: ⌊D × N ÷ M⌋, D being the denominator over the buckets of Step whose start lies in
// (floor(at) − Length, floor(at)], with the floor of this span's own step.
type ExposureSpan struct {
	Length time.Duration
	Step   Step
	N, M   int64
}

// share is ⌊d × n ÷ m⌋, with m doubled for rates of bounces: most of them come at once.
func (x ExposureSpan) share(d int64, r Rate) int64 {
	if d <= 0 {
		return 0
	}
	m := x.M
	if r == Bounce {
		m *= 2
	}
	hi, lo := bits.Mul64(uint64(d), uint64(x.N))
	quotient, _ := bits.Div64(hi, lo, uint64(m))
	return int64(quotient)
}

// Exposure returns the spans that the window's exposure is taken from besides the window itself, shortest first. The four
// default windows, known by name and length, have their own; any other of length L has 2L, 4L and 8L, each in the smallest
// buckets that ret keeps for as long, and none where no buckets are kept for that long.
func (w Window) Exposure(ret Retention) []ExposureSpan {
	const h, d = time.Hour, 24 * time.Hour
	switch {
	case w.Name == "1h" && w.Length == h:
		return []ExposureSpan{
			{2 * h, Minute, 1, 2}, {4 * h, Hour, 1, 4}, {8 * h, Hour, 1, 8}, {16 * h, Hour, 1, 16}, {32 * h, Hour, 1, 32},
			{64 * h, Hour, 1, 64}, {128 * h, Hour, 1, 128},
		}
	case w.Name == "24h" && w.Length == d:
		return []ExposureSpan{
			{36 * h, Hour, 24, 36}, {48 * h, Hour, 24, 48}, {72 * h, Hour, 24, 72}, {96 * h, Hour, 24, 96},
			{192 * h, Hour, 24, 192},
		}
	case w.Name == "7d" && w.Length == 7*d:
		return []ExposureSpan{{192 * h, Hour, 7, 8}, {216 * h, Hour, 7, 9}, {14 * d, Day, 7, 14}}
	case w.Name == "30d" && w.Length == 30*d:
		return []ExposureSpan{{36 * d, Day, 30, 36}, {60 * d, Day, 30, 60}}
	}
	var spans []ExposureSpan
	for factor := int64(2); factor <= 8; factor *= 2 {
		length := w.Length * time.Duration(factor)
		for s := Minute; int(s) < NumSteps; s++ {
			if ret[s] >= length {
				spans = append(spans, ExposureSpan{length, s, 1, factor})
				break
			}
		}
	}
	return spans
}
