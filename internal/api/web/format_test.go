package web

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 9_999: "9,999", 10_000: "10.0k", 84_125: "84.1k", 999_499: "999k", 999_500: "1.00M",
		1_204_311: "1.20M", 999_499_999: "999M", 2_500_000_000: "2.50G", -12: "−12", -12_345: "-12.3k"} {
		if got := short(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := group(1234567); got != "1,234,567" {
		t.Error(got)
	}
	if got := string(count(1234567)); got != `<data value="1234567" title="1,234,567">1.23M</data>` {
		t.Error(got)
	}
}

func TestShares(t *testing.T) {
	for x, want := range map[float64]string{0: "0 %", 0.00012: "0.012 %", 0.000999: "0.100 %", 0.001: "0.10 %", 0.031: "3.10 %", 0.0999: "9.99 %", 0.1234: "12.3 %", 1: "100.0 %"} {
		if got := share(x); got != want {
			t.Errorf("%g: %q, want %q", x, got, want)
		}
	}
	for x, want := range map[float64]string{0.03: "3.00 %", 0.02999: "2.999 %", 0.030001: "3.0001 %", 0.029: "2.90 %"} {
		if got := shareAgainst(x, 0.03); got != want {
			t.Errorf("%g against 3 %%: %q, want %q", x, got, want)
		}
	}
	for x, want := range map[float64]string{0.03: "3 %", 0.001: "0.1 %", 0.0025: "0.25 %", 0: "0 %", 1: "100 %"} {
		if got := limitOf(x); got != want {
			t.Errorf("limit %g: %q, want %q", x, got, want)
		}
	}
}

// A share that is not at its limit never looks as if it were, as far as seven decimals can tell.
func TestAShareIsNotRoundedOntoItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]float64{0.03, 0.001, 0.01, 0.1}).Draw(t, "limit")
		off := rapid.Float64Range(2e-8, 1e-4).Draw(t, "off")
		for _, x := range []float64{limit + off, limit - off} {
			got := shareAgainst(x, limit)
			shown, err := strconv.ParseFloat(strings.TrimSuffix(got, " %"), 64)
			if err != nil || (shown > limit*100) != (x > limit) || shown == limit*100 {
				t.Fatalf("%v is shown as %s", x, got)
			}
		}
	})
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0 s", 0: "0 s", 59 * time.Second: "59 s", 5 * time.Minute: "5 min", 3 * time.Hour: "3 h",
		190 * time.Minute: "3 h 10 min", 52 * time.Hour: "2 d 4 h"} {
		if got := span(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// A meter never leaves its drawing, and its limit is in the middle.
func TestMeters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Float64Range(0, 1).Draw(t, "limit")
		x := rapid.Float64Range(0, 3).Draw(t, "x")
		low, high := x*0.9, x*1.1
		m := meterOf(&x, &low, &high, &limit, "ok")
		for _, v := range []float64{m.Value, m.Low, m.High} {
			if !(v >= 0 && v <= 100) {
				t.Fatalf("%+v", m)
			}
		}
		if m.Low > m.High || !strings.Contains(m.Label, "limit") {
			t.Fatalf("%+v", m)
		}
	})
	x := 0.03
	if m := meterOf(&x, nil, nil, &x, ""); m.Value != 50 || m.Over {
		t.Errorf("at the limit: %+v", m)
	}
	if meterOf(&x, nil, nil, nil, "") != nil {
		t.Error("a meter without a limit")
	}
	if m := meterOf(nil, nil, nil, &x, ""); m.HasReading || m.Label != "no data" {
		t.Errorf("without data: %+v", m)
	}
}
