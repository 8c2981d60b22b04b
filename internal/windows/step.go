package windows

import "time"

// Step is the size of a bucket. Buckets are aligned to UTC.
type Step uint8

// The steps. Their numbers are part of the stored form.
const (
	Minute   Step = iota // kept for 3 hours
	Hour                 // kept for 9 days
	Day                  // kept for retention.days
	NumSteps int  = iota
)

// Seconds is the length of a bucket of this step.
func (s Step) Seconds() int64 { return [...]int64{60, 3600, 86400}[s] }

// Duration is the length of a bucket of this step.
func (s Step) Duration() time.Duration { return time.Duration(s.Seconds()) * time.Second }

// String returns "1m", "1h" or "1d".
func (s Step) String() string { return [...]string{"1m", "1h", "1d"}[s] }

// ParseStep finds a step by the text that String gives.
func ParseStep(text string) (Step, bool) {
	for s := Minute; int(s) < NumSteps; s++ {
		if s.String() == text {
			return s, true
		}
	}
	return 0, false
}

// Bucket is the number of the bucket that t lies in: full steps since 1970, floored.
func (s Step) Bucket(t time.Time) int64 { return s.BucketOf(t.Unix()) }

// BucketOf is Bucket for a time in seconds since 1970.
func (s Step) BucketOf(unix int64) int64 {
	n := s.Seconds()
	b := unix / n
	if unix%n < 0 {
		b--
	}
	return b
}

// Start is the time at which bucket b begins.
func (s Step) Start(b int64) time.Time { return time.Unix(b*s.Seconds(), 0).UTC() }

// Retention says for how long the buckets of each step are kept.
type Retention [NumSteps]time.Duration

// DefaultRetention is 3 hours, 9 days and the given number of days.
func DefaultRetention(days int) Retention {
	return Retention{3 * time.Hour, 9 * 24 * time.Hour, time.Duration(days) * 24 * time.Hour}
}

// Oldest is the first bucket of the step that is still kept at asOf: those whose start lies in (floor(asOf) − kept,
// floor(asOf)].
func (r Retention) Oldest(s Step, asOf time.Time) int64 {
	return s.Bucket(asOf) - int64(r[s]/s.Duration()) + 1
}
