package consumer

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/windows"
)

// zombiePause is waited for before positions are read anew: whoever else applies our partitions has them by right, and we
// shall be told so within a heartbeat.
const zombiePause = 200 * time.Millisecond

// run applies batches, and compares positions now and then, until the context ends. What is held then is dropped: the state's
// position is before it.
func (a *Applier) run(ctx context.Context) {
	look := time.Now().Add(a.options.CompareEvery)
	for {
		b := a.take(ctx, look)
		var err error
		switch {
		case b != nil:
			err = a.apply(ctx, b)
		case ctx.Err() == nil:
			err = a.compare(ctx)
			look = time.Now().Add(a.options.CompareEvery)
		default:
			err = context.Cause(ctx)
		}
		if err != nil {
			a.drop(b)
			return
		}
	}
}

// take waits until the active batch is due and puts the empty one in its place. It is nil when the context ended, or when the time
// for another look at the positions has come first.
func (a *Applier) take(ctx context.Context, look time.Time) *batch {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for ctx.Err() == nil {
		left := time.Until(look)
		if left <= 0 {
			return nil
		}
		a.mu.Lock()
		wait, due := a.due(a.options.Now())
		if due {
			b := a.swap()
			a.mu.Unlock()
			return b
		}
		a.mu.Unlock()
		timer.Reset(min(wait, left))
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-timer.C:
		}
	}
	return nil
}

// due tells whether the active batch has to be applied now, or else for how long it may be left alone. A batch is due when it
// is full, when somebody waits for it, or when it has its age: small batches while the reader keeps up, larger ones, which
// cost less an event, while there is a backlog.
func (a *Applier) due(now time.Time) (wait time.Duration, due bool) {
	b := a.active
	if len(b.lanes) == 0 {
		a.flush = false
		return time.Hour, false
	}
	every := a.options.FlushEvery
	if a.behind > 0 {
		every = a.options.BacklogEvery
	}
	age := now.Sub(b.since)
	// A batch begun in the future was begun by a clock that has been set back: when it will have its age, nobody knows.
	if a.flush || b.full(a.options.MaxBatch) || age >= every || age < 0 {
		return 0, true
	}
	return every - age, false
}

// swap takes the active batch out. From here on its lanes begin where it ends.
func (a *Applier) swap() *batch {
	b := a.active
	a.active, a.spare = a.spare, nil
	a.flush = false
	for _, l := range b.lanes {
		b.ends = append(b.ends, l.next)
		for s := range l.starts {
			l.starts[s] = max(l.starts[s], l.next)
		}
		l.in = nil
	}
	a.broadcast()
	return b
}

// apply brings one batch to the state: its dead letters first, because the position must not pass a record before them. It
// tries until it is done or the state is elsewhere, and fails only when the context ends.
func (a *Applier) apply(ctx context.Context, b *batch) error {
	a.options.Hooks.At("before-letters")
	if err := a.writeLetters(ctx, b); err != nil {
		return err
	}
	a.options.Hooks.At("before-apply")
	pause := newPause()
	for {
		start := time.Now()
		err := a.store.Apply(ctx, b.fold)
		if err == nil {
			a.options.Hooks.At("after-apply")
			a.state.clear()
			a.done(b, time.Since(start))
			return nil
		}
		var elsewhere *windows.PositionError
		if errors.As(err, &elsewhere) {
			return a.startAnew(ctx, b, elsewhere)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Whether the step was done is not known. The same batch again is right either way: if it was, the position says so.
		a.state.report(err)
		if !pause.wait(ctx) {
			return context.Cause(ctx)
		}
	}
}

// done notes that the batch is in the state.
func (a *Applier) done(b *batch, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, l := range b.lanes {
		l.applied = max(l.applied, b.ends[i])
		l.compared = true
		a.release(l.partition)
	}
	a.totals.Applies++
	a.totals.ApplyTime += took
	a.totals.DeadLetters += int64(len(b.letters))
	b.reset()
	a.spare = b
	a.holding.Store(a.active.events > 0)
	a.broadcast()
}

// startAnew drops everything that is held and puts every lane where the state is, but those that are stopped.
func (a *Applier) startAnew(ctx context.Context, b *batch, cause *windows.PositionError) error {
	a.log.Warn("the state is elsewhere: what was read is dropped and read again from there", zap.Error(cause),
		zap.String("topic", cause.Partition.Topic), zap.Int("partition", cause.Partition.ID), zap.Int("shard", cause.Shard))
	a.mu.Lock()
	a.totals.Rewinds++
	a.resuming = true
	a.holding.Store(false)
	a.spare = b
	for _, held := range []*batch{a.active, a.spare} {
		held.reset()
	}
	clear(a.pending)
	lanes := make([]*lane, 0, len(a.lanes))
	partitions := make([]windows.Partition, 0, len(a.lanes))
	for p, l := range a.lanes {
		l.in = nil
		lanes, partitions = append(lanes, l), append(partitions, p)
	}
	a.broadcast()
	a.mu.Unlock()

	pause := time.NewTimer(zombiePause)
	defer pause.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-pause.C:
	}
	var progress map[windows.Partition]windows.Progress
	if len(partitions) > 0 {
		var err error
		if progress, err = a.progress(ctx, partitions); err != nil {
			return err
		}
	}
	a.options.Hooks.At("resumed")
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range lanes {
		if a.lanes[l.partition] == l && !l.stopped {
			l.follow(progress[l.partition])
		}
	}
	a.resuming = false
	a.broadcast()
	return nil
}

// drop gives up the batch that is out, if one is, and the active one: the applier ends.
func (a *Applier) drop(b *batch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if b != nil {
		b.reset()
		a.spare = b
	}
	a.active.reset()
	clear(a.pending)
	a.resuming = true // nothing may be added any more
	a.holding.Store(false)
	a.broadcast()
}

func (a *Applier) release(p windows.Partition) {
	if a.pending[p]--; a.pending[p] <= 0 {
		delete(a.pending, p)
	}
}
