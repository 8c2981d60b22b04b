package consumer

import (
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// sayAgain is how often a trouble that goes on is logged.
const sayAgain = 30 * time.Second

// trouble is one thing that can go wrong over and over while everything waits for it. It logs the beginning, a reminder now
// and then, and the end, and knows what to answer when somebody asks what is being waited for. It is safe for use by several
// goroutines.
type trouble struct {
	log  *zap.Logger
	what string

	mu    sync.Mutex
	err   error
	since time.Time
	said  time.Time
	times int
}

func newTrouble(log *zap.Logger, what string) *trouble { return &trouble{log: log, what: what} }

func (t *trouble) report(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.err == nil {
		t.since, t.times, t.said = now, 0, time.Time{}
	}
	t.err = err
	t.times++
	if now.Sub(t.said) < sayAgain {
		return
	}
	t.said = now
	t.log.Warn(t.what+": waiting and trying again", zap.Error(err), zap.Int("times", t.times), zap.Time("since", t.since.UTC()))
}

func (t *trouble) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		return
	}
	t.log.Info(t.what+": well again", zap.Int("times", t.times), zap.Duration("after", time.Since(t.since)))
	t.err = nil
}

// waiting says what is wrong, "" when nothing is.
func (t *trouble) waiting() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		return ""
	}
	return fmt.Sprintf("%s: %v (since %s)", t.what, t.err, t.since.UTC().Format(time.RFC3339))
}
