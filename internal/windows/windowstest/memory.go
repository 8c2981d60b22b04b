package windowstest

import (
	"context"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
)

// Memory is the in-memory store. It has no home shards.
type Memory struct {
	*memstore.Store
	options memstore.Options
	past    []Batch // to count again after Copy's restore
	next    map[windows.Partition]int64
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty one.
func NewMemory(c Config) *Memory {
	o := memstore.Options{
		Combinations: c.Combinations, Retention: windows.DefaultRetention(400), Late: Late, Horizon: c.Horizon,
		Providers: windows.NewProviders(nil, nil),
	}
	if o.Combinations == nil {
		o.Combinations = windows.DefaultCombinations()
	}
	if !c.NoRecipients {
		rules := engagement.DefaultRules()
		o.Engagement = &rules
	}
	return &Memory{Store: memstore.New(o), options: o, next: map[windows.Partition]int64{}}
}

// Apply adds a batch.
func (m *Memory) Apply(_ context.Context, b Batch) error {
	known := true
	var wrong error
	for i := range b.Runs {
		r := &b.Runs[i]
		have, ok := m.next[r.Partition]
		if !ok {
			have = -1
		}
		known = known && have == r.to()
		if have != r.From && wrong == nil {
			wrong = &windows.PositionError{Partition: r.Partition, Want: r.From, Have: have}
		}
	}
	if known {
		return nil
	}
	if wrong != nil {
		return wrong
	}
	for i := range b.Runs {
		r := &b.Runs[i]
		for j := range r.Records {
			m.Add(r.Partition, r.Records[j].Offset, &r.Records[j].Result, b.Now)
		}
		m.next[r.Partition] = r.to()
	}
	m.past = append(m.past, b)
	return nil
}

// Next is the offset that a partition goes on at.
func (m *Memory) Next(_ context.Context, p windows.Partition) (int64, time.Time, error) {
	next, ok := m.next[p]
	if !ok {
		return -1, time.Time{}, nil
	}
	_, newest, _ := m.Store.Next(p)
	return next, newest, nil
}

// Counts returns the buckets of a subject that hold anything.
func (m *Memory) Counts(_ context.Context, subject string, span windows.Span) (map[int64]windows.Counts, error) {
	out := map[int64]windows.Counts{}
	if s, ok := m.Subject(subject); ok {
		for bucket, counts := range s.Series().Buckets(span) {
			out[bucket] = *counts
		}
	}
	return out, nil
}

// Subjects lists the subjects of a combination.
func (m *Memory) Subjects(_ context.Context, c windows.Combination) ([]string, error) {
	return m.SubjectsOf(c), nil
}

// Totals returns what became of all events.
func (m *Memory) Totals(context.Context) (windows.Totals, error) {
	t := m.Store.Totals()
	out := windows.Totals{Counted: t.Counted, Duplicate: t.Duplicate, Late: t.Late, Ignored: t.Ignored, Rejected: map[string]int64{}}
	for reason, n := range t.Rejected {
		out.Rejected[string(reason)] = n
	}
	return out, nil
}

// Recipient returns what is remembered of a recipient.
func (m *Memory) Recipient(_ context.Context, tenant, address string) (engagement.Recipient, error) {
	return m.Store.Recipient(tenant, address), nil
}

// Breakdown counts a tenant's recipients.
func (m *Memory) Breakdown(_ context.Context, tenant string, day engagement.Day) (engagement.Breakdown, error) {
	return m.Store.Breakdown(tenant, day), nil
}

// Copy remembers the state.
func (m *Memory) Copy(ctx context.Context) (func(context.Context) error, error) {
	past := m.past[:len(m.past):len(m.past)]
	return func(context.Context) error {
		m.Store, m.next, m.past = memstore.New(m.options), map[windows.Partition]int64{}, nil
		for _, b := range past {
			if err := m.Apply(ctx, b); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
