package windows

import (
	"testing"
	"time"
)

func TestAddMonths(t *testing.T) {
	for _, c := range []struct {
		from   string
		months int
		want   string
	}{
		{"2026-08-31", -6, "2026-02-28"},
		{"2024-08-31", -6, "2024-02-29"},
		{"2026-08-15", -6, "2026-02-15"},
		{"2026-03-31", -1, "2026-02-28"},
		{"2026-02-28", -6, "2025-08-28"},
		{"2026-01-31", 1, "2026-02-28"},
		{"2026-12-31", 2, "2027-02-28"},
		{"2026-03-31", -15, "2024-12-31"},
		{"2026-05-31", -18, "2024-11-30"},
		{"2026-06-30", 0, "2026-06-30"},
	} {
		from, _ := time.Parse(time.DateOnly, c.from)
		from = from.Add(13*time.Hour + 5*time.Nanosecond)
		want, _ := time.Parse(time.DateOnly, c.want)
		if got := AddMonths(from, c.months); !got.Equal(want.Add(13*time.Hour + 5*time.Nanosecond)) {
			t.Errorf("%s and %d months: %s, want %s", c.from, c.months, got, c.want)
		}
	}
}

func TestParsePeriod(t *testing.T) {
	for text, want := range map[string]Period{
		"6mo": {Months: 6}, "30d": {Duration: 30 * 24 * time.Hour}, "48h": {Duration: 48 * time.Hour}, "2w": {Duration: 14 * 24 * time.Hour},
		"1h30m": {Duration: 90 * time.Minute}, "0s": {},
	} {
		if got, err := ParsePeriod(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if back, err := ParsePeriod(want.String()); err != nil || back != want {
			t.Errorf("%v written as %q became %v, %v", want, want.String(), back, err)
		}
	}
	for _, text := range []string{"", "mo", "-6mo", "6 mo", "1.5mo", "-1h", "6", "99999999999d", "1e3d", "d"} {
		if got, err := ParsePeriod(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}
