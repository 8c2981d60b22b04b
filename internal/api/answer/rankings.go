package answer

import (
	"context"
	"slices"
	"sync"
	"time"
)

// ranking is where all rows of a question stand.
type ranking struct {
	at        time.Time
	made      time.Time
	took      time.Duration
	places    []place
	truncated bool
}

func (r *ranking) sort() {
	slices.SortFunc(r.places, place.compare)
	r.places = slices.CompactFunc(r.places, func(a, b place) bool { return a == b })
}

// bound drops the rows that are least bad once there are more than limit.
func (r *ranking) bound(limit int) {
	if len(r.places) <= limit {
		return
	}
	r.sort()
	if len(r.places) > maxRanked {
		clear(r.places[maxRanked:]) // let go of the subjects
		r.places, r.truncated = r.places[:maxRanked], true
	}
}

// fresh says whether the ranking can stand for now: for no longer than twice what it cost, so that asking again and again
// takes no more than a third of the reader's time.
func (r *ranking) fresh(now time.Time) bool { return now.Sub(r.made) <= min(3*r.took, liveLife) }

// rankings keeps rankings for a short time, so that further pages and further viewers do not read all subjects again. Of
// several who ask the same thing at once, one reads and the others wait.
type rankings struct {
	mu    sync.Mutex
	slots map[string]*rankingSlot
}

type rankingSlot struct {
	turn chan struct{} // holds one token; who has it may read and write r
	r    *ranking
	used time.Time
}

func newRankings() rankings { return rankings{slots: map[string]*rankingSlot{}} }

func (c *rankings) get(ctx context.Context, clock func() time.Time, id string, at time.Time, build func(context.Context) (*ranking, error)) (*ranking, error) {
	if at.IsZero() {
		return c.take(ctx, clock, id, (*ranking).fresh, build)
	}
	lives := func(r *ranking, now time.Time) bool { return now.Sub(r.made) < rankingLife }
	return c.take(ctx, clock, keyAt(id, at), lives, build)
}

func keyAt(id string, at time.Time) string { return id + "|" + at.UTC().Format(time.RFC3339Nano) }

// keep puts a ranking of now by for its further pages, which ask for its time.
func (c *rankings) keep(id string, r *ranking) {
	slot := c.slot(keyAt(id, r.at), r.made)
	select {
	case slot.turn <- struct{}{}:
		slot.r = r
		<-slot.turn
	default: // somebody is making the same
	}
}

func (c *rankings) take(ctx context.Context, clock func() time.Time, key string, good func(*ranking, time.Time) bool, build func(context.Context) (*ranking, error)) (*ranking, error) {
	slot := c.slot(key, clock())
	select {
	case slot.turn <- struct{}{}:
		defer func() { <-slot.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if slot.r != nil && good(slot.r, clock()) {
		return slot.r, nil
	}
	r, err := build(ctx)
	if err != nil {
		return nil, err
	}
	slot.r = r
	return r, nil
}

// slot finds or makes a slot and drops those that were not used for long, or the oldest.
func (c *rankings) slot(key string, now time.Time) *rankingSlot {
	c.mu.Lock()
	defer c.mu.Unlock()
	oldest := ""
	for k, s := range c.slots {
		if now.Sub(s.used) > rankingLife {
			delete(c.slots, k)
		} else if oldest == "" || s.used.Before(c.slots[oldest].used) {
			oldest = k
		}
	}
	slot := c.slots[key]
	if slot == nil {
		if len(c.slots) >= maxRankings {
			delete(c.slots, oldest)
		}
		slot = &rankingSlot{turn: make(chan struct{}, 1)}
		c.slots[key] = slot
	}
	slot.used = now
	return slot
}
