package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/windows"
)

// ErrGap says that the change feed does not go on where the reader is: it was too slow, or Redis came back with older data.
// What the reader holds is worth nothing; it loads anew.
var ErrGap = errors.New("redis: the change feed does not go on from here")

const (
	feedEntries   = 256     // read in one go, at most
	feedBytes     = 4 << 20 // likewise
	snapshotBatch = 64      // subjects read in one step
)

// stepTag marks a step that writes: its entry in the feed, so that it cannot be taken for one that came under the same number before Redis
// went back, and the packed buckets as it left them.
func stepTag() []byte {
	tag := make([]byte, 8)
	_, _ = rand.Read(tag) // never fails (crypto/rand)
	return tag
}

// place is how far a reader is in the feed of a shard: entries seen and the tag of the last.
type place struct {
	seen int64
	tag  string
}

// Feed keeps a reader's copy of counts up to date: Load gives it what there is, Next what is added to it from then on, each
// increment once. It is not safe for concurrent use.
type Feed struct {
	s      *Store
	places []place
	ever   []int64 // entries that the feed had when it was last read, by shard
	// loaded says for subjects whose snapshot is ahead of the feed where it stands, by shard.
	loaded map[string][]place
	until  [windows.NumSteps]int64 // the last bucket of each step that snapshots hold
	worked time.Duration
}

// NewFeed returns a feed that nothing has been loaded from.
func (s *Store) NewFeed() *Feed { return &Feed{s: s} }

// Sink takes a reader's copy of counts.
type Sink interface {
	Reset()
	Load(subject string, series *windows.Series)
	Add(subject string, step windows.Step, bucket int64, c windows.Counter, n int64)
	Retention() windows.Retention // what a loaded series has to hold
}

// Worked is the time that this feed has spent on what it had read, in all: waiting for Redis is not in it.
func (f *Feed) Worked() time.Duration { return f.worked }

// Pull brings the sink up to what the state held when it was called: what was added since the last Pull, or, the first time and
// whenever the feed does not go on from there, everything anew after a Reset. asOf says which buckets are kept. wanted, which may be nil,
// chooses subjects. After an error the next Pull goes on where this one stopped, or begins anew.
func (f *Feed) Pull(ctx context.Context, asOf time.Time, wanted func(subject string) bool, into Sink) error {
	add := into.Add
	if wanted != nil {
		add = func(subject string, step windows.Step, bucket int64, c windows.Counter, n int64) {
			if wanted(subject) {
				into.Add(subject, step, bucket, c, n)
			}
		}
	}
	var goal []int64
	for {
		if f.places == nil {
			into.Reset()
			if err := f.loadInto(ctx, asOf, wanted, into); err != nil {
				f.Restart()
				return err
			}
			goal = nil
		}
		more, err := f.Next(ctx, add)
		switch {
		case errors.Is(err, ErrGap):
			f.Restart()
			continue
		case err != nil:
			f.Restart() // some of what was read may have been added
			return err
		}
		// Writers may be as fast as this reader: what comes while it reads is for the next Pull.
		if goal == nil {
			goal = slices.Clone(f.ever)
		}
		reached := true
		for i, at := range f.places {
			reached = reached && at.seen >= goal[i]
		}
		if !more || reached {
			return nil
		}
	}
}

// loadInto loads what the sink wants: from as far back as it reaches at asOf up to the newest event, which may be far ahead of
// asOf, the time of the slowest partition.
func (f *Feed) loadInto(ctx context.Context, asOf time.Time, wanted func(string) bool, into Sink) error {
	newest, err := f.s.Newest(ctx)
	if err != nil {
		return err
	}
	if newest.Before(asOf) {
		newest = asOf
	}
	var spans []windows.Span
	for step, length := range into.Retention() {
		span := windows.SpanAt(windows.Step(step), length, asOf)
		span.Last = span.Step.Bucket(newest.Add(time.Hour))
		spans = append(spans, span)
	}
	return f.Load(ctx, spans, wanted, into.Load)
}

// Newest is the newest time of a counted event, to the second; zero when there is none.
func (s *Store) Newest(ctx context.Context) (time.Time, error) {
	cmds, err := s.onEveryShard(ctx, func(p redis.Pipeliner, sh *shard) redis.Cmder { return p.HMGet(ctx, sh.meta, "newest") })
	if err != nil {
		return time.Time{}, fmt.Errorf("read the newest time: %w", err)
	}
	var newest int64
	for _, cmd := range cmds {
		if text, ok := cmd.(*redis.SliceCmd).Val()[0].(string); ok {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return time.Time{}, errAnswer
			}
			newest = max(newest, n)
		}
	}
	if newest == 0 {
		return time.Time{}, nil
	}
	return time.Unix(newest, 0).UTC(), nil
}

// Restart makes the next Pull begin anew.
func (f *Feed) Restart() { f.places, f.loaded = nil, nil }

// Load reads all subjects of the configured combinations for which wanted is true, with their counts in the spans, one of each
// step. From the call on Next tells of what is added, in the spans and after them. wanted may be nil.
func (f *Feed) Load(ctx context.Context, spans []windows.Span, wanted func(subject string) bool, load func(subject string, series *windows.Series)) error {
	f.places, f.ever, f.loaded = make([]place, len(f.s.shards)), make([]int64, len(f.s.shards)), map[string][]place{}
	for _, span := range spans {
		f.until[span.Step] = span.Last
	}
	for i := range f.places {
		_, at, err := f.s.snapshot(ctx, i, nil)
		if err != nil {
			return err
		}
		f.places[i] = at
	}
	// Subjects that come after this instant come with the feed.
	for _, c := range f.s.o.Combinations {
		subjects, err := f.s.allSubjects(ctx, c)
		if err != nil {
			return err
		}
		var batch []string
		for _, subject := range subjects {
			if wanted == nil || wanted(subject) {
				batch = append(batch, subject)
			}
			if len(batch) == snapshotBatch {
				if err := f.load(ctx, batch, spans, load); err != nil {
					return err
				}
				batch = batch[:0]
			}
		}
		if err := f.load(ctx, batch, spans, load); err != nil {
			return err
		}
	}
	return nil
}

func (f *Feed) load(ctx context.Context, subjects []string, spans []windows.Span, load func(string, *windows.Series)) error {
	if len(subjects) == 0 {
		return nil
	}
	all := make([]wanted, len(subjects))
	series := make([]*windows.Series, len(subjects))
	for i, subject := range subjects {
		all[i], series[i] = keysFor(subject, spans), windows.NewSeries(f.s.o.Retention)
	}
	at := make([]place, len(f.s.shards))
	for i, sh := range f.s.shards {
		var keys []any
		for _, w := range all {
			for _, key := range w.keys {
				keys = append(keys, sh.base+"c:"+key)
			}
		}
		logs, p, err := f.s.snapshot(ctx, i, keys)
		if err != nil {
			return err
		}
		at[i] = p
		for k := range all {
			n := len(all[k].keys)
			if err := all[k].add(series[k], logs[:n], spans); err != nil {
				return err
			}
			logs = logs[n:]
		}
	}
	for i, subject := range subjects {
		f.loaded[subject] = at
		load(subject, series[i])
	}
	return nil
}

// snapshot reads keys of a shard and the place in its feed at that instant.
func (s *Store) snapshot(ctx context.Context, i int, keys []any) (logs []any, at place, err error) {
	sh := s.shards[i]
	answer, err := s.scripts.snapshot.Run(ctx, s.client, []string{sh.meta, sh.base + "feed", sh.never}, keys...).Slice()
	if err != nil {
		return nil, place{}, fmt.Errorf("read counts: %w", err)
	}
	// Redis cuts a list that a script answers at its first nil; false is none.
	if len(answer) != 2+len(keys) {
		return nil, place{}, errAnswer
	}
	seq, err := parseSeq(answer[0])
	tag, _ := answer[1].(string)
	return answer[2:], place{seq, tag}, err
}

// Next reads what was added since the last call and calls add for every increment: of minutes, and the same of the hours and
// days that they lie in. more tells that there may be more to read now. The error wraps ErrGap when the copy has to be loaded
// anew.
func (f *Feed) Next(ctx context.Context, add func(subject string, step windows.Step, bucket int64, c windows.Counter, n int64)) (more bool, err error) {
	for i, sh := range f.s.shards {
		at := &f.places[i]
		answer, err := f.s.scripts.changes.Run(ctx, f.s.client, []string{sh.meta, sh.base + "feed"}, at.seen, at.tag, feedEntries, feedBytes).Slice()
		if err != nil {
			return false, fmt.Errorf("read the change feed: %w", err)
		}
		if len(answer) < 2 {
			return false, ErrGap
		}
		began := time.Now()
		for _, x := range answer[2:] {
			entry, _ := x.(string)
			if len(entry) < 8 {
				return false, errAnswer
			}
			if err := f.entry(i, *at, entry, add); err != nil {
				return false, err
			}
			at.seen++
			at.tag = entry[:8]
		}
		f.worked += time.Since(began)
		if f.ever[i], err = parseSeq(answer[1]); err != nil {
			return false, err
		}
		more = more || at.seen < f.ever[i]
	}
	if len(f.loaded) > 0 {
		f.settle()
	}
	return more, nil
}

// entry gives out what one entry of the feed holds. Its number is at.seen + 1.
func (f *Feed) entry(shard int, at place, entry string, add func(string, windows.Step, int64, windows.Counter, int64)) error {
	for rest := entry[8:]; rest != ""; {
		if len(rest) < 6 {
			return errAnswer
		}
		keyLen := int(binary.BigEndian.Uint16([]byte(rest[0:2])))
		logLen := int(binary.BigEndian.Uint32([]byte(rest[2:6])))
		if len(rest) < 6+keyLen+logLen {
			return errAnswer
		}
		step, chunk, subject, ok := parseCountKey(strings.TrimPrefix(rest[6:6+keyLen], f.s.shards[shard].base+"c:"))
		if !ok || step != windows.Minute {
			return errAnswer
		}
		log := rest[6+keyLen : 6+keyLen+logLen]
		rest = rest[6+keyLen+logLen:]
		has := [windows.NumSteps]int64{-1, -1, -1} // up to which bucket the snapshot has it already
		if marks := f.loaded[subject]; marks != nil {
			if at.seen+1 == marks[shard].seen && entry[:8] != marks[shard].tag {
				return ErrGap
			}
			if at.seen < marks[shard].seen {
				has = f.until
			}
		}
		give := func(step windows.Step, bucket int64, c windows.Counter, n int64) {
			if bucket > has[step] {
				add(subject, step, bucket, c, n)
			}
		}
		// Minutes come in order: an hour and a day are given out once, not for each of their minutes.
		hours, days := sums{step: windows.Hour}, sums{step: windows.Day}
		first := chunk * chunkOf[windows.Minute]
		ok = increments(log, func(p byte, c windows.Counter, n uint64) {
			minute := first + int64(p)
			give(windows.Minute, minute, c, int64(n))
			hours.add(minute/60, c, int64(n), give)
			days.add(minute/1440, c, int64(n), give)
		})
		hours.flush(give)
		days.flush(give)
		if !ok {
			return errAnswer
		}
	}
	return nil
}

// sums are the counts of one bucket of a step, until they are given out.
type sums struct {
	step   windows.Step
	bucket int64
	counts windows.Counts
	any    bool
}

func (x *sums) add(bucket int64, c windows.Counter, n int64, give func(windows.Step, int64, windows.Counter, int64)) {
	if bucket != x.bucket {
		x.flush(give)
		x.bucket = bucket
	}
	x.counts[c] += n
	x.any = true
}

func (x *sums) flush(give func(windows.Step, int64, windows.Counter, int64)) {
	if !x.any {
		return
	}
	for c, n := range x.counts {
		if n != 0 {
			give(x.step, x.bucket, windows.Counter(c), n)
		}
	}
	x.counts, x.any = windows.Counts{}, false
}

// settle forgets snapshots that the feed has caught up with.
func (f *Feed) settle() {
	for subject, marks := range f.loaded {
		past := true
		for i, m := range marks {
			past = past && m.seen <= f.places[i].seen
		}
		if past {
			delete(f.loaded, subject)
		}
	}
}
