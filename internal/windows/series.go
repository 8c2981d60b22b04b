package windows

import (
	"iter"
	"math"
	"slices"
	"time"
)

// Series holds one subject's counts by bucket, for all steps. It is compact: buckets that hold nothing and counters that are
// zero throughout take no memory, and a count takes as few bytes as the largest of its counter needs. It is not safe for
// concurrent use.
type Series struct {
	retention Retention
	tables    [NumSteps]table
}

// NewSeries returns an empty series that keeps buckets for as long as ret says, measured from the last Trim.
func NewSeries(ret Retention) *Series {
	s := &Series{retention: ret}
	for i := range s.tables {
		s.tables[i].oldest = math.MinInt32
	}
	return s
}

// table holds the buckets of one step: one row each, in order, and one column for every counter that has been seen.
type table struct {
	oldest  int32   // rows before it are not kept
	rows    []int32 // bucket numbers, ascending. Minutes fit until the year 6053
	columns []column
}

// Add adds n, which may be negative, to one counter of one bucket. What lies before the oldest bucket that the last Trim
// kept is dropped.
func (s *Series) Add(step Step, bucket int64, c Counter, n int64) {
	t := &s.tables[step]
	if n == 0 || bucket < int64(t.oldest) || bucket > math.MaxInt32 {
		return
	}
	t.column(c).add(t.row(int32(bucket)), n)
}

// AddCounts is Add for all counters of a bucket.
func (s *Series) AddCounts(step Step, bucket int64, counts *Counts) {
	for c, n := range counts {
		if n != 0 {
			s.Add(step, bucket, Counter(c), n)
		}
	}
}

// row returns the row of a bucket, made when there is none.
func (t *table) row(bucket int32) int {
	last := len(t.rows) - 1
	if last >= 0 && t.rows[last] == bucket {
		return last
	}
	if last < 0 || t.rows[last] < bucket {
		t.rows = appendTight(t.rows, bucket)
		return last + 1
	}
	i, found := slices.BinarySearch(t.rows, bucket)
	if !found {
		t.rows = slices.Insert(t.rows, i, bucket)
		for j := range t.columns {
			t.columns[j].insertZero(i)
		}
	}
	return i
}

// column returns the column of a counter, made when there is none.
func (t *table) column(c Counter) *column {
	for i := range t.columns {
		if t.columns[i].counter == c {
			return &t.columns[i]
		}
	}
	t.columns = appendTight(t.columns, column{counter: c, width: 1})
	return &t.columns[len(t.columns)-1]
}

// between returns the rows whose buckets lie in the span: from first up to, but not including, end.
func (t *table) between(span Span) (first, end int) {
	return t.firstFrom(span.First), t.firstFrom(span.Last + 1)
}

// firstFrom is the first row whose bucket is not before this one.
func (t *table) firstFrom(bucket int64) int {
	n := len(t.rows)
	switch {
	case n == 0 || bucket <= int64(t.rows[0]):
		return 0
	case bucket > int64(t.rows[n-1]):
		return n
	}
	i, _ := slices.BinarySearch(t.rows, int32(bucket))
	return i
}

// Sum returns the counts over all buckets of the span.
func (s *Series) Sum(span Span) Counts {
	var sum Counts
	t := &s.tables[span.Step]
	first, end := t.between(span)
	for i := range t.columns {
		sum[t.columns[i].counter] = t.columns[i].sum(first, end)
	}
	return sum
}

// Bucket returns the counts of one bucket.
func (s *Series) Bucket(step Step, bucket int64) Counts { return s.Sum(Span{step, bucket, bucket}) }

// Buckets goes over the buckets of the span that hold anything, oldest first. The Counts are valid for one turn. The series
// must not be changed meanwhile.
func (s *Series) Buckets(span Span) iter.Seq2[int64, *Counts] {
	return func(yield func(int64, *Counts) bool) {
		t := &s.tables[span.Step]
		first, end := t.between(span)
		for row := first; row < end; row++ {
			var counts Counts
			for i := range t.columns {
				counts[t.columns[i].counter] = t.columns[i].at(row)
			}
			if counts != (Counts{}) && !yield(int64(t.rows[row]), &counts) {
				return
			}
		}
	}
}

// Newest is the newest bucket of the step that holds anything; false when none does.
func (s *Series) Newest(step Step) (int64, bool) {
	t := &s.tables[step]
	for row := len(t.rows) - 1; row >= 0; row-- {
		for i := range t.columns {
			if t.columns[i].at(row) != 0 {
				return int64(t.rows[row]), true
			}
		}
	}
	return 0, false
}

// Trim forgets the buckets that are no longer kept at asOf. It costs next to nothing when there are none.
func (s *Series) Trim(asOf time.Time) {
	for step := Minute; int(step) < NumSteps; step++ {
		s.tables[step].trim(s.retention.Oldest(step, asOf))
	}
}

func (t *table) trim(oldest int64) {
	if oldest <= int64(t.oldest) {
		return
	}
	t.oldest = int32(min(oldest, math.MaxInt32))
	gone := t.firstFrom(oldest)
	if gone == 0 {
		return
	}
	if gone == len(t.rows) {
		t.rows, t.columns = nil, nil
		return
	}
	t.rows = cutFront(t.rows, gone)
	for i := range t.columns {
		t.columns[i].cut(gone)
	}
	t.columns = slices.DeleteFunc(t.columns, func(c column) bool { return len(c.data) == 0 })
}

// Kept is the first bucket of each step that no Trim has forgotten yet.
func (s *Series) Kept() (oldest [NumSteps]int64) {
	for i := range s.tables {
		oldest[i] = int64(s.tables[i].oldest)
	}
	return oldest
}

// Clone returns a copy that shares nothing with the series.
func (s *Series) Clone() *Series {
	out := *s
	for i := range out.tables {
		t := &out.tables[i]
		t.rows, t.columns = slices.Clone(t.rows), slices.Clone(t.columns)
		for j := range t.columns {
			t.columns[j].data = slices.Clone(t.columns[j].data)
		}
	}
	return &out
}

// Empty tells whether no bucket is left.
func (s *Series) Empty() bool {
	for i := range s.tables {
		if len(s.tables[i].rows) > 0 {
			return false
		}
	}
	return true
}

// Bytes is about how much memory the series holds.
func (s *Series) Bytes() int {
	n := 200
	for i := range s.tables {
		t := &s.tables[i]
		n += 4*cap(t.rows) + columnSize*cap(t.columns)
		for j := range t.columns {
			n += cap(t.columns[j].data)
		}
	}
	return n
}
