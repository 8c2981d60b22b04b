package windows

import (
	"testing"
	"time"
)

func TestAsOfNow(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	live := PartitionStatus{Next: 990, HighWatermark: 1000, NewestEvent: ago(time.Second), ReadAt: ago(time.Second), EndAt: ago(2 * time.Second)}
	idle := PartitionStatus{Next: 5, HighWatermark: 5, NewestEvent: ago(72 * time.Hour), ReadAt: now, EndAt: now}
	empty := PartitionStatus{Next: -1, HighWatermark: 0, ReadAt: now, EndAt: now}
	old := PartitionStatus{Next: 10, HighWatermark: 5000, NewestEvent: ago(48 * time.Hour), ReadAt: now}
	older := PartitionStatus{Next: 10, HighWatermark: 5000, NewestEvent: ago(50 * time.Hour), ReadAt: now}
	slow := PartitionStatus{Next: 10, HighWatermark: 5000, NewestEvent: ago(30 * time.Second), ReadAt: now, EndAt: ago(time.Minute)}
	gone := PartitionStatus{Next: 10, HighWatermark: 10, NewestEvent: ago(time.Hour), ReadAt: ago(61 * time.Second), EndAt: ago(61 * time.Second)}
	tests := map[string]struct {
		partitions []PartitionStatus
		want       AsOf
	}{
		"nothing known":                       {nil, AsOf{now, true, 0}},
		"live, idle and empty":                {[]PartitionStatus{live, idle, empty}, AsOf{now, false, 0}},
		"a backlog is judged at its own time": {[]PartitionStatus{live, old}, AsOf{ago(48 * time.Hour), true, 48 * time.Hour}},
		"the slowest decides":                 {[]PartitionStatus{older, old, slow}, AsOf{ago(50 * time.Hour), true, 50 * time.Hour}},
		"behind by less than stale_after":     {[]PartitionStatus{slow, idle}, AsOf{ago(30 * time.Second), false, 30 * time.Second}},
		"not read for stale_after":            {[]PartitionStatus{live, gone}, AsOf{now, true, 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := AsOfNow(tt.partitions, now, time.Minute); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}
