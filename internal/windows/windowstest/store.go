// Package windowstest holds what every store of counts has to do: sequences of records with the answers that the contract
// gives to them. The in-memory store and the Redis store both pass it; whoever changes one of them, or writes another,
// changes the sequences first. Compare finds what two stores answer differently.
package windowstest

import (
	"context"

	"slices"
	"testing"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// Store is a state with somebody who writes to it, as the tests see it. Adapters are in this package.
type Store interface {
	// Apply adds a batch: all of it or, when one of its runs does not begin where the state is, nothing and a
	// *windows.PositionError. A batch that the state has already is no error and changes nothing.
	Apply(ctx context.Context, b Batch) error
	// Next is the offset that a partition goes on at, -1 when nothing of it was taken, and the newest event time in it.
	Next(ctx context.Context, p windows.Partition) (int64, time.Time, error)
	Counts(ctx context.Context, subject string, span windows.Span) (map[int64]windows.Counts, error)
	Subjects(ctx context.Context, c windows.Combination) ([]string, error)
	Totals(ctx context.Context) (windows.Totals, error)
	Recipient(ctx context.Context, tenant, address string) (engagement.Recipient, error)
	Breakdown(ctx context.Context, tenant string, day engagement.Day) (engagement.Breakdown, error)
	// Copy remembers the whole state, and the function that it returns puts it back: a Redis that came back with older data.
	Copy(ctx context.Context) (restore func(context.Context) error, err error)
}

// Follower is a store with a change feed.
type Follower interface {
	// Follow returns what keeps a copy of all counts up to date.
	Follow() Feed
}

// Feed brings a copy up to date.
type Feed interface {
	Pull(ctx context.Context, into *Copy) error
}

// Config says how a store is opened.
type Config struct {
	Shards       int
	Combinations []windows.Combination // nil = the default ones
	Horizon      time.Duration         // 0 = no repeats are told
	NoRecipients bool                  // engagement off
}

// DefaultConfig is that of the contract, on one home shard.
func DefaultConfig() Config { return Config{Shards: 1, Horizon: 48 * time.Hour} }

// Late is how old an event may be in every store that is exercised.
const Late = 400 * 24 * time.Hour

// Batch is records of some partitions that are added in one step.
type Batch struct {
	Now  time.Time
	Runs []Run
}

// Run is the records of one partition, and where the state has to stand before them.
type Run struct {
	Partition windows.Partition
	From      int64 // -1 = nothing was taken
	Records   []Record
	To        int64 // position afterwards; 0 = behind the last record
}

// Record is one record with its offset.
type Record struct {
	Offset int64
	event.Result
}

func (r *Run) to() int64 {
	to := max(r.To, r.From)
	for i := range r.Records {
		to = max(to, r.Records[i].Offset+1)
	}
	return to
}

// Copy is a reader's copy of counts, as a feed fills it.
type Copy struct {
	Resets int
	series map[string]*windows.Series
}

// NewCopy returns an empty one.
func NewCopy() *Copy { return &Copy{series: map[string]*windows.Series{}} }

// Reset empties the copy.
func (c *Copy) Reset() {
	c.Resets++
	clear(c.series)
}

// Load takes a subject's counts.
func (c *Copy) Load(subject string, series *windows.Series) { c.series[subject] = series }

// Retention is how far back the copy reaches.
func (c *Copy) Retention() windows.Retention { return windows.DefaultRetention(400) }

// Add adds to one counter.
func (c *Copy) Add(subject string, step windows.Step, bucket int64, counter windows.Counter, n int64) {
	s := c.series[subject]
	if s == nil {
		s = windows.NewSeries(c.Retention())
		c.series[subject] = s
	}
	s.Add(step, bucket, counter, n)
}

func (c *Copy) counts(subject string, span windows.Span) map[int64]windows.Counts {
	out := map[int64]windows.Counts{}
	if s := c.series[subject]; s != nil {
		for bucket, counts := range s.Buckets(span) {
			out[bucket] = *counts
		}
	}
	return out
}

// t0 is where most sequences begin: well within an hour and a day.
func t0() time.Time { return time.Date(2026, 3, 2, 9, 30, 10, 0, time.UTC) }

// rig is a store with what the sequences need to say briefly.
type rig struct {
	*testing.T
	store Store
	next  map[windows.Partition]int64
	now   time.Time
}

func newRig(t *testing.T, s Store) *rig {
	return &rig{T: t, store: s, next: map[windows.Partition]int64{}, now: t0().Add(24 * time.Hour)}
}

func partition(id int) windows.Partition { return windows.Partition{Topic: "mail.events", ID: id} }

// position is where the rig thinks that the state stands.
func (r *rig) position(p windows.Partition) int64 {
	if n, ok := r.next[p]; ok {
		return n
	}
	return -1
}

// run makes a run of the partition's next records, one for each result.
func (r *rig) run(p windows.Partition, results ...event.Result) Run {
	run := Run{Partition: p, From: r.position(p)}
	at := max(0, run.From)
	for i, result := range results {
		run.Records = append(run.Records, Record{at + int64(i), result})
	}
	return run
}

// apply adds runs in one batch, which must succeed.
func (r *rig) apply(runs ...Run) {
	r.Helper()
	if err := r.store.Apply(r.Context(), Batch{r.now, runs}); err != nil {
		r.Fatal(err)
	}
	for i := range runs {
		r.next[runs[i].Partition] = runs[i].to()
	}
}

// take adds events to partition 0, each as a record of its own, in one batch.
func (r *rig) take(events ...event.Event) {
	r.Helper()
	r.apply(r.run(partition(0), each(events)...))
}

// each makes a record of each event.
func each(events []event.Event) []event.Result {
	results := make([]event.Result, len(events))
	for i := range events {
		results[i] = event.Result{Events: events[i : i+1]}
	}
	return results
}

// whole is every counter of a subject over a very long time, by step: a store that counts right has the same in all three.
func (r *rig) whole(subject string) windows.Counts {
	r.Helper()
	var sums [windows.NumSteps]windows.Counts
	for step := windows.Minute; int(step) < windows.NumSteps; step++ {
		for _, counts := range r.buckets(subject, span(step, t0().AddDate(0, 0, -390), t0().AddDate(0, 0, 390))) {
			sums[step].Add(&counts)
		}
	}
	if sums[windows.Hour] != sums[windows.Day] {
		r.Fatalf("%s: %v by hour, %v by day", subject, sums[windows.Hour], sums[windows.Day])
	}
	return sums[windows.Day]
}

func span(step windows.Step, from, to time.Time) windows.Span {
	return windows.Span{Step: step, First: step.Bucket(from), Last: step.Bucket(to)}
}

func (r *rig) buckets(subject string, span windows.Span) map[int64]windows.Counts {
	r.Helper()
	counts, err := r.store.Counts(r.Context(), subject, span)
	if err != nil {
		r.Fatal(err)
	}
	return counts
}

// expect checks all counters of a subject: those named have the given values, all others are zero.
func (r *rig) expect(subject string, want map[windows.Counter]int64) {
	r.Helper()
	var all windows.Counts
	for c, n := range want {
		all[c] = n
	}
	got := r.whole(subject)
	for c := range got {
		if got[c] != all[c] {
			r.Errorf("%s: %s is %d, want %d", subject, windows.Counter(c), got[c], all[c])
		}
	}
}

func (r *rig) totals() windows.Totals {
	r.Helper()
	totals, err := r.store.Totals(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return totals
}

func (r *rig) subjects(c windows.Combination) []string {
	r.Helper()
	list, err := r.store.Subjects(r.Context(), c)
	if err != nil {
		r.Fatal(err)
	}
	slices.Sort(list)
	return list
}

func (r *rig) recipient(tenant, address string) engagement.Recipient {
	r.Helper()
	rec, err := r.store.Recipient(r.Context(), tenant, address)
	if err != nil {
		r.Fatal(err)
	}
	return rec
}
