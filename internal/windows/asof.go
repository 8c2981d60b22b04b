package windows

import "time"

// AsOf is the time that readings are for.
type AsOf struct {
	Time  time.Time
	Stale bool          // nothing could be read for some time, or what was read is older than that
	Lag   time.Duration // how far Time is behind the clock; 0 while the monitor keeps up
}

// keepsUp is how long ago the end of a partition's log may have been reached for the partition not to be behind: live traffic
// never stops, so the end is reached again and again rather than stayed at.
const keepsUp = 10 * time.Second

// AsOfNow finds the time to judge at (contract, section 3): the clock while every partition keeps up, else the newest event
// time that the slowest of those behind has reached, so that an old backlog is judged at its own time. It is stale when a
// partition could not be read for staleAfter, when it is behind by more, or when nothing is known of any.
//
// A log whose end is reached is not behind, however old its events are: an idle topic is fresh.
func AsOfNow(partitions []PartitionStatus, now time.Time, staleAfter time.Duration) AsOf {
	out := AsOf{Time: now, Stale: len(partitions) == 0}
	for _, p := range partitions {
		if now.Sub(p.ReadAt) > staleAfter {
			out.Stale = true
		}
		if now.Sub(p.EndAt) <= keepsUp || p.NewestEvent.IsZero() || p.HighWatermark >= 0 && p.Next >= p.HighWatermark {
			continue
		}
		if p.NewestEvent.Before(out.Time) {
			out.Time = p.NewestEvent
		}
	}
	out.Lag = now.Sub(out.Time)
	if out.Lag > staleAfter {
		out.Stale = true
	}
	return out
}
