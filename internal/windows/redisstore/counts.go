package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/windows"
)

// Counts are kept by subject, step and chunk (a run of buckets) as a log of increments: what an apply adds is appended, in one
// command however many buckets and counters it touches. Who reads adds the log up. A log that has grown by a kilobyte is
// replaced by its sums.

// wanted is the keys of a subject that hold the spans.
type wanted struct {
	keys  []string // without base
	steps []windows.Step
	first []int64 // bucket of place 0
}

func keysFor(subject string, spans []windows.Span) wanted {
	var w wanted
	for _, span := range spans {
		if span.Last < span.First {
			continue
		}
		size := chunkOf[span.Step]
		for chunk := max(0, span.First) / size; chunk <= span.Last/size && span.Last >= 0; chunk++ {
			w.keys = append(w.keys, string(appendCountKey(nil, span.Step, chunk, subject)))
			w.steps = append(w.steps, span.Step)
			w.first = append(w.first, chunk*size)
		}
	}
	return w
}

// add puts the logs that were read for the keys into the series. clip, when there is one, bounds the buckets taken.
func (w *wanted) add(series *windows.Series, logs []any, clip []windows.Span) error {
	for i, v := range logs {
		log, _ := v.(string)
		step, first := w.steps[i], w.first[i]
		ok := increments(log, func(place byte, c windows.Counter, n uint64) {
			bucket := first + int64(place)
			for _, span := range clip {
				if span.Step == step && bucket >= span.First && bucket <= span.Last {
					series.Add(step, bucket, c, int64(n))
					return
				}
			}
		})
		if !ok {
			return fmt.Errorf("redis: counts under %q are broken", w.keys[i])
		}
	}
	return nil
}

// Series returns a subject's counts in the spans, at most one a step, summed over the shards. It is not the same instant on
// every shard.
func (s *Store) Series(ctx context.Context, subject string, spans ...windows.Span) (*windows.Series, error) {
	series := windows.NewSeries(s.o.Retention)
	w := keysFor(subject, spans)
	if len(w.keys) == 0 {
		return series, nil
	}
	cmds, err := s.onEveryShard(ctx, func(p redis.Pipeliner, sh *shard) redis.Cmder {
		keys := make([]string, len(w.keys))
		for i, key := range w.keys {
			keys[i] = sh.base + "c:" + key
		}
		return p.MGet(ctx, keys...)
	})
	if err != nil {
		return nil, fmt.Errorf("read counts: %w", err)
	}
	for _, cmd := range cmds {
		if err := w.add(series, cmd.(*redis.SliceCmd).Val(), spans); err != nil {
			return nil, err
		}
	}
	return series, nil
}

// onEveryShard sends one command a shard, all at once.
func (s *Store) onEveryShard(ctx context.Context, command func(redis.Pipeliner, *shard) redis.Cmder) ([]redis.Cmder, error) {
	p := s.client.Pipeline()
	cmds := make([]redis.Cmder, len(s.shards))
	for i, sh := range s.shards {
		cmds[i] = command(p, sh)
	}
	_, err := p.Exec(ctx)
	return cmds, err
}

// Kept returns the spans of all buckets that are kept at asOf: what Series needs for any question about that time.
func (s *Store) Kept(asOf time.Time) []windows.Span {
	spans := make([]windows.Span, windows.NumSteps)
	for step := windows.Minute; int(step) < windows.NumSteps; step++ {
		spans[step] = windows.Span{Step: step, First: s.o.Retention.Oldest(step, asOf), Last: step.Bucket(asOf)}
	}
	return spans
}

// Counts returns the buckets of the span that hold anything.
func (s *Store) Counts(ctx context.Context, subject string, span windows.Span) (map[int64]windows.Counts, error) {
	series, err := s.Series(ctx, subject, span)
	if err != nil {
		return nil, err
	}
	out := map[int64]windows.Counts{}
	for bucket, counts := range series.Buckets(span) {
		out[bucket] = *counts
	}
	return out, nil
}

func parseSeq(v any) (int64, error) {
	text, ok := v.(string)
	if !ok {
		return 0, errAnswer
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errAnswer
	}
	return n, nil
}
