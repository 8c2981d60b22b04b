package windowstest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/redisstore"
)

// Redis is the store in Redis, with a writer that folds.
type Redis struct {
	*redisstore.Store
	client redis.UniversalClient
	prefix string
	shards int
}

var (
	_ Store    = (*Redis)(nil)
	_ Follower = (*Redis)(nil)
)

// NewRedis opens a state of its own below the prefix.
func NewRedis(t testing.TB, client redis.UniversalClient, prefix string, c Config) *Redis {
	t.Helper()
	o := redisstore.Options{
		Prefix: prefix, Shards: c.Shards, Combinations: c.Combinations, Retention: windows.DefaultRetention(400), Late: Late,
		Horizon: c.Horizon, Providers: windows.NewProviders(nil, nil),
	}
	if o.Combinations == nil {
		o.Combinations = windows.DefaultCombinations()
	}
	if !c.NoRecipients {
		rules := engagement.DefaultRules()
		o.Engagement = &rules
	}
	s, err := redisstore.Open(t.Context(), client, o)
	if err != nil {
		t.Fatal(err)
	}
	return &Redis{s, client, prefix, c.Shards}
}

// Apply folds a batch and applies the fold.
func (r *Redis) Apply(ctx context.Context, b Batch) error {
	f := r.NewFold()
	for i := range b.Runs {
		run := &b.Runs[i]
		f.Start(run.Partition, slices.Repeat([]int64{run.From}, r.shards))
		for j := range run.Records {
			f.Add(run.Partition, run.Records[j].Offset, &run.Records[j].Result, b.Now)
		}
		f.Advance(run.Partition, run.to())
	}
	return r.Store.Apply(ctx, f)
}

// Next is the offset that a partition goes on at.
func (r *Redis) Next(ctx context.Context, p windows.Partition) (int64, time.Time, error) {
	progress, err := r.Resume(ctx, []windows.Partition{p})
	if err != nil {
		return 0, time.Time{}, err
	}
	have := progress[p]
	if slices.Min(have.Next) != slices.Max(have.Next) {
		return 0, time.Time{}, fmt.Errorf("shards stand at different offsets: %v", have.Next)
	}
	return have.Next[0], have.NewestEvent, nil
}

// Counts returns the buckets of a subject that hold anything.
func (r *Redis) Counts(ctx context.Context, subject string, span windows.Span) (map[int64]windows.Counts, error) {
	return r.Store.Counts(ctx, subject, span)
}

// Subjects lists the subjects of a combination, in pages of two.
func (r *Redis) Subjects(ctx context.Context, c windows.Combination) ([]string, error) {
	var all []string
	for cursor := ""; ; {
		page, next, err := r.Store.Subjects(ctx, c, cursor, 2)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if cursor = next; cursor == "" {
			return all, nil
		}
	}
}

// Follow returns a feed.
func (r *Redis) Follow() Feed { return redisFeed{r.NewFeed()} }

type redisFeed struct{ *redisstore.Feed }

func (f redisFeed) Pull(ctx context.Context, into *Copy) error {
	return f.Feed.Pull(ctx, t0(), nil, into)
}

// Copy reads every key below the prefix, whatever its type: DUMP is not known to every server that tests run on.
func (r *Redis) Copy(ctx context.Context) (func(context.Context) error, error) {
	keys, err := r.keys(ctx)
	if err != nil {
		return nil, err
	}
	var write []func(redis.Pipeliner)
	for _, key := range keys {
		w, err := r.copyKey(ctx, key)
		if err != nil {
			return nil, err
		}
		write = append(write, w)
	}
	return func(ctx context.Context) error {
		now, err := r.keys(ctx)
		if err != nil {
			return err
		}
		_, err = r.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range now {
				p.Del(ctx, key)
			}
			for _, w := range write {
				w(p)
			}
			return nil
		})
		return err
	}, nil
}

func (r *Redis) keys(ctx context.Context) ([]string, error) {
	return r.client.Keys(ctx, r.prefix+":*").Result()
}

func (r *Redis) copyKey(ctx context.Context, key string) (func(redis.Pipeliner), error) {
	kind, err := r.client.Type(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	switch kind {
	case "string":
		v, err := r.client.Get(ctx, key).Result()
		return func(p redis.Pipeliner) { p.Set(ctx, key, v, 0) }, err
	case "hash":
		v, err := r.client.HGetAll(ctx, key).Result()
		return func(p redis.Pipeliner) { p.HSet(ctx, key, v) }, err
	case "list":
		v, err := r.client.LRange(ctx, key, 0, -1).Result()
		return func(p redis.Pipeliner) {
			for _, x := range v {
				p.RPush(ctx, key, x)
			}
		}, err
	case "zset":
		v, err := r.client.ZRangeWithScores(ctx, key, 0, -1).Result()
		return func(p redis.Pipeliner) { p.ZAdd(ctx, key, v...) }, err
	case "set":
		v, err := r.client.SMembers(ctx, key).Result()
		return func(p redis.Pipeliner) { p.SAdd(ctx, key, v) }, err
	}
	return nil, fmt.Errorf("key %s is a %s, which no copy knows", key, kind)
}
