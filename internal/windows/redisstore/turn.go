package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Who writes to packed buckets has read them before. When somebody else has written meanwhile, the script refuses and all has to be
// done again; a process with a small batch could so keep one with a large batch from ever getting through. So whoever was refused takes
// a turn: a key with a short life, and while it is there the scripts of those who have had none are refused. Of those who have had one,
// the first to be done gets through, so that somebody always does, however slow the machine. Nothing but time depends on it.
const (
	turnLife = 2 * time.Second       // of the key; reading, encoding and writing a large batch takes a tenth of that where there is processor time
	turnWait = 3 * time.Millisecond  // before the first look whether it is our turn
	turnMost = 20 * time.Millisecond // between looks
)

// turn is that of one apply to one shard.
type turn struct {
	s     *Store
	sh    *shard
	token string // of the turn that was taken last, "" = none yet
	wants bool
	pause time.Duration
}

// changed notes that somebody else wrote between our reading and our writing.
func (t *turn) changed() { t.wants, t.sh.contended = true, true }

// refused notes that it is somebody else's turn.
func (t *turn) refused() {
	t.wants, t.sh.contended = true, true
	t.pause = turnWait
}

// wait takes a turn when one is wanted, as soon as nobody else has it: the key goes when its holder is done, with its life, or, where
// keys outlive that (a server whose clock stands still), after as much of our own time. A turn that we have still begins anew.
func (t *turn) wait(ctx context.Context) error {
	key, other, since := t.sh.base+"turn", "", time.Time{}
	for t.wants {
		if t.pause > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(t.pause):
			}
		}
		token := rand.Text()
		got, err := t.s.client.SetNX(ctx, key, token, t.s.turnLife).Result()
		if err != nil {
			return fmt.Errorf("take a turn: %w", err)
		}
		if got {
			t.token, t.wants, t.pause = token, false, 0
			return nil
		}
		have, err := t.s.client.Get(ctx, key).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("take a turn: %w", err)
		}
		t.sh.contended = true
		switch {
		case have != "" && have == t.token:
			if err := t.s.client.PExpire(ctx, key, t.s.turnLife).Err(); err != nil {
				return fmt.Errorf("take a turn: %w", err)
			}
			t.wants, t.pause = false, 0
			return nil
		case have != other:
			other, since = have, time.Now()
		case have != "" && time.Since(since) > t.s.turnLife:
			t.giveBack(ctx, have)
		}
		t.pause = min(max(turnWait, 2*t.pause), turnMost)
	}
	return nil
}

// giveBack removes somebody's turn. Between looking and removing it may have become somebody else's: that costs a little time, no more.
// So does an error.
func (t *turn) giveBack(ctx context.Context, token string) {
	key := t.sh.base + "turn"
	if have, err := t.s.client.Get(ctx, key).Result(); err == nil && have == token {
		t.s.client.Del(ctx, key)
	}
}

// release gives the turn back: after what follows an apply, which writes to buckets too.
func (t *turn) release(ctx context.Context) {
	if t.token == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	t.giveBack(ctx, t.token)
	t.token = ""
}
