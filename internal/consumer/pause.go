package consumer

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// pause grows from try to try, with some chance in it so that processes do not come all at once. A part that is back after a
// long absence is noticed within 2 s.
type pause struct{ backoff *backoff.ExponentialBackOff }

func newPause() *pause {
	return &pause{&backoff.ExponentialBackOff{InitialInterval: 50 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.3,
		MaxInterval: 2 * time.Second}}
}

// wait is false when the context ended first.
func (p *pause) wait(ctx context.Context) bool {
	t := time.NewTimer(p.backoff.NextBackOff())
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (p *pause) reset() { p.backoff.Reset() }
