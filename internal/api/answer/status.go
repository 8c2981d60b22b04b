package answer

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"sendwatch/internal/windows"
)

// Status is the answer of GET /api/v1/status.
type Status struct {
	Version    string            `json:"version"`
	AsOf       *time.Time        `json:"as_of"` // null while the state cannot be read
	Stale      bool              `json:"stale"`
	LagSeconds float64           `json:"lag_seconds"`
	Partitions []PartitionStatus `json:"partitions"`
	Events     *EventTotals      `json:"events"` // null while the state cannot be read
	Redis      Redis             `json:"redis"`
}

// PartitionStatus is how far a partition has been read.
type PartitionStatus struct {
	Topic           string     `json:"topic"`
	Partition       int        `json:"partition"`
	NextOffset      int64      `json:"next_offset"`
	HighWatermark   int64      `json:"high_watermark"`
	Lag             int64      `json:"lag"`
	NewestEventTime *time.Time `json:"newest_event_time"`
}

// EventTotals are counted over the life of the state. Read = Counted + Duplicate + Late + Ignored + Rejected.
type EventTotals struct {
	Read      int64            `json:"read"`
	Counted   int64            `json:"counted"`
	Duplicate int64            `json:"duplicate"`
	Late      int64            `json:"late"`
	Ignored   int64            `json:"ignored"`
	Rejected  map[string]int64 `json:"rejected"`
	Lost      int64            `json:"lost"` // records that were gone before they could be read; no part of Read
}

// Redis is the state's home.
type Redis struct {
	Reachable       bool   `json:"reachable"`
	Error           string `json:"error,omitempty"` // category
	Version         string `json:"version,omitempty"`
	Mode            string `json:"mode,omitempty"` // standalone or cluster
	Shards          int    `json:"shards,omitempty"`
	Schema          int    `json:"schema,omitempty"`
	Prefix          string `json:"prefix,omitempty"`
	UsedMemoryBytes int64  `json:"used_memory_bytes,omitempty"`
	MaxMemoryBytes  int64  `json:"max_memory_bytes,omitempty"` // 0 = no bound
	MaxMemoryPolicy string `json:"max_memory_policy,omitempty"`
	Keys            int64  `json:"keys,omitempty"`
}

// Status answers also while the state cannot be read: stale, and with what it still knows. Its error is never
// ErrUnavailable.
func (s *Source) Status(ctx context.Context) (*Status, error) {
	status := &Status{Version: s.Version, Stale: true, Partitions: []PartitionStatus{}}
	err := s.fillStatus(ctx, status)
	if err == nil || errors.Is(err, ErrUnavailable) {
		return status, nil
	}
	return nil, err
}

func (s *Source) fillStatus(ctx context.Context, status *Status) error {
	redis, err := s.Readers.Status.Redis(ctx)
	status.Redis = redis
	if err != nil {
		return err
	}
	m, err := s.Clock.Moment(ctx)
	if err != nil {
		return err
	}
	partitions, err := s.Readers.Status.Partitions(ctx)
	if err != nil {
		return err
	}
	totals, err := s.Readers.Status.Totals(ctx)
	if err != nil {
		return err
	}
	asOf := m.AsOf.UTC()
	status.AsOf, status.Stale, status.LagSeconds = &asOf, m.Stale, m.Lag.Seconds()
	for _, p := range partitions {
		status.Partitions = append(status.Partitions, partitionStatus(p))
	}
	slices.SortFunc(status.Partitions, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	status.Events = eventTotals(&totals)
	return nil
}

func partitionStatus(p windows.PartitionStatus) PartitionStatus {
	next := max(0, p.Next) // nothing was taken yet
	out := PartitionStatus{Topic: p.Partition.Topic, Partition: p.Partition.ID, NextOffset: next,
		HighWatermark: max(next, p.HighWatermark), Lag: max(0, p.HighWatermark-next)}
	if !p.NewestEvent.IsZero() {
		newest := p.NewestEvent.UTC()
		out.NewestEventTime = &newest
	}
	return out
}

func eventTotals(t *windows.Totals) *EventTotals {
	e := &EventTotals{Read: t.Read(), Counted: t.Counted, Duplicate: t.Duplicate, Late: t.Late, Ignored: t.Ignored, Lost: t.Lost,
		Rejected: map[string]int64{}}
	for reason, n := range t.Rejected {
		if n != 0 {
			e.Rejected[reason] = n
		}
	}
	return e
}
