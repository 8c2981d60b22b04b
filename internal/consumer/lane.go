package consumer

import (
	"context"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// lane is one partition's way through the applier, for as long as this process has it. Its fields belong to the applier's
// mutex.
type lane struct {
	applier   *Applier
	partition windows.Partition
	topicID   string  // as the state has it, "" before the first time
	starts    []int64 // per shard, where the next batch begins
	next      int64   // one after the last record that was folded
	applied   int64   // the same of the state, -1 when there is none
	in        *batch  // the active batch, once the lane has something in it
	rewind    bool    // next was taken from the state anew
	compared  bool    // the state was seen to be at starts since compare last passed
	stopped   bool    // not read: its worker waits for another position in the state, and takes that itself
	closed    bool

	highWatermark int64
	newest        time.Time // event time
	readAt        time.Time
	endAt         time.Time // when the end of the log was last reached
	backlog       bool
}

// resume puts the lane where the state is.
func (l *lane) resume(p windows.Progress) {
	l.starts = append(l.starts[:0], p.Next...)
	l.next = -1
	for i, n := range p.Next {
		if i == 0 || n < l.next {
			l.next = n // shards may be at different positions after a crash: from the smallest on, each skips what it has
		}
	}
	l.applied, l.in, l.rewind, l.compared, l.topicID = l.next, nil, true, true, p.TopicID
	if p.NewestEvent.After(l.newest) {
		l.newest = p.NewestEvent
	}
}

// follow puts the lane where the state went without us. One that has nothing of the partition any more has lost all that it had of
// it: then reading begins at the first offset that there ever was, so that what the log has no longer is met as a hole, and counted.
func (l *lane) follow(p windows.Progress) {
	had := l.applied >= 0
	if l.resume(p); had && l.next < 0 {
		l.next = 0
	}
}

// halt says whether the lane is stopped. One that is stays where it is, whatever the state does, until it is reopened.
func (l *lane) halt(stopped bool) {
	l.applier.mu.Lock()
	defer l.applier.mu.Unlock()
	l.stopped = stopped
}

// position returns where to read next, -1 for the beginning of the log, and takes the rewind as heeded.
func (l *lane) position() (next int64, topicID string) {
	l.applier.mu.Lock()
	defer l.applier.mu.Unlock()
	l.rewind = false
	return l.next, l.topicID
}

// rewound tells whether the worker has to ask for its position again.
func (l *lane) rewound() bool {
	l.applier.mu.Lock()
	defer l.applier.mu.Unlock()
	return l.rewind
}

// begin says which topic the records come from and at which offset the log is read, when the state did not.
func (l *lane) begin(topicID string, first int64) {
	l.applier.mu.Lock()
	defer l.applier.mu.Unlock()
	if l.topicID == "" {
		l.topicID = topicID
	}
	if !l.rewind && l.next < 0 {
		l.next = first
	}
}

// appliedNext is one after the last record that the state has, -1 when it has none.
func (l *lane) appliedNext() int64 {
	l.applier.mu.Lock()
	defer l.applier.mu.Unlock()
	return l.applied
}

// add folds the outcome of one record into the active batch, and keeps its value when it has to become a dead letter. It waits
// for room; the error is errRewind or the context's.
func (l *lane) add(ctx context.Context, offset int64, value []byte, r *event.Result, now time.Time) (waited bool, err error) {
	a := l.applier
	a.mu.Lock()
	defer a.mu.Unlock()
	if waited, err = l.enter(ctx, now); err != nil {
		return waited, err
	}
	b := a.active
	b.fold.Add(l.partition, offset, r, now)
	b.fold.Advance(l.partition, offset+1)
	l.next = offset + 1
	for i := range r.Events {
		if t := r.Events[i].Time; t.After(l.newest) {
			l.newest = t
		}
	}
	if r.Rejected != nil && a.options.DeadLetterTopic != "" {
		b.keep(l.partition, offset, r.Rejected.Reason, value)
	}
	b.events += max(1, len(r.Events))
	if !a.holding.Load() {
		a.holding.Store(true)
	}
	a.totals.Records++
	a.totals.Bytes += int64(len(value))
	if b.full(a.options.MaxBatch) {
		a.nudge()
	}
	return waited, nil
}

// advance says that there is nothing to fold below next: control records, offsets that compaction took away.
func (l *lane) advance(ctx context.Context, next int64, now time.Time) error {
	a := l.applier
	a.mu.Lock()
	defer a.mu.Unlock()
	if next <= l.next && !l.rewind {
		return nil
	}
	if _, err := l.enter(ctx, now); err != nil {
		return err
	}
	a.active.fold.Advance(l.partition, next)
	l.next = next
	return nil
}

// lose says that the records from where the lane is up to next can never be read.
func (l *lane) lose(ctx context.Context, lost, next int64, now time.Time) error {
	a := l.applier
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := l.enter(ctx, now); err != nil {
		return err
	}
	a.active.fold.Lost(l.partition, lost)
	a.active.fold.Advance(l.partition, next) // at least
	l.next = next
	return nil
}

// enter waits until the active batch has room, and begins the lane's part of it.
func (l *lane) enter(ctx context.Context, now time.Time) (waited bool, err error) {
	a := l.applier
	for {
		switch {
		case l.closed:
			return waited, errStopping
		case l.rewind:
			return waited, errRewind
		case !a.resuming && !a.active.full(a.options.MaxBatch):
			if l.in != a.active {
				l.join(now)
			}
			return waited, nil
		}
		waited = true
		if err := a.await(ctx); err != nil {
			return waited, err
		}
	}
}

func (l *lane) join(now time.Time) {
	a := l.applier
	b := a.active
	b.fold.Start(l.partition, l.starts)
	b.fold.Topic(l.partition, l.topicID)
	l.in = b
	b.lanes = append(b.lanes, l)
	a.pending[l.partition]++
	if len(b.lanes) == 1 {
		b.since = now
		a.nudge() // the batch has an age from now on
	}
}

// read notes what a fetch brought to light.
func (l *lane) read(highWatermark int64, now time.Time) {
	a := l.applier
	a.mu.Lock()
	defer a.mu.Unlock()
	l.readAt = now
	if highWatermark >= 0 {
		l.highWatermark = highWatermark
	}
	if l.highWatermark >= 0 && l.next >= l.highWatermark {
		l.endAt = now
	}
	l.setBacklog(l.highWatermark-l.next > int64(a.options.MaxBatch))
}

func (l *lane) setBacklog(yes bool) {
	switch {
	case yes && !l.backlog:
		l.applier.behind++
		select {
		case l.applier.backlog <- struct{}{}:
		default:
		}
	case !yes && l.backlog:
		l.applier.behind--
	}
	l.backlog = yes
}
