package windows

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// AddMonths moves t by whole calendar months, back with a negative number; the time of day stays. A day that the month lacks
// becomes its last day: 31 August minus six months is 28 or 29 February.
func AddMonths(t time.Time, months int) time.Time {
	year, month, day := t.Date()
	first := time.Date(year, month+time.Month(months), 1, 0, 0, 0, 0, t.Location())
	last := first.AddDate(0, 1, -1).Day()
	hour, minute, second := t.Clock()
	return time.Date(first.Year(), first.Month(), min(day, last), hour, minute, second, t.Nanosecond(), t.Location())
}

// Period is a span of calendar time: months and, or, a duration.
type Period struct {
	Months   int
	Duration time.Duration
}

// ParsePeriod reads "6mo" (calendar months), "30d", "2w" or what time.ParseDuration takes; never negative.
func ParsePeriod(text string) (Period, error) {
	if number, ok := strings.CutSuffix(text, "mo"); ok {
		if n, err := strconv.ParseUint(number, 10, 16); err == nil && n <= 1200 {
			return Period{Months: int(n)}, nil
		}
		return Period{}, fmt.Errorf("%q is no period: write it as 6mo, 30d or 48h", text)
	}
	d, err := ParseDuration(text)
	if err != nil {
		return Period{}, fmt.Errorf("%q is no period: write it as 6mo, 30d or 48h", text)
	}
	return Period{Duration: d}, nil
}

// ParseDuration reads "30d", "2w" (whole days of 24 hours, weeks of seven) or what time.ParseDuration takes; never negative.
func ParseDuration(text string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		number, ok := strings.CutSuffix(text, suffix)
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(number, 10, 32); err == nil && n <= uint64(1<<63-1)/uint64(unit) {
			return time.Duration(n) * unit, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no duration: write it as 30s, 15m, 48h or 30d", text)
	}
	return d, nil
}

// Before is the time that lies this period before t.
func (p Period) Before(t time.Time) time.Time { return AddMonths(t, -p.Months).Add(-p.Duration) }

// After is the time that lies this period after t.
func (p Period) After(t time.Time) time.Time { return AddMonths(t, p.Months).Add(p.Duration) }

// String writes the period as ParsePeriod reads it.
func (p Period) String() string {
	if p.Months != 0 {
		return strconv.Itoa(p.Months) + "mo"
	}
	return FormatDuration(p.Duration)
}
