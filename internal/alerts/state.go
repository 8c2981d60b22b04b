package alerts

import (
	"errors"
	"time"
)

// The stored form of an evaluation partition's alerts, as who evaluates and who stores exchange it.

// Errors of a state that somebody else writes too.
var (
	// ErrLeaseLost says that the lease ran out or somebody else has it: everything known in memory is worth nothing.
	ErrLeaseLost = errors.New("the lease on the evaluation is lost")
	// ErrConflict says that the state is not the one that the writer knows: it went back to older data, or somebody else
	// wrote. Load it anew.
	ErrConflict = errors.New("the alert state is not the one that this process knows")
)

// Lease is the right to evaluate one partition. Its token grows with every lease given, so that a holder that was frozen is
// told from the one that replaced it.
type Lease struct {
	Owner string // unique to a process and its start
	Token int64
}

// Mark names one state: the number of writes and the id of the last one. Numbers come again when Redis went back to older
// data and was written on; ids do not.
type Mark struct {
	Version int64
	Step    string
}

// Snapshot is what is stored of one evaluation partition.
type Snapshot struct {
	Mark      Mark
	Evaluated time.Time // clock of the last evaluation; zero when there was none
	Alerts    []Saved
	Topic     TopicPosition
}

// TopicPosition is up to where the alert topic is known: every record before it is in the state.
type TopicPosition struct {
	TopicID string        // a topic made anew has another one; "" when unknown
	Next    map[int]int64 // by partition; none = from the beginning
}

// Write is one atomic step of the state: all of it, or nothing.
type Write struct {
	// ID is unique to this step, so that it can be tried again after an answer was lost.
	ID        string
	Evaluated time.Time
	Alerts    map[string]*Saved // by key; nil = removed
	Records   []Record          // new ones: kept, and put in the outbox
	Adopted   []Entry           // found in the alert topic: kept, not published again
	Topic     *TopicPosition    // nil = as it was
}

// Entry is a record with its encoded form, which stays the same bytes from the first time it was written.
type Entry struct {
	Record  Record
	Encoded []byte
}
