package holder

import (
	"context"
	"errors"
	"sync"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/policy"
)

// term is the work under one lease.
type term struct {
	h     *Holder
	lease alerts.Lease
	end   context.CancelCauseFunc // ends the term

	eval     *alerts.Evaluator
	policies *policy.Set // that eval has
	mark     alerts.Mark // of the state that eval and topic are of
	topic    alerts.TopicPosition

	ticked  time.Time // last evaluation of everything
	swept   time.Time
	trimmed time.Time // as_of of the last trim

	wake     chan struct{}  // something is in the outbox
	readBack chan topicPart // from the goroutine that reads the topic
}

// topicPart is a batch of the alert topic with the position behind it; done takes what became of it.
type topicPart struct {
	entries []alerts.Entry
	at      alerts.TopicPosition
	done    chan error
}

// term works until the lease is lost, the state is another one than it knows, or the context ends; the error says which.
func (h *Holder) term(parent context.Context, lease alerts.Lease) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	t := &term{h: h, lease: lease, end: cancel, wake: make(chan struct{}, 1), readBack: make(chan topicPart)}
	var running sync.WaitGroup
	h.o.Hook(Acquired)
	running.Go(func() { t.keepLease(ctx) })
	err := t.begin(ctx)
	if err == nil {
		running.Go(func() { t.publish(ctx) })
		running.Go(func() { t.followTopic(ctx) })
		err = t.loop(ctx)
	}
	cancel(nil)
	running.Wait()
	if parent.Err() != nil && !errors.Is(err, alerts.ErrLeaseLost) {
		t.publishRest(parent)
	}
	return err
}

// keepLease renews the lease until the term ends, which it ends itself when the lease is lost.
func (t *term) keepLease(ctx context.Context) {
	for {
		sleep(ctx, t.h.o.LeaseTime/3)
		if ctx.Err() != nil {
			return
		}
		// Other errors pass: the next write or renewal tells whether the lease is still ours.
		if err := t.h.o.Leases.Renew(ctx, t.lease, t.h.o.LeaseTime); errors.Is(err, alerts.ErrLeaseLost) {
			t.end(err)
			return
		}
	}
}

// begin loads what is known: the state, what the alert topic has beyond it, and the counts.
func (t *term) begin(ctx context.Context) error {
	h := t.h
	t.policies = h.inForce()
	t.eval = alerts.NewEvaluator(t.policies, h.o.Retention)
	limit := 5 * h.o.LeaseTime
	err := h.retry(ctx, "alert state", limit, func() error {
		st, err := h.o.State.Load(ctx)
		if err != nil {
			return err
		}
		t.eval.Restore(st.Alerts, st.Evaluated)
		t.mark, t.topic = st.Mark, st.Topic
		return nil
	})
	if err != nil {
		return err
	}
	h.o.Hook(Loaded)
	err = h.retry(ctx, "alert topic", limit, func() error {
		return h.o.Topic.After(ctx, t.topic, func(entries []alerts.Entry, at alerts.TopicPosition) error {
			return t.adopt(ctx, entries, at)
		})
	})
	if err != nil {
		return err
	}
	h.o.Hook(Adopted)
	h.o.Counts.Restart()
	if err := h.retry(ctx, "counts", limit, func() error {
		_, err := h.o.Counts.Pull(ctx, t.eval)
		return err
	}); err != nil {
		return err
	}
	h.o.Hook(Counted)
	return nil
}

// loop evaluates: what was counted for as soon as may be, everything every EvaluateEvery.
func (t *term) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case part := <-t.readBack:
			err := t.adopt(ctx, part.entries, part.at)
			part.done <- err
			if err != nil {
				return err
			}
		case <-timer.C:
			worked, err := t.cycle(ctx)
			if err != nil {
				return err
			}
			// Evaluating takes at most a quarter of the time, so that counting is not starved on a small machine.
			timer.Reset(min(max(t.h.o.DirtyEvery, 3*worked), t.h.o.EvaluateEvery))
		}
	}
}

// cycle is one look at what there is. worked is how long it took without waiting for Redis.
func (t *term) cycle(ctx context.Context) (worked time.Duration, err error) {
	h := t.h
	began := time.Now() // the pace is that of the machine, whatever its clock is set to meanwhile
	tick := t.ticked.IsZero() || began.Sub(t.ticked) >= h.o.EvaluateEvery
	var m alerts.Moment
	err = h.retry(ctx, "counts", 0, func() error {
		now := h.now()
		asOf, stale, err := h.o.Feed.AsOf(ctx, now)
		if err != nil {
			return err
		}
		if tick {
			losses, err := h.o.Feed.Losses(ctx)
			if err != nil {
				return err
			}
			if h.o.Partition == 0 {
				t.eval.SetLosses(losses)
			}
		}
		t.trim(asOf)
		took, err := h.o.Counts.Pull(ctx, t.eval)
		worked += took
		if err != nil {
			return err
		}
		m = alerts.Moment{At: asOf, Now: now, Fresh: !stale}
		return nil
	})
	if err != nil {
		return worked, err
	}
	if set := h.inForce(); set != t.policies {
		t.policies = set
		t.eval.SetPolicies(set)
	}
	if !tick && !t.eval.Dirty() {
		return worked, nil
	}
	evaluating := time.Now()
	records := t.eval.Evaluate(m)
	worked += time.Since(evaluating)
	if tick || t.eval.Urgent() || len(records) > 0 {
		w := &alerts.Write{ID: stepID(), Evaluated: m.Now, Alerts: t.eval.Changed(), Records: records}
		if err := t.save(ctx, w); err != nil {
			return worked, err
		}
		h.note(func(s *Status) {
			s.Evaluated, s.Took, s.Subjects, s.Open = m.Now, time.Since(began), t.eval.Subjects(), t.eval.Alerts()
			s.Records += int64(len(records))
		})
	}
	if tick {
		t.ticked = began
		t.sweep(ctx, m.Now)
	}
	return worked, nil
}

// save takes a step of the state, however long that needs, and wakes the publisher.
func (t *term) save(ctx context.Context, w *alerts.Write) error {
	t.h.o.Hook(BeforeSave)
	err := t.h.retry(ctx, "alert state", 0, func() error {
		mark, err := t.h.o.State.Save(ctx, t.lease, t.mark, w)
		if err == nil {
			t.mark = mark
		}
		return err
	})
	if err != nil {
		return err
	}
	t.h.o.Hook(AfterSave)
	if len(w.Records) > 0 {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// trim forgets old counts once an hour of as_of, and reads them anew when as_of went back behind what was forgotten.
func (t *term) trim(asOf time.Time) {
	switch {
	case t.trimmed.IsZero():
		t.trimmed = asOf
	case asOf.Sub(t.trimmed) >= time.Hour:
		t.eval.Trim(asOf)
		t.trimmed = asOf
	case t.trimmed.Sub(asOf) > time.Hour:
		t.h.o.Counts.Restart()
		t.trimmed = asOf
	}
}

// sweep forgets old episodes, a bounded number every ten seconds.
func (t *term) sweep(ctx context.Context, now time.Time) {
	if time.Since(t.swept) < 10*time.Second {
		return
	}
	t.swept = time.Now()
	_, err := t.h.o.State.Sweep(ctx, now)
	t.h.trouble("sweeping old episodes", err)
}

// adopt takes over what the alert topic has and the state has not, and moves the position.
func (t *term) adopt(ctx context.Context, entries []alerts.Entry, at alerts.TopicPosition) error {
	var mine []alerts.Entry
	var ids []string
	for _, e := range entries {
		if alerts.PartitionOf(e.Record.SubjectKey, t.h.o.Partitions) == t.h.o.Partition {
			mine = append(mine, e)
			ids = append(ids, e.Record.ID)
		}
	}
	w := &alerts.Write{ID: stepID(), Topic: &at}
	if len(mine) > 0 {
		var newest map[string]int64
		err := t.h.retry(ctx, "alert state", 0, func() (err error) {
			newest, err = t.h.o.State.NewestSeqs(ctx, ids)
			return err
		})
		if err != nil {
			return err
		}
		for _, e := range mine {
			if e.Record.Seq > newest[e.Record.ID] {
				newest[e.Record.ID] = e.Record.Seq
				t.eval.Adopt(&e.Record)
				w.Adopted = append(w.Adopted, e)
			}
		}
	}
	w.Alerts, w.Evaluated = t.eval.Changed(), t.eval.Evaluated()
	if err := t.save(ctx, w); err != nil {
		return err
	}
	t.topic = at
	t.h.note(func(s *Status) { s.AdoptedNew += int64(len(w.Adopted)) })
	return nil
}
