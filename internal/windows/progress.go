package windows

import (
	"fmt"
	"time"
)

// Progress is how far the state has taken one partition.
type Progress struct {
	Next        []int64   // by home shard, the offset of the next record; -1 = none was taken yet
	NewestEvent time.Time // newest event time that was read; zero when there was none
	TopicID     string    // of the topic that the offsets belong to; "" when the cluster gives none
}

// PartitionStatus is what is known of one partition at a moment.
type PartitionStatus struct {
	Partition     Partition
	Next          int64     // the state's position; -1 = none
	HighWatermark int64     // where the log ends; -1 = not known
	NewestEvent   time.Time // newest event time that was read
	ReadAt        time.Time // when the broker last answered, with records or without
	EndAt         time.Time // when the end of the log was last reached
}

// Totals is what became of all events, over the life of the state.
type Totals struct {
	Counted, Duplicate, Late, Ignored int64
	Rejected                          map[string]int64 // by reason
	Lost                              int64            // records that were gone before they could be read
}

// Read is the number of events that were read.
func (t *Totals) Read() int64 {
	n := t.Counted + t.Duplicate + t.Late + t.Ignored
	for _, r := range t.Rejected {
		n += r
	}
	return n
}

// PositionError says that a fold begins at one offset of a partition while the state is at another. Nothing of the fold was
// added to that home shard.
type PositionError struct {
	Shard      int
	Partition  Partition
	Want, Have int64 // -1 = none
}

func (e *PositionError) Error() string {
	return fmt.Sprintf("home shard %d is at offset %d of %s/%d, the batch begins at %d", e.Shard, e.Have, e.Partition.Topic, e.Partition.ID, e.Want)
}
