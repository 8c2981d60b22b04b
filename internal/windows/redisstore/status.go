package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/windows"
)

// storedStatus is how a partition's status is kept.
type storedStatus struct {
	Next          int64     `json:"next"`
	HighWatermark int64     `json:"high"`
	NewestEvent   time.Time `json:"newest,omitzero"`
	ReadAt        time.Time `json:"read_at,omitzero"`
	EndAt         time.Time `json:"end_at,omitzero"`
}

// ReportPartition keeps what a reader says of its partition. The last word counts: it is for lag and freshness only.
func (s *Store) ReportPartition(ctx context.Context, p windows.PartitionStatus) error {
	text, err := json.Marshal(storedStatus{p.Next, p.HighWatermark, p.NewestEvent, p.ReadAt, p.EndAt})
	if err != nil {
		return err
	}
	if err := s.client.HSet(ctx, s.shards[0].base+"parts", positionField(p.Partition), text).Err(); err != nil {
		return fmt.Errorf("report a partition: %w", err)
	}
	return nil
}

// Partitions returns what readers last said, by topic and number.
func (s *Store) Partitions(ctx context.Context) ([]windows.PartitionStatus, error) {
	fields, err := s.client.HGetAll(ctx, s.shards[0].base+"parts").Result()
	if err != nil {
		return nil, fmt.Errorf("read partitions: %w", err)
	}
	var out []windows.PartitionStatus
	for field, text := range fields {
		p, ok := parsePositionField(field)
		var st storedStatus
		if !ok || json.Unmarshal([]byte(text), &st) != nil {
			continue
		}
		out = append(out, windows.PartitionStatus{Partition: p, Next: st.Next, HighWatermark: st.HighWatermark,
			NewestEvent: st.NewestEvent.UTC(), ReadAt: st.ReadAt.UTC(), EndAt: st.EndAt.UTC()})
	}
	slices.SortFunc(out, func(a, b windows.PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Partition.Topic, b.Partition.Topic), cmp.Compare(a.Partition.ID, b.Partition.ID))
	})
	return out, nil
}

// ForgetPartition removes the status of a partition that nobody reads any more.
func (s *Store) ForgetPartition(ctx context.Context, p windows.Partition) error {
	if err := s.client.HDel(ctx, s.shards[0].base+"parts", positionField(p)).Err(); err != nil {
		return fmt.Errorf("forget a partition: %w", err)
	}
	return nil
}

// Totals returns what became of all events, over the life of the state.
func (s *Store) Totals(ctx context.Context) (windows.Totals, error) {
	t := windows.Totals{Rejected: map[string]int64{}}
	known := map[string]*int64{"counted": &t.Counted, "duplicate": &t.Duplicate, "late": &t.Late, "ignored": &t.Ignored}
	lost := map[string]int64{}
	err := s.tally(ctx, func(name string, n int64) {
		if reason, ok := strings.CutPrefix(name, "rejected:"); ok {
			t.Rejected[reason] += n
		} else if strings.HasPrefix(name, "lost:") {
			lost[name] = max(lost[name], n)
		} else if to := known[name]; to != nil {
			*to += n
		}
	})
	for _, n := range lost {
		t.Lost += n
	}
	return t, err
}

// Losses returns how many records of each partition were gone before they could be read, over the life of the state. Each home shard
// has its own figure, because one of them alone may have come back older than what the log still has; the largest counts.
func (s *Store) Losses(ctx context.Context) (map[windows.Partition]int64, error) {
	out := map[windows.Partition]int64{}
	err := s.tally(ctx, func(name string, n int64) {
		if field, ok := strings.CutPrefix(name, "lost:"); ok {
			if p, ok := parsePositionField(field); ok {
				out[p] = max(out[p], n)
			}
		}
	})
	return out, err
}

func (s *Store) tally(ctx context.Context, visit func(name string, n int64)) error {
	cmds, err := s.onEveryShard(ctx, func(p redis.Pipeliner, sh *shard) redis.Cmder { return p.HGetAll(ctx, sh.base+"tally") })
	if err != nil {
		return fmt.Errorf("read totals: %w", err)
	}
	for _, cmd := range cmds {
		for name, text := range cmd.(*redis.MapStringStringCmd).Val() {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return fmt.Errorf("redis: total %s is %q, which this program never writes", name, text)
			}
			visit(name, n)
		}
	}
	return nil
}
