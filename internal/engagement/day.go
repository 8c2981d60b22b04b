package engagement

import (
	"math"
	"time"
)

// Day is a UTC day: the number of days since 1970-01-01.
type Day int32

// Never is the day of what never happened: before all others. It compares as older than every cutoff.
const Never Day = math.MinInt32

// DayOf is the UTC day that t lies in.
func DayOf(t time.Time) Day { return dayOfUnix(t.Unix()) }

func dayOfUnix(seconds int64) Day {
	d := seconds / 86400
	if seconds%86400 < 0 {
		d--
	}
	return Day(d)
}

// Start is the time at which the day begins. Never has none: it gives the zero time.
func (d Day) Start() time.Time {
	if d == Never {
		return time.Time{}
	}
	return time.Unix(int64(d)*86400, 0).UTC()
}

// String gives YYYY-MM-DD, and "never" for Never.
func (d Day) String() string {
	if d == Never {
		return "never"
	}
	return d.Start().Format(time.DateOnly)
}

// Instant is a time in nanoseconds since 1970, for records that must be small. Times further than 146 years from 1970 are
// moved to that bound, so that the difference of two instants never overflows.
type Instant int64

const (
	// NeverAt is the Instant of what never happened.
	NeverAt    Instant = math.MinInt64
	instantMax Instant = 1<<62 - 1
)

// InstantOf gives the instant of t.
func InstantOf(t time.Time) Instant {
	switch s := t.Unix(); {
	case s >= int64(instantMax/1e9):
		return instantMax
	case s <= -int64(instantMax/1e9):
		return -instantMax
	}
	return Instant(t.UnixNano())
}

// Day is the UTC day of the instant; Never for NeverAt.
func (i Instant) Day() Day {
	if i == NeverAt {
		return Never
	}
	return DayOf(time.Unix(0, int64(i)))
}
