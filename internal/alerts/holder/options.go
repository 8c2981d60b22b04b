package holder

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/alerts"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Leases say who evaluates the partition.
type Leases interface {
	// Acquire takes the lease when nobody has it; else holder is somebody else.
	Acquire(ctx context.Context, owner string, ttl time.Duration) (lease alerts.Lease, holder string, err error)
	Renew(ctx context.Context, lease alerts.Lease, ttl time.Duration) error
	Release(ctx context.Context, lease alerts.Lease) error
}

// State keeps the partition's alerts. Save takes a step whole or not at all, once however often it is tried, and fails with
// alerts.ErrLeaseLost and alerts.ErrConflict.
type State interface {
	Load(ctx context.Context) (*alerts.Snapshot, error)
	Save(ctx context.Context, lease alerts.Lease, from alerts.Mark, w *alerts.Write) (alerts.Mark, error)
	NewestSeqs(ctx context.Context, ids []string) (map[string]int64, error)
	Sweep(ctx context.Context, now time.Time) (int, error)
}

// Outbox holds the records that are saved and not yet published. Sent removes them from its head, however often it is called.
type Outbox interface {
	Pending(ctx context.Context, limit int) ([]alerts.Entry, error)
	Sent(ctx context.Context, lease alerts.Lease, sent []alerts.Entry) error
}

// Topic is the alert topic. Publish returns once every record is acknowledged, in order; it may be called again with the same
// ones. After visits what lies beyond a position, each batch with the position behind it.
type Topic interface {
	Publish(ctx context.Context, entries []alerts.Entry) error
	After(ctx context.Context, from alerts.TopicPosition, visit func([]alerts.Entry, alerts.TopicPosition) error) error
}

// Counts follows what is counted, for one evaluator at a time.
type Counts interface {
	// Pull brings the evaluator up to what the state holds now: what was added since the last Pull, or, the first time and
	// whenever it cannot go on from there (the feed was cut, Redis went back), everything anew after a Reset. After an
	// error the next Pull goes on where this one stopped, or begins anew. worked is how long that took without waiting.
	Pull(ctx context.Context, into Sink) (worked time.Duration, err error)
	// Restart makes the next Pull begin anew.
	Restart()
}

// Sink is the part of an evaluator that takes counts.
type Sink interface {
	Reset()
	Load(subject string, series *windows.Series)
	Add(subject string, step windows.Step, bucket int64, c windows.Counter, n int64)
	Series(subject string) *windows.Series // nil when there is none
	Retention() windows.Retention          // what a loaded series has to hold
}

var _ Sink = (*alerts.Evaluator)(nil)

// Feed says how far the input has been read.
type Feed interface {
	// AsOf is the time that readings are for when the clock says now, and whether they are stale (contract 3).
	AsOf(ctx context.Context, now time.Time) (asOf time.Time, stale bool, err error)
	// Losses are the records lost before they could be read, by input partition.
	Losses(ctx context.Context) ([]alerts.Loss, error)
}

// Step names a place where a fault can be injected.
type Step string

// The steps, in the order of one term.
const (
	Acquired      Step = "lease-acquired"
	Loaded        Step = "state-loaded"
	Adopted       Step = "topic-adopted"
	Counted       Step = "counts-loaded"
	BeforeSave    Step = "before-save"
	AfterSave     Step = "after-save"
	BeforePublish Step = "before-publish"
	AfterPublish  Step = "after-publish"
	AfterRemoval  Step = "after-outbox-removal"
	Stopping      Step = "shutdown"
)

// Options of a Holder. What has no default must be given.
type Options struct {
	Owner      string // unique to this process and its start
	Partition  int
	Partitions int // evaluation partitions in all; 1 when zero

	Policies  *policy.Set
	Retention windows.Retention

	Leases Leases
	State  State
	Outbox Outbox
	Topic  Topic
	Counts Counts
	Feed   Feed

	EvaluateEvery time.Duration // everything whose time has come; 1 s when zero
	DirtyEvery    time.Duration // what was counted for; 100 ms when zero
	LeaseTime     time.Duration // after which a dead holder is replaced; 6 s when zero
	ReadBackEvery time.Duration // how often the position in the alert topic is moved on; 30 s when zero

	Now  func() time.Time // time.Now when nil
	Hook func(Step)       // nil = none; it may block or end the process
	Log  *zap.Logger      // nil = none
}

func (o *Options) validate() error {
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.EvaluateEvery, time.Second)
	set(&o.DirtyEvery, 100*time.Millisecond)
	set(&o.LeaseTime, 6*time.Second)
	set(&o.ReadBackEvery, 30*time.Second)
	if o.Partitions == 0 {
		o.Partitions = 1
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Hook == nil {
		o.Hook = func(Step) {}
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	switch {
	case o.Owner == "":
		return errors.New("holder: Owner is empty")
	case o.Partition < 0 || o.Partition >= o.Partitions:
		return errors.New("holder: Partition is not one of Partitions")
	case o.Policies == nil || o.Leases == nil || o.State == nil || o.Outbox == nil || o.Topic == nil || o.Counts == nil || o.Feed == nil:
		return errors.New("holder: Policies, Leases, State, Outbox, Topic, Counts and Feed must be given")
	case o.DirtyEvery > o.EvaluateEvery:
		return errors.New("holder: DirtyEvery is longer than EvaluateEvery")
	}
	return nil
}
