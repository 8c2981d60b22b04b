package holder

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/alerts"
	"sendwatch/internal/policy"
)

// Holder evaluates one partition while it has the lease.
type Holder struct {
	o Options

	mu       sync.Mutex
	policies *policy.Set // in force, or to be from the next evaluation on
	status   Status
	troubles map[string]string // by what is waited for
}

// Status is how a Holder does, for status pages and metrics.
type Status struct {
	Partition int
	Holding   bool
	Holder    string    // owner of the lease, as far as known
	Since     time.Time // of this term
	Terms     int64     // leases taken so far

	Evaluated  time.Time     // clock of the last evaluation that was saved
	Took       time.Duration // that evaluation, with reading counts and saving
	Subjects   int
	Open       int   // alerts
	Records    int64 // saved by this process
	Published  int64
	AdoptedNew int64  // records found in the alert topic that the state did not have
	Trouble    string // what does not work right now, "" = nothing
}

// New returns a holder that does nothing until Run.
func New(o Options) (*Holder, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	return &Holder{o: o, policies: o.Policies, status: Status{Partition: o.Partition}, troubles: map[string]string{}}, nil
}

// SetPolicies puts other policies in force from the next evaluation on.
func (h *Holder) SetPolicies(set *policy.Set) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.policies = set
}

// Status says how it does.
func (h *Holder) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.status
}

func (h *Holder) inForce() *policy.Set {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.policies
}

func (h *Holder) note(change func(*Status)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.status)
}

// trouble logs an error once for as long as it stays the same, and keeps it for the status; nil ends it.
func (h *Holder) trouble(what string, err error) {
	text := ""
	if err != nil {
		text = what + ": " + err.Error()
	}
	h.mu.Lock()
	before := h.troubles[what]
	if err == nil {
		delete(h.troubles, what)
	} else {
		h.troubles[what] = text
	}
	h.status.Trouble = strings.Join(slices.Sorted(maps.Values(h.troubles)), "; ")
	h.mu.Unlock()
	switch {
	case text == before:
	case err != nil:
		h.o.Log.Warn("alert evaluation waits", zap.Int("partition", h.o.Partition), zap.String("for", what), zap.Error(err))
	default:
		h.o.Log.Info("alert evaluation goes on", zap.Int("partition", h.o.Partition), zap.String("it_was", before))
	}
}

// untroubled forgets what an earlier term waited for: it is somebody else's now.
func (h *Holder) untroubled() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.troubles)
	h.status.Trouble = ""
}

// Run takes the lease whenever it can and evaluates while it has it, until the context ends.
func (h *Holder) Run(ctx context.Context) {
	for ctx.Err() == nil {
		lease, holder, err := h.o.Leases.Acquire(ctx, h.o.Owner, h.o.LeaseTime)
		if ctx.Err() != nil {
			if err == nil && holder == h.o.Owner {
				h.release(ctx, lease)
			}
			return
		}
		h.trouble("lease", err)
		if err == nil && holder != h.o.Owner {
			h.untroubled()
		}
		if err != nil || holder != h.o.Owner {
			h.note(func(s *Status) { s.Holder = holder })
			sleep(ctx, min(h.o.LeaseTime/6, h.o.EvaluateEvery))
			continue
		}
		h.note(func(s *Status) {
			s.Holding, s.Holder, s.Since = true, holder, h.o.Now()
			s.Terms++
		})
		h.o.Log.Info("alert evaluation taken", zap.Int("partition", h.o.Partition), zap.Int64("token", lease.Token))
		err = h.term(ctx, lease)
		h.note(func(s *Status) { s.Holding = false })
		h.o.Log.Info("alert evaluation left", zap.Int("partition", h.o.Partition), zap.Int64("token", lease.Token), zap.Error(err))
		if ctx.Err() != nil {
			h.o.Hook(Stopping)
		}
		if !errors.Is(err, alerts.ErrLeaseLost) {
			h.release(ctx, lease)
		}
		if errors.Is(err, errGivenUp) { // let another process try
			sleep(ctx, h.o.LeaseTime)
		} else if ctx.Err() == nil {
			sleep(ctx, h.o.DirtyEvery)
		}
	}
}

// release gives the lease back, also when the context has ended: others need not wait then.
func (h *Holder) release(ctx context.Context, lease alerts.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := h.o.Leases.Release(ctx, lease); err != nil && !errors.Is(err, alerts.ErrLeaseLost) {
		h.o.Log.Warn("alert evaluation: the lease was not given back and has to run out", zap.Int("partition", h.o.Partition), zap.Error(err))
	}
}

// errGivenUp ends a term that could not begin.
var errGivenUp = errors.New("it could not begin")

// retry does something until it works, the context ends or somebody else is found to have taken over. With a limit it gives up
// after that long.
func (h *Holder) retry(ctx context.Context, what string, limit time.Duration, do func() error) error {
	began := h.o.Now()
	for wait := h.o.DirtyEvery; ; wait = min(2*wait, 2*time.Second) {
		err := do()
		switch {
		case err == nil:
			h.trouble(what, nil)
			return nil
		case errors.Is(err, alerts.ErrLeaseLost), errors.Is(err, alerts.ErrConflict):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		h.trouble(what, err)
		if limit > 0 && h.o.Now().Sub(began) > limit {
			return fmt.Errorf("%w: %s: %w", errGivenUp, what, err)
		}
		sleep(ctx, wait)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// now is the clock as records write it: to the millisecond.
func (h *Holder) now() time.Time { return h.o.Now().UTC().Truncate(time.Millisecond) }

// stepID names a step of the state.
func stepID() string { return rand.Text() }
