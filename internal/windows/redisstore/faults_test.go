package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

var p0 = windows.Partition{Topic: "mail.events"}

// seeds is how many of n seeds a test tries: all of them when there is time.
func seeds(n int) int {
	if testing.Short() {
		return n / 4
	}
	return n
}

// dump reads every key below the prefix, as far as tests compare them.
func dump(t testing.TB, client redis.UniversalClient, prefix string) map[string]string {
	t.Helper()
	out := map[string]string{}
	keys, err := client.Keys(t.Context(), prefix+":*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		kind := client.Type(t.Context(), key).Val()
		switch kind {
		case "string":
			out[key] = client.Get(t.Context(), key).Val()
		case "hash":
			m := client.HGetAll(t.Context(), key).Val()
			for _, f := range slices.Sorted(maps.Keys(m)) {
				out[key] += f + "=" + m[f] + ";"
			}
		case "list":
			out[key] = strings.Join(client.LRange(t.Context(), key, 0, -1).Val(), "|")
		case "zset":
			out[key] = fmt.Sprint(client.ZRangeWithScores(t.Context(), key, 0, -1).Val())
		}
		out[key] = kind + " " + out[key]
	}
	return out
}

// trip makes commands fail: before they are sent, or after they were carried out. Reading buckets is a pipeline: reading is called
// before one.
type trip struct {
	before, after func(redis.Cmder) error
	reading       func()
}

func (h trip) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h trip) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if h.before != nil {
			if err := h.before(cmd); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		err := next(ctx, cmd)
		if err == nil && h.after != nil {
			if err := h.after(cmd); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		return err
	}
}

func (h trip) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	if h.reading == nil {
		return next
	}
	return func(ctx context.Context, cmds []redis.Cmder) error {
		h.reading()
		return next(ctx, cmds)
	}
}

func TestAStaleFoldChangesNothing(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		r := newRig(t, client, o)
		s := newStream(1, 20)
		for range 20 {
			r.add(p0, s.result())
		}
		r.apply()
		want := dump(t, client, o.Prefix)

		for name, start := range map[string]int64{"behind": 5, "anew": -1, "ahead": 30} {
			f := r.store.NewFold()
			f.Start(p0, []int64{start})
			result := s.result()
			f.Add(p0, max(start, 0)+1, &result, r.now)
			f.Advance(p0, max(start, 0)+40)
			err := r.store.Apply(t.Context(), f)
			var elsewhere *windows.PositionError
			if !errors.As(err, &elsewhere) || elsewhere.Want != start || elsewhere.Have != 20 || elsewhere.Partition != p0 {
				t.Errorf("%s: got %v", name, err)
			}
			// The same of a process that knows nothing yet.
			if err := open(t, client, o).Apply(t.Context(), f); !errors.As(err, &elsewhere) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if diff := cmp.Diff(want, dump(t, client, o.Prefix)); diff != "" {
			t.Error(diff)
		}
	})
}

// The answer is lost after the step was done, or the step never came: applying the same fold again is right either way.
func TestApplyAgainAfterALostAnswer(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.Shards, o.BucketEntries = 4, 4
		r := newRig(t, client, o)
		s := newStream(2, 60)
		fail := errors.New("the line is dead")
		var sent atomic.Int64
		trips := trip{
			before: func(cmd redis.Cmder) error {
				if n := sent.Add(1); cmd.Name() == "evalsha" && n > 0 && n%7 == 3 {
					return fail
				}
				return nil
			},
			after: func(cmd redis.Cmder) error {
				if n := sent.Load(); cmd.Name() == "evalsha" && n > 0 && n%5 == 2 {
					return fail
				}
				return nil
			},
		}
		client.AddHook(trips)
		failed := 0
		for i := range 400 {
			for try := 0; !r.fold.Started(p0); try++ {
				progress, err := r.store.Resume(t.Context(), []windows.Partition{p0})
				if err == nil {
					r.fold.Start(p0, progress[p0].Next)
				}
			}
			r.add(p0, s.result())
			if i%23 != 22 && i != 399 {
				continue
			}
			for err := r.store.Apply(t.Context(), r.fold); err != nil; err = r.store.Apply(t.Context(), r.fold) {
				if !errors.Is(err, fail) {
					t.Fatal(err)
				}
				failed++
			}
			r.fold.Reset()
		}
		if failed < 10 {
			t.Errorf("only %d failures", failed)
		}
		sent.Store(-1 << 40)
		r.check(spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour)), s.tenants, s.recipients)
	})
}

// A process dies between shards; the next one goes on where each of them is.
func TestCrashBetweenShards(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		for seed := range uint64(seeds(8)) {
			o := options(t)
			o.Prefix += fmt.Sprint(seed)
			o.Shards, o.BucketEntries = 8, 5
			r := newRig(t, client, o)
			s := newStream(seed, 50)
			var log []event.Result
			for i := range 150 {
				log = append(log, s.result())
				r.oracle.Add(p0, int64(i), &log[i], r.now)
			}
			r.next[p0] = int64(len(log))
			for round := 0; ; round++ {
				// Each process dies after some commands, whatever they were for.
				var left atomic.Int64
				left.Store(20 + int64(seed+uint64(round)*7)%41)
				dying := connect(t, addressOf(client))
				dying.AddHook(trip{before: func(cmd redis.Cmder) error {
					if left.Add(-1) < 0 {
						return errors.New("dead")
					}
					return nil
				}})
				if r.live(dying, o, log, 10+round%3*25) {
					break
				}
				if round > 500 {
					t.Fatal("never through")
				}
			}
			r.check(spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour)), s.tenants, s.recipients)
		}
	})
}

func addressOf(client redis.UniversalClient) string { return client.(*redis.Client).Options().Addr }

// live is one process's life: it reads on from where the state is, in batches. It tells whether it got to the end.
func (r *rig) live(client redis.UniversalClient, o Options, log []event.Result, batch int) bool {
	s, err := Open(r.t.Context(), client, o)
	if err != nil {
		return false
	}
	progress, err := s.Resume(r.t.Context(), []windows.Partition{p0})
	if err != nil {
		return false
	}
	f := s.NewFold()
	next := progress[p0].Next
	at := max(0, slices.Min(next))
	for at < int64(len(log)) {
		f.Start(p0, next)
		for i := 0; i < batch && at < int64(len(log)); i++ {
			f.Add(p0, at, &log[at], r.now)
			at++
		}
		if err := s.Apply(r.t.Context(), f); err != nil {
			return false
		}
		for i := range next {
			next[i] = max(next[i], at)
		}
		f.Reset()
	}
	return slices.Min(next) == int64(len(log))
}

func TestScriptsAreSentAgain(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		r := newRig(t, client, options(t))
		s := newStream(5, 20)
		for range 10 {
			for range 10 {
				r.add(p0, s.result())
			}
			if err := client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			r.apply()
		}
		r.check(spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour)), s.tenants, s.recipients)
	})
}

// A key of ours that somebody made into something else must not leave half a step behind.
func TestAForeignKeyChangesNothing(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		r := newRig(t, client, o)
		s := newStream(6, 10)
		for range 60 {
			r.add(p0, s.result())
		}
		r.apply()
		whole := dump(t, client, o.Prefix)
		again := make([]event.Result, 60)
		for i := range again {
			again[i] = s.result()
		}
		refused := 0
		for _, key := range slices.Sorted(maps.Keys(whole)) {
			kept := client.Rename(t.Context(), key, o.Prefix+":{s00}:aside").Err()
			if kept != nil {
				t.Fatal(kept)
			}
			other := "string"
			if strings.HasPrefix(whole[key], "string") {
				other = "list"
				client.RPush(t.Context(), key, "x")
			} else {
				client.Set(t.Context(), key, "x", 0)
			}
			before := dump(t, client, o.Prefix)
			f := r.store.NewFold()
			f.Start(p0, []int64{r.next[p0]})
			for i := range again {
				f.Add(p0, r.next[p0]+int64(i), &again[i], r.now)
			}
			err := r.store.Apply(t.Context(), f)
			if err != nil {
				refused++
				if diff := cmp.Diff(before, dump(t, client, o.Prefix)); diff != "" {
					t.Fatalf("%s made a %s: %v, and yet: %s", key, other, err, diff)
				}
			}
			client.Del(t.Context(), key)
			client.Rename(t.Context(), o.Prefix+":{s00}:aside", key)
			if err == nil {
				r.next[p0] += int64(len(again)) // the batch did not touch that key
			}
		}
		if refused < 15 {
			t.Errorf("only %d keys of %d mattered", refused, len(whole))
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		base := options(t)
		for _, c := range []struct {
			name, want string
			prepare    func(o *Options)
		}{
			{"other shards", "redis.shards", func(o *Options) { open(t, client, *o); o.Shards = 2 }},
			{"other schema", "schema", func(o *Options) {
				open(t, client, *o)
				client.HSet(t.Context(), o.Prefix+":{s00}:meta", "schema", "0")
			}},
			{"foreign key", "key ", func(o *Options) { client.Set(t.Context(), o.Prefix+":{s00}:pos", "x", 0) }},
			{"foreign meta", "", func(o *Options) { client.Set(t.Context(), o.Prefix+":{s00}:meta", "x", 0) }},
			{"no key file", "engagement.key_file", func(o *Options) {
				o.Key = key("one")
				open(t, client, *o)
				o.Key = key("")
			}},
			{"other key file", "engagement.key_file", func(o *Options) {
				o.Key = key("one")
				open(t, client, *o)
				o.Key = key("two")
			}},
			{"key file for a state with its own", "engagement.key_file", func(o *Options) { open(t, client, *o); o.Key = key("two") }},
		} {
			o := base
			o.Prefix = fmt.Sprint(base.Prefix, ".", strings.ReplaceAll(c.name, " ", "-"))
			c.prepare(&o)
			_, err := Open(t.Context(), client, o)
			mismatch, ok := errors.AsType[*MismatchError](err)
			if c.want == "" {
				if err == nil || CategoryOf(err).Retryable() {
					t.Errorf("%s: got %v", c.name, err)
				}
				continue
			}
			if !ok || !strings.HasPrefix(mismatch.What, c.want) {
				t.Errorf("%s: got %v", c.name, err)
				continue
			}
			if strings.Contains(c.name, "key file") && len(o.Key.Secret()) > 0 {
				o.AcceptNewKey = true
				if _, err := Open(t.Context(), client, o); err != nil {
					t.Errorf("%s: accepted and yet %v", c.name, err)
				}
				o.AcceptNewKey = false
				if _, err := Open(t.Context(), client, o); err != nil {
					t.Errorf("%s: accepted before and yet %v", c.name, err)
				}
			}
		}
		for _, o := range []Options{{Prefix: "a b", Shards: 1}, {Shards: 0}, {Shards: 3}, {Shards: 512}} {
			if _, err := Open(t.Context(), client, o); err == nil {
				t.Errorf("%+v is taken", o)
			}
		}
	})
}

// A key that was made and kept with the state moves to a file, and is needed from there once the state has it no longer.
func TestKeyMovesToAFile(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		first := open(t, client, o)
		kept, err := client.HGet(t.Context(), first.shards[0].meta, "key").Result()
		if err != nil {
			t.Fatal(err)
		}
		moved := o
		if moved.Key, err = engagement.ParseKey([]byte(kept + "\n")); err != nil {
			t.Fatal(err)
		}
		open(t, client, moved)
		open(t, client, o) // others may come later
		if err := client.HSet(t.Context(), first.shards[0].meta, "key", "").Err(); err != nil {
			t.Fatal(err)
		}
		if second := open(t, client, moved); second.key.ID() != first.key.ID() {
			t.Error("another key")
		}
		_, err = Open(t.Context(), client, o)
		if m, ok := errors.AsType[*MismatchError](err); !ok || m.What != "engagement.key_file" {
			t.Errorf("without the file: %v", err)
		}
		if kept, err := client.HGet(t.Context(), first.shards[0].meta, "key").Result(); err != nil || kept != "" {
			t.Errorf("the state has a key again: %v", err)
		}
	})
}
