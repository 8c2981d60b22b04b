package consumer

import (
	"crypto/sha256"
	"strings"

	"sendwatch/internal/windows"
)

// shards is how many home shards the state of these tests has: a fold may be applied to some of them only.
const shards = 3

type hasher struct{}

func (hasher) Sum(tenant, recipient string) [32]byte {
	return sha256.Sum256([]byte(tenant + "\x00" + recipient))
}

// newFold counts by campaign, which in these tests is the event's own name.
func newFold() *windows.Fold {
	return windows.NewFold(windows.FoldOptions{Combinations: []windows.Combination{{windows.Campaign}}, Shards: shards,
		Providers: windows.NewProviders(nil, nil), Hasher: hasher{}})
}

// take applies a fold shard by shard, each wholly or, when the shard is not where the fold begins, not at all. It stops before
// the shard that it is told to fail at.
func (m *memory) take(f *windows.Fold, failAt int) error {
	for s := range shards {
		if s == failAt {
			return errAway
		}
		for _, r := range f.Runs() {
			if have := m.at(r.Partition)[s]; r.Moves(s) && have != r.From[s] {
				return &windows.PositionError{Shard: s, Partition: r.Partition, Want: r.From[s], Have: have}
			}
		}
		w := f.Work(s)
		for _, c := range new(windows.Cells).Of(w) {
			key := f.Subject(c.Subject()).Key
			id := strings.TrimPrefix(key, "campaign=")
			m.counts[id] += int(c.N())
			m.homes[id] = s
		}
		for _, n := range w.Tally.Rejected {
			m.rejected += int(n)
		}
		for _, r := range f.Runs() {
			m.lost[s] += r.Lost[s]
			next := m.at(r.Partition)
			next[s] = max(next[s], r.Next)
			m.positions[r.Partition] = windows.Progress{Next: next, TopicID: r.TopicID, NewestEvent: r.Newest}
		}
	}
	m.largest = max(m.largest, f.Len())
	return nil
}

// at is a copy of where the shards are.
func (m *memory) at(p windows.Partition) []int64 {
	if progress, ok := m.positions[p]; ok {
		return append([]int64(nil), progress.Next...)
	}
	return all(-1)
}

func all(n int64) []int64 {
	next := make([]int64, shards)
	for i := range next {
		next[i] = n
	}
	return next
}
