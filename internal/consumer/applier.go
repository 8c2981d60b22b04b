package consumer

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/windows"
)

// Applier gathers what all workers of the process fold, and applies it to the state in batches. There are two batches: workers
// fill one while the other is applied. When both are full, workers wait: that is the back-pressure.
//
// Invariants:
//   - One apply at a time, in the order in which batches were filled. So the positions at which a batch begins are those at
//     which the one before it ends.
//   - Per partition a batch holds every record from where it begins to where it ends, each once.
//   - When the state turns out to be elsewhere, everything held is dropped, for all partitions, and every worker goes back to
//     the state's position. Nothing is ever mended.
//   - A partition that is taken up again has nothing held from before.
//   - While nothing is applied, the state stands where every lane's next batch begins. Whatever is found elsewhere then has been
//     moved by somebody else, or has gone back.
type Applier struct {
	store    Store
	producer Producer
	log      *zap.Logger
	options  *Options

	state          *trouble // of the store
	lettersTrouble *trouble

	wake    chan struct{} // tells run to look again
	backlog chan struct{} // tells that a lane has a backlog now

	holding atomic.Bool // there are events in a batch; for who must not wait for the mutex

	mu       sync.Mutex
	lanes    map[windows.Partition]*lane
	pending  map[windows.Partition]int // batches that hold something of the partition
	active   *batch                    // being filled
	spare    *batch                    // empty; nil while it is being applied
	resuming bool                      // nothing may be added: positions are being read anew
	flush    bool                      // somebody waits for the active batch to be applied
	behind   int                       // lanes with a backlog
	changed  chan struct{}             // closed and made anew when a waiter might go on
	totals   Stats
}

// batch is a fold and what has to be known of it.
type batch struct {
	fold        *windows.Fold
	events      int
	lanes       []*lane // with something in it
	ends        []int64 // where each of them ends, once the batch is taken to be applied
	letters     []letter
	letterBytes int
	since       time.Time // of its first content
}

const letterLimit = 16 << 20 // bytes of dead letters in one batch

func newApplier(store Store, producer Producer, log *zap.Logger, o *Options) *Applier {
	return &Applier{store: store, producer: producer, log: log, options: o, wake: make(chan struct{}, 1), backlog: make(chan struct{}, 1),
		state: newTrouble(log, "state"), lettersTrouble: newTrouble(log, "dead letters"),
		lanes: map[windows.Partition]*lane{}, pending: map[windows.Partition]int{}, changed: make(chan struct{}),
		active: &batch{fold: o.NewFold()}, spare: &batch{fold: o.NewFold()}}
}

// open takes up partitions: it waits until nothing of them is held from before, and reads where the state is. It waits for the
// state if it must; the error is the context's.
func (a *Applier) open(ctx context.Context, partitions []windows.Partition) ([]*lane, error) {
	if len(partitions) == 0 {
		return nil, nil
	}
	if err := a.drained(ctx, partitions); err != nil {
		return nil, err
	}
	progress, err := a.progress(ctx, partitions)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	lanes := make([]*lane, len(partitions))
	for i, p := range partitions {
		l := &lane{applier: a, partition: p, highWatermark: -1}
		l.resume(progress[p])
		a.lanes[p] = l
		lanes[i] = l
	}
	return lanes, nil
}

// reopen reads a lane's position anew, as open does, and tells whether it is another one than before. It is for the lane's own
// worker.
func (a *Applier) reopen(ctx context.Context, l *lane) (moved bool, err error) {
	if err := a.drained(ctx, []windows.Partition{l.partition}); err != nil {
		return false, err
	}
	progress, err := a.progress(ctx, []windows.Partition{l.partition})
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	was, id := l.next, l.topicID
	l.resume(progress[l.partition])
	return l.next != was || l.topicID != id, nil
}

// close gives lanes up. It waits until what is held of them is applied, or until the context ends: then it may be applied
// later or dropped, and the position in the state says which. A lane takes nothing after it.
func (a *Applier) close(ctx context.Context, lanes []*lane) {
	partitions := make([]windows.Partition, len(lanes))
	for i, l := range lanes {
		partitions[i] = l.partition
	}
	if err := a.drained(ctx, partitions); err != nil {
		a.log.Warn("partitions given up before their last records were applied; they are read again from the state's position", zap.Error(err))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range lanes {
		l.closed = true
		l.setBacklog(false)
		if a.lanes[l.partition] == l {
			delete(a.lanes, l.partition)
		}
	}
	a.broadcast()
}

// drained asks for what is held to be applied and waits until nothing of the partitions is.
func (a *Applier) drained(ctx context.Context, partitions []windows.Partition) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		held := false
		for _, p := range partitions {
			held = held || a.pending[p] > 0
		}
		if !held {
			return nil
		}
		a.flush = true
		a.nudge()
		if err := a.await(ctx); err != nil {
			return err
		}
	}
}

// progress asks the store, again and again until it answers or the context ends.
func (a *Applier) progress(ctx context.Context, partitions []windows.Partition) (map[windows.Partition]windows.Progress, error) {
	pause := newPause()
	for {
		progress, err := a.store.Resume(ctx, partitions)
		if err == nil {
			a.state.clear()
			return progress, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		a.state.report(err)
		if !pause.wait(ctx) {
			return nil, context.Cause(ctx)
		}
	}
}

// compareWithin bounds a look at positions: a state that is frozen answers nothing else either.
const compareWithin = 3 * time.Second

// compare looks whether the state still stands where the lanes begin that nothing has been applied to for a while. An apply finds
// out by itself that the state came back with older data, but an idle topic brings none. A difference goes the way of one that
// an apply met. It is for run, between two applies: so nothing is in flight, and what the active batch holds begins at the
// positions that are compared. The error is the context's.
func (a *Applier) compare(ctx context.Context) error {
	lanes := a.idle()
	if len(lanes) == 0 {
		return nil
	}
	partitions := make([]windows.Partition, len(lanes))
	for i, l := range lanes {
		partitions[i] = l.partition
	}
	looking, cancel := context.WithTimeout(ctx, compareWithin)
	defer cancel()
	have, err := a.store.Positions(looking, partitions)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		a.state.report(err)
		return nil
	}
	a.state.clear()
	if elsewhere := a.elsewhere(lanes, have); elsewhere != nil {
		return a.startAnew(ctx, a.spare, elsewhere)
	}
	return nil
}

// idle returns the lanes that nobody has compared with the state since it was last called.
func (a *Applier) idle() []*lane {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lanes []*lane
	for _, l := range a.lanes {
		if !l.compared && !l.stopped {
			lanes = append(lanes, l)
		}
		l.compared = false
	}
	return lanes
}

// elsewhere tells where the state is not where the lanes begin, nil when it is. Lanes that were given up, stopped or put elsewhere
// meanwhile are passed over.
func (a *Applier) elsewhere(lanes []*lane, have map[windows.Partition][]int64) *windows.PositionError {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range lanes {
		if a.lanes[l.partition] != l || l.stopped || l.compared {
			continue
		}
		for shard, at := range have[l.partition] {
			if at != l.starts[shard] {
				return &windows.PositionError{Shard: shard, Partition: l.partition, Want: l.starts[shard], Have: at}
			}
		}
	}
	return nil
}

// statuses returns the status of the lanes, of all open ones when there are none given.
func (a *Applier) statuses(lanes []*lane) []windows.PartitionStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	if lanes == nil {
		for _, l := range a.lanes {
			lanes = append(lanes, l)
		}
	}
	all := make([]windows.PartitionStatus, len(lanes))
	for i, l := range lanes {
		all[i] = windows.PartitionStatus{Partition: l.partition, Next: l.applied, HighWatermark: l.highWatermark,
			NewestEvent: l.newest, ReadAt: l.readAt, EndAt: l.endAt}
	}
	return all
}

func (a *Applier) stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.totals
	return s
}

// await waits, without the mutex, until something has changed.
func (a *Applier) await(ctx context.Context) error {
	changed := a.changed
	a.mu.Unlock()
	defer a.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// broadcast lets everybody who waits look again.
func (a *Applier) broadcast() {
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *Applier) nudge() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (b *batch) full(target int) bool { return b.events >= target || b.letterBytes >= letterLimit }

func (b *batch) reset() {
	b.fold.Reset()
	b.events, b.letterBytes = 0, 0
	clear(b.lanes)
	b.lanes, b.ends = b.lanes[:0], b.ends[:0]
	clear(b.letters)
	b.letters = b.letters[:0]
}
