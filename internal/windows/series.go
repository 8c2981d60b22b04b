package windows

import (
	"iter"
	"time"
)

// Series holds one subject's counts by bucket, for all steps. It is compact: only buckets and counters that are not zero
// take memory. It is not safe for concurrent use.
type Series struct {
	retention Retention
}

// NewSeries returns an empty series that keeps buckets for as long as ret says, measured from the last Trim.
func NewSeries(ret Retention) *Series { return &Series{retention: ret} }

// Add adds n, which may be negative, to one counter of one bucket. What lies before the last Trim is dropped.
func (s *Series) Add(step Step, bucket int64, c Counter, n int64) { panic("not yet") }

// AddCounts is Add for all counters of a bucket.
func (s *Series) AddCounts(step Step, bucket int64, c *Counts) { panic("not yet") }

// Sum returns the counts over all buckets of the span.
func (s *Series) Sum(span Span) Counts { panic("not yet") }

// Bucket returns the counts of one bucket.
func (s *Series) Bucket(step Step, bucket int64) Counts { panic("not yet") }

// Buckets goes over the buckets of the span that hold anything, oldest first. The Counts are valid for one turn.
func (s *Series) Buckets(span Span) iter.Seq2[int64, *Counts] { panic("not yet") }

// Trim forgets the buckets that are no longer kept at asOf.
func (s *Series) Trim(asOf time.Time) { panic("not yet") }

// Empty tells whether no bucket is left.
func (s *Series) Empty() bool { panic("not yet") }
