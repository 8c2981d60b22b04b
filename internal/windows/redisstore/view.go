package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// view is what a batch goes by. The version stands for all packed buckets of the shard: it is read before they are, every step that
// writes to a bucket changes it, and the apply script refuses when it is another one. So what is written by a view is as good as what a
// script would find by itself, and Redis is spared the search.
type view struct {
	version string // "" = none has been written yet
	newest  int64  // newest counted event of the state, seconds
	turn    bool   // somebody has a turn
}

// errStale says that a bucket was read when the version was another one than the view's.
var errStale = errors.New("redis: somebody has written to packed buckets since the version was read")

// arg is how the apply script takes the version: nothing when the batch does not depend on it.
func (v *view) arg(looks bool) string {
	if !looks {
		return ""
	}
	return "=" + v.version
}

// view reads the version, and brings the shard's layout up to date.
func (s *Store) view(ctx context.Context, sh *shard) (view, error) {
	p := s.client.Pipeline()
	head, turn := p.HMGet(ctx, sh.meta, "ver", "rb", "rs", "db", "ds", "newest"), p.Exists(ctx, sh.base+"turn")
	if _, err := p.Exec(ctx); err != nil {
		return view{}, fmt.Errorf("read the version of the buckets: %w", err)
	}
	values := head.Val()
	var n [2*numKinds + 1]uint64
	for i := range n {
		if text, ok := values[1+i].(string); ok {
			v, err := strconv.ParseUint(text, 10, 63)
			if err != nil {
				return view{}, errAnswer
			}
			n[i] = v
		}
	}
	for k := range sh.layout {
		sh.layout[k] = spread{bits: uint8(n[2*k]), split: uint32(n[2*k+1])}
	}
	v := view{newest: int64(n[2*numKinds]), turn: turn.Val() > 0}
	v.version, _ = values[0].(string)
	return v, nil
}

// packed is a bucket as it was read.
type packed struct {
	text  string
	there bool
}

const (
	bucketsAtOnce  = 256               // buckets read by one command: some hundred kilobytes
	bucketsInChunk = 4 * bucketsAtOnce // read before they are worked on
)

// chunk is some of the buckets of a batch.
type chunk struct {
	runs    []bucketRun
	buckets []packed
	err     error
}

// readChunks reads the buckets of the runs, in their order, and gives them to visit. While it works on a chunk, the next one is read:
// memory stays bounded, and neither Redis nor this process waits for the other.
func (s *Store) readChunks(ctx context.Context, sh *shard, v view, name string, runs []bucketRun, visit func([]bucketRun, []packed) error) error {
	read := func(runs []bucketRun) chunk {
		names := make([]string, len(runs))
		for i, run := range runs {
			names[i] = name + strconv.FormatUint(uint64(run.bucket), 10)
		}
		buckets, err := s.readBuckets(ctx, sh, v, names)
		return chunk{runs, buckets, err}
	}
	if len(runs) <= bucketsInChunk {
		if len(runs) == 0 {
			return nil
		}
		c := read(runs)
		if c.err != nil {
			return c.err
		}
		return visit(c.runs, c.buckets)
	}
	done := make(chan struct{})
	ahead := make(chan chunk)
	go func() {
		defer close(ahead)
		for part := range slices.Chunk(runs, bucketsInChunk) {
			c := read(part)
			select {
			case ahead <- c:
			case <-done:
				return
			}
			if c.err != nil {
				return
			}
		}
	}()
	defer func() {
		close(done)
		for range ahead { // until the reader has gone
		}
	}()
	for c := range ahead {
		if c.err != nil {
			return c.err
		}
		if err := visit(c.runs, c.buckets); err != nil {
			return err
		}
	}
	return nil
}

// readBuckets reads packed buckets by their keys without base. Every command names the key that never exists, as scripts do
// (shard.keys). The version is read again after them: had they been those of a later one, and did Redis then come
// back with data from before it, the script would take what was never in the state. The error is errStale when it is another one.
func (s *Store) readBuckets(ctx context.Context, sh *shard, v view, names []string) ([]packed, error) {
	p := s.client.Pipeline()
	var cmds []*redis.SliceCmd
	for part := range slices.Chunk(names, bucketsAtOnce) {
		keys := make([]string, 0, len(part)+1)
		for _, name := range part {
			keys = append(keys, sh.base+name)
		}
		cmds = append(cmds, p.MGet(ctx, append(keys, sh.never)...))
	}
	head := p.HMGet(ctx, sh.meta, "ver")
	if _, err := p.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read buckets: %w", err)
	}
	if version, _ := head.Val()[0].(string); version != v.version {
		return nil, errStale
	}
	out := make([]packed, 0, len(names))
	for _, cmd := range cmds {
		values := cmd.Val()
		for _, x := range values[:len(values)-1] {
			text, there := x.(string)
			out = append(out, packed{text, there})
		}
	}
	return out, nil
}
