package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/windows"
)

// Taking entries out of packed buckets changes their version, and every apply that has read them has to begin anew. Sweeps at a pace of
// their own would keep a large batch from ever getting through. So a shard that is written to is swept by those who write to it, each
// after an apply that got through, and only one that nobody has written to for a while is swept by itself.
const (
	sweepKeys    = 1000                   // keys looked at in one call, of each server
	sweepBuckets = 32                     // packed buckets looked at in one piece, of each kind, some milliseconds
	sweepEvery   = 250 * time.Millisecond // between two pieces, over all shards of a process
	sweepOwed    = 8                      // pieces at once, when there was no time for them before
)

// sweeper remembers where the last sweep stopped. Where it begins after a restart does not matter.
type sweeper struct {
	s  *Store
	mu sync.Mutex

	wait    time.Duration     // for how long a time has to have been asOf before it decides; settleFor when New
	idle    time.Duration     // for how long nobody has written to a shard that is swept by itself; idleFor when New
	asked   []asked           // the last calls, oldest first
	cursors map[string]uint64 // of SCAN, by server
	shard   int               // that is looked at next

	until atomic.Pointer[time.Time] // the settled asOf of the last call, for sweeps after applies
}

// swept is where the sweep of a shard's packed buckets is.
type swept struct {
	bucket [numKinds]int64 // that is next
	at     time.Time       // of the last piece

	applied time.Time // by this process, for the last time
	version string    // of the packed buckets, when somebody looked
	since   time.Time // it was seen first, or swept last
}

// settleFor is how long asOf has to hold. A process that has just begun to read an old backlog takes the clock for the time of
// the state until it has said where it reads; what it counts then must not be swept away.
const settleFor = time.Minute

// idleFor is how long nobody has written to a shard that is swept by itself: longer than an apply takes on a slow machine.
const idleFor = 10 * time.Second

// asked is one call of Sweep.
type asked struct {
	when, asOf time.Time
}

// settled is the least asOf of the last minute; false while there has been none for so long.
func (w *sweeper) settled(asOf, now time.Time) (time.Time, bool) {
	w.asked = append(w.asked, asked{now, asOf})
	// One call from before the minute is kept: it tells that the minute has been covered.
	for len(w.asked) > 1 && now.Sub(w.asked[1].when) >= w.wait {
		w.asked = w.asked[1:]
	}
	if now.Sub(w.asked[0].when) < w.wait {
		return time.Time{}, false
	}
	for _, a := range w.asked {
		if a.asOf.Before(asOf) {
			asOf = a.asOf
		}
	}
	return asOf, true
}

// Swept is what a sweep took away.
type Swept struct {
	Keys    int64 // whole keys: counts and cohorts that are no longer kept
	Entries int64 // recipients and fingerprints
}

// Sweep removes what is no longer kept at asOf, a bounded piece of the state in each call; calls go on where the last one
// stopped. Several processes may sweep. The first minute of calls removes nothing, and the least asOf of the last minute counts.
// The packed buckets of shards that are written to are swept after applies; what that takes away is not in the answer.
func (s *Store) Sweep(ctx context.Context, asOf time.Time) (Swept, error) {
	w := &s.sweeper
	w.mu.Lock()
	defer w.mu.Unlock()
	var out Swept
	asOf, ok := w.settled(asOf, time.Now())
	if !ok {
		return out, nil
	}
	w.until.Store(&asOf)
	keys, err := w.keys(ctx, asOf)
	out.Keys = keys
	if err != nil {
		return out, fmt.Errorf("sweep keys: %w", err)
	}
	sh := s.shards[w.shard]
	w.shard = (w.shard + 1) % len(s.shards)
	out.Entries, err = w.idleShard(ctx, sh, asOf)
	if err != nil {
		return out, fmt.Errorf("sweep buckets: %w", err)
	}
	return out, nil
}

// keys scans on, on every server.
func (w *sweeper) keys(ctx context.Context, asOf time.Time) (gone int64, err error) {
	if w.cursors == nil {
		w.cursors = map[string]uint64{}
	}
	var mu sync.Mutex
	one := func(ctx context.Context, name string, node redis.Cmdable) error {
		mu.Lock()
		cursor := w.cursors[name]
		mu.Unlock()
		keys, next, err := node.Scan(ctx, cursor, w.s.o.Prefix+":{s*", sweepKeys).Result()
		if err != nil {
			return err
		}
		var old []string
		for _, key := range keys {
			if w.s.outdated(key, asOf) {
				old = append(old, key)
			}
		}
		n := int64(0)
		for _, key := range old {
			removed, err := node.Unlink(ctx, key).Result()
			if err != nil {
				return err
			}
			n += removed
		}
		mu.Lock()
		defer mu.Unlock()
		w.cursors[name] = next
		gone += n
		return nil
	}
	if cluster, ok := w.s.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			return one(ctx, node.Options().Addr, node)
		})
	} else {
		err = one(ctx, "", w.s.client)
	}
	return gone, err
}

// outdated tells whether a key holds nothing that is kept at asOf or later.
func (s *Store) outdated(key string, asOf time.Time) bool {
	rest, ok := strings.CutPrefix(key, s.o.Prefix+":{s")
	if !ok {
		return false
	}
	_, rest, ok = strings.Cut(rest, "}:")
	if !ok {
		return false
	}
	if counts, ok := strings.CutPrefix(rest, "c:"); ok {
		step, chunk, _, ok := parseCountKey(counts)
		return ok && (chunk+1)*chunkOf[step] <= s.o.Retention.Oldest(step, asOf)
	}
	if cohort, ok := strings.CutPrefix(rest, "co:"); ok {
		number, _, _ := strings.Cut(cohort, ":")
		chunk, err := strconv.ParseInt(number, 10, 64)
		return err == nil && (chunk+1)*daysInCohort <= int64(s.forgottenBefore(asOf))
	}
	return false
}

// idleShard sweeps on in a shard that nobody has written to for a while.
func (w *sweeper) idleShard(ctx context.Context, sh *shard, asOf time.Time) (gone int64, err error) {
	if !sh.mu.TryLock() {
		return 0, nil // an apply is under way
	}
	defer sh.mu.Unlock()
	now := time.Now()
	if now.Sub(sh.swept.applied) < w.idle {
		return 0, nil
	}
	version, err := w.s.client.HGet(ctx, sh.meta, "ver").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return 0, err
	}
	turns, err := w.s.client.Exists(ctx, sh.base+"turn").Result()
	if err != nil {
		return 0, err
	}
	if turns > 0 || version != sh.swept.version {
		sh.swept.version, sh.swept.since = version, now
	}
	if now.Sub(sh.swept.since) < w.idle {
		return 0, nil
	}
	sh.swept.since = now // whoever writes after all meets us once in that time
	return w.pieces(ctx, sh, asOf)
}

// afterApply sweeps on in a shard that has just been written to. Its failures are the next sweep's to find.
func (w *sweeper) afterApply(ctx context.Context, sh *shard) {
	sh.swept.applied = time.Now()
	if asOf := w.until.Load(); asOf != nil && sh.swept.applied.Sub(sh.swept.at) >= w.every() {
		_, _ = w.pieces(ctx, sh, *asOf)
	}
}

// every is the time between two pieces of one shard.
func (w *sweeper) every() time.Duration { return sweepEvery * time.Duration(len(w.s.shards)) }

// pieces sweeps as much as has become due, one piece at least.
func (w *sweeper) pieces(ctx context.Context, sh *shard, asOf time.Time) (gone int64, err error) {
	now := time.Now()
	due := min(max(now.Sub(sh.swept.at)/w.every(), 1), sweepOwed)
	sh.swept.at = now
	for range due {
		n, err := w.piece(ctx, sh, asOf)
		gone += n
		if err != nil {
			return gone, err
		}
	}
	return gone, nil
}

// piece sweeps on through some of a shard's packed buckets of each kind, and in the end through its lists of subjects.
func (w *sweeper) piece(ctx context.Context, sh *shard, asOf time.Time) (gone int64, err error) {
	limits := [numKinds]string{recipients: strconv.Itoa(int(w.s.forgottenBefore(asOf))),
		prints: strconv.FormatInt(int64(w.s.o.Horizon/time.Second), 10)}
	through := true
	next := &sh.swept.bucket
	for k, letter := range [numKinds]string{recipients: "r", prints: "d"} {
		answer, err := w.s.scripts.sweep.Run(ctx, w.s.client, sh.keys(), sh.base, letter, next[k], sweepBuckets, limits[k], stepTag()).Slice()
		if err != nil {
			return gone, err
		}
		if len(answer) != 2 {
			return gone, errAnswer
		}
		total, err := parseSeq(answer[0])
		if err != nil {
			return gone, err
		}
		n, _ := answer[1].(int64)
		gone += n
		next[k] = min(next[k]+sweepBuckets, total)
		through = through && next[k] >= total
	}
	if !through {
		return gone, nil
	}
	// A subject goes with its last day.
	oldest := w.s.o.Retention.Oldest(windows.Day, asOf)
	for _, c := range w.s.o.Combinations {
		if err := w.s.client.ZRemRangeByScore(ctx, sh.base+"subj:"+c.String(), "-inf", "("+strconv.FormatInt(oldest, 10)).Err(); err != nil {
			return gone, err
		}
	}
	*next = [numKinds]int64{}
	return gone, nil
}
