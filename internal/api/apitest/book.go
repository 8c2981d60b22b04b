// Package apitest gives tests of the HTTP side something to read: counts in memory, judged and evaluated by the real policy
// and alerts packages, behind every reader that answer declares. Nothing outside tests imports it.
package apitest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/audience"
	"sendwatch/internal/engagement"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Book is a state in memory. It is safe for concurrent use.
type Book struct {
	mu         sync.Mutex
	shape      answer.Shape
	set        *policy.Set
	series     map[string]*windows.Series
	subjects   map[string][]string // by combination, sorted
	evaluator  *alerts.Evaluator
	log        []alerts.Record
	recipients map[[2]string]engagement.Recipient
	partitions []windows.PartitionStatus
	totals     windows.Totals
	now        time.Time
	stale      bool
	lag        time.Duration
	fault      error
}

var (
	_ answer.Clock            = (*Book)(nil)
	_ answer.RateReader       = (*Book)(nil)
	_ answer.CountReader      = (*Book)(nil)
	_ answer.AlertReader      = (*Book)(nil)
	_ answer.StatusReader     = (*Book)(nil)
	_ answer.EngagementReader = (*Book)(nil)
	_ audience.Recipients     = (*Book)(nil)
	_ answer.IPReader         = (*Book)(nil)
)

// NewBook returns an empty state with the default configuration, at a time.
func NewBook(now time.Time) *Book {
	retention := windows.DefaultRetention(400)
	pack, _ := policy.Pack(policy.Default)
	set := policy.NewSet([]policy.Policy{pack}, windows.DefaultWindows(), retention, policy.Defaults{})
	return &Book{
		shape: answer.Shape{Combinations: windows.DefaultCombinations(), Windows: windows.DefaultWindows(), Retention: retention,
			MaxAhead: 10 * time.Minute, Engagement: engagement.DefaultRules(), Policies: []string{pack.Name}},
		set: set, series: map[string]*windows.Series{}, subjects: map[string][]string{},
		evaluator: alerts.NewEvaluator(set, retention), recipients: map[[2]string]engagement.Recipient{},
		totals: windows.Totals{Rejected: map[string]int64{}}, now: now,
	}
}

// Source answers from the book.
func (b *Book) Source() *answer.Source {
	return answer.NewSource(answer.Readers{Clock: b, Rates: b, Counts: b, Alerts: b, Log: recordLog{b}, Status: b, Engagement: b, Recipients: b, IPs: b},
		"1.2.3", b.Shape, b.Now)
}

// Shape is the default configuration's.
func (b *Book) Shape() answer.Shape { return b.shape }

// Now is the book's clock.
func (b *Book) Now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// Count adds n to a counter of every subject that these dimensions belong to.
func (b *Book) Count(at time.Time, labels windows.Labels, c windows.Counter, n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.totals.Counted += n
	for _, combination := range b.shape.Combinations {
		values := make([]string, 0, len(combination))
		for _, d := range combination {
			if v := labels.Get(d); v != "" {
				values = append(values, v)
			}
		}
		if len(values) < len(combination) {
			continue
		}
		key := string(combination.AppendSubject(nil, values...))
		s := b.series[key]
		if s == nil {
			s = windows.NewSeries(b.shape.Retention)
			b.series[key] = s
			b.evaluator.Load(key, s)
			list := b.subjects[combination.String()]
			i, _ := slices.BinarySearch(list, key)
			b.subjects[combination.String()] = slices.Insert(list, i, key)
		}
		for step := windows.Minute; int(step) < windows.NumSteps; step++ {
			s.Add(step, step.Bucket(at), c, n)
		}
		b.evaluator.Touch(key)
	}
}

// Evaluate moves the clock and evaluates all alerts.
func (b *Book) Evaluate(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = now
	b.log = append(b.log, b.evaluator.Evaluate(alerts.Moment{At: now, Now: now, Fresh: !b.stale})...)
}

// Append puts a record into the log.
func (b *Book) Append(r alerts.Record) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log = append(b.log, r)
}

// Log is every record so far.
func (b *Book) Log() []alerts.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log)
}

// SetStale says how far behind the state is.
func (b *Book) SetStale(stale bool, lag time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stale, b.lag = stale, lag
}

// Break makes every reader fail; nil mends them.
func (b *Book) Break(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = err
}

// SetStatus says what the status shows.
func (b *Book) SetStatus(partitions []windows.PartitionStatus, totals windows.Totals) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.partitions, b.totals = partitions, totals
}

// open begins a reader's call: it fails when the book is broken. The caller holds the lock.
func (b *Book) open(ctx context.Context) error { return cmp.Or(b.fault, ctx.Err()) }

// Moment implements answer.Clock.
func (b *Book) Moment(ctx context.Context) (answer.Moment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return answer.Moment{AsOf: b.now.Add(-b.lag), Stale: b.stale, Lag: b.lag}, b.open(ctx)
}

// Rows implements answer.RateReader.
func (b *Book) Rows(ctx context.Context, subject string, at time.Time, kept windows.Kept, f policy.Filter) ([]policy.Row, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	s := b.series[subject]
	if s == nil {
		s = windows.NewSeries(b.shape.Retention)
	}
	return b.set.Rows(subject, s, at, kept, f)
}

// Subjects implements answer.RateReader.
func (b *Book) Subjects(ctx context.Context, c windows.Combination, cursor string, limit int) ([]string, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(ctx); err != nil {
		return nil, "", err
	}
	all := b.subjects[c.String()]
	start, found := slices.BinarySearch(all, cursor)
	if found {
		start++
	}
	end := min(start+limit, len(all))
	next := ""
	if end < len(all) {
		next = all[end-1]
	}
	return slices.Clone(all[start:end]), next, nil
}

// Counts implements answer.CountReader.
func (b *Book) Counts(ctx context.Context, subject string, span windows.Span) (map[int64]windows.Counts, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	out := map[int64]windows.Counts{}
	if s := b.series[subject]; s != nil {
		for bucket, c := range s.Buckets(span) {
			out[bucket] = *c
		}
	}
	return out, nil
}

// Alerts implements answer.AlertReader. Its cursor is the number of episodes before.
func (b *Book) Alerts(ctx context.Context, q answer.AlertQuery) ([]alerts.Record, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(ctx); err != nil {
		return nil, "", err
	}
	newest := map[string]alerts.Record{}
	for _, r := range b.log {
		newest[r.ID] = r
	}
	list := slices.Collect(maps.Values(newest))
	list = slices.DeleteFunc(list, func(r alerts.Record) bool {
		return q.State != nil && r.Status != *q.State || q.Subject != "" && r.SubjectKey != q.Subject
	})
	slices.SortFunc(list, func(x, y alerts.Record) int {
		return cmp.Or(time.Time(y.StartsAt).Compare(time.Time(x.StartsAt)), strings.Compare(x.ID, y.ID))
	})
	start := 0
	if q.Cursor != "" {
		n, err := strconv.Atoi(q.Cursor)
		if err != nil || n < 0 {
			return nil, "", fmt.Errorf("%w: not a number", answer.ErrBadCursor)
		}
		start = min(n, len(list))
	}
	end := min(start+q.Limit, len(list))
	next := ""
	if end < len(list) {
		next = strconv.Itoa(end)
	}
	return list[start:end], next, nil
}

// Alert implements answer.AlertReader.
func (b *Book) Alert(ctx context.Context, id string) ([]alerts.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	var history []alerts.Record
	for _, r := range b.log {
		if r.ID == id {
			history = append(history, r)
		}
	}
	return history, nil
}

// Partitions implements answer.StatusReader.
func (b *Book) Partitions(ctx context.Context) ([]windows.PartitionStatus, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.partitions, b.open(ctx)
}

// Totals implements answer.StatusReader.
func (b *Book) Totals(ctx context.Context) (windows.Totals, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.totals, b.open(ctx)
}

// Redis implements answer.StatusReader.
func (b *Book) Redis(ctx context.Context) (answer.Redis, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.open(ctx); err != nil {
		return answer.Redis{Error: "connection"}, err
	}
	return answer.Redis{Reachable: true, Version: "7.0.15", Mode: "standalone", Shards: 1, Schema: 1, Prefix: "sendwatch",
		UsedMemoryBytes: 48_211_904, MaxMemoryPolicy: "noeviction", Keys: 18_204}, nil
}

// IPs implements answer.IPReader.
func (b *Book) IPs(ctx context.Context, _ time.Time) ([]any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return []any{map[string]any{"ip": "203.0.113.9"}}, b.open(ctx)
}

// IP implements answer.IPReader.
func (b *Book) IP(ctx context.Context, ip string, _ time.Time) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if ip != "203.0.113.9" {
		return nil, answer.ErrNotFound
	}
	return map[string]any{"ip": ip}, b.open(ctx)
}
