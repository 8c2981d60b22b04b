package engagement

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"sendwatch/internal/windows"
)

// on reads a YYYY-MM-DD day.
func on(t testing.TB, text string) Day {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return DayOf(d)
}

func TestPeriodIsCalendarMonths(t *testing.T) {
	for _, c := range []struct{ period, day, want string }{
		{"6mo", "2026-09-15", "2026-03-15"},
		{"6mo", "2026-08-31", "2026-02-28"}, // a day that the month lacks becomes its last
		{"6mo", "2026-08-28", "2026-02-28"},
		{"6mo", "2024-08-31", "2024-02-29"}, // leap year
		{"6mo", "2026-03-31", "2025-09-30"},
		{"6mo", "2026-01-01", "2025-07-01"},
		{"6mo", "2026-12-31", "2026-06-30"},
		{"1mo", "2026-03-31", "2026-02-28"},
		{"12mo", "2024-02-29", "2023-02-28"},
		{"180d", "2026-06-30", "2026-01-01"},
		{"6mo", "1970-01-31", "1969-07-31"},
	} {
		p, err := windows.ParsePeriod(c.period)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Rules{Period: p}).before(on(t, c.day)).String(); got != c.want {
			t.Errorf("%v before %s: got %s, want %s", c.period, c.day, got, c.want)
		}
	}
}

func TestPeriodNeverRunsBackwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRules(t)
		d := Day(rapid.IntRange(-40000, 80000).Draw(t, "day"))
		if r.before(d) > r.before(d+1) {
			t.Fatalf("%v before %v is later than before the day after", r.Period, d)
		}
	})
}

func TestDayOfFloors(t *testing.T) {
	for _, c := range []struct{ at, want string }{
		{"1969-12-31T23:59:59.999999999Z", "1969-12-31"},
		{"1970-01-01T00:00:00Z", "1970-01-01"},
		{"2026-03-01T00:30:00+01:00", "2026-02-28"},
		{"0001-01-01T00:00:00Z", "0001-01-01"},
		{"9999-12-31T23:59:59Z", "9999-12-31"},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := DayOf(at).String(); got != c.want {
			t.Errorf("day of %s: got %s, want %s", c.at, got, c.want)
		}
	}
}

// Differences of instants decide on suppression: they must not overflow, whatever the dates in a file.
func TestInstantsKeepTheirOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) time.Time {
			return time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, label), rapid.Int64Range(0, 999999999).Draw(t, label+"ns"))
		}
		a, b := draw("a"), draw("b")
		if a.After(b) {
			a, b = b, a
		}
		x, y := InstantOf(a), InstantOf(b)
		if x > y || y-x < 0 || x <= NeverAt {
			t.Fatalf("%v, %v give %d, %d", a, b, x, y)
		}
	})
	if NeverAt.Day() != Never || !Never.Start().IsZero() {
		t.Error("never has a date")
	}
	at := time.Date(2026, 3, 2, 23, 59, 59, 1, time.UTC)
	if got := InstantOf(at).Day().String(); got != "2026-03-02" {
		t.Error(got)
	}
}
