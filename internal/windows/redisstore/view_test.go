package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// Between the reading and the script of one process another writes to the same buckets: some of the same events, and others of
// the same recipients.
func TestSomebodyElseWroteMeanwhile(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.BucketEntries = 4
		r := newRig(t, client, o)
		slow := connect(t, addressOf(client))
		a, b := newWriter(r, slow, o, 0), newWriter(r, client, o, 1)
		b.store.turnLife = time.Millisecond // it writes in a's turn too
		s := newStream(11, 30)
		tries, meanwhile := 0, func() {}
		slow.AddHook(trip{before: func(cmd redis.Cmder) error {
			if applies(a.store, cmd) {
				tries++
				meanwhile()
			}
			return nil
		}})
		const batches = 25
		for i := range batches {
			shared := s.results(6)
			b.take(shared...)
			b.take(s.results(4)...)
			a.take(s.results(20)...)
			a.take(shared...)
			for range i % 3 {
				a.take(s.results(8)...)
			}
			meanwhile = sync.OnceFunc(b.applyAndTell)
			a.applyAndTell()
		}
		if tries < 2*batches || tries > 3*batches {
			t.Errorf("%d tries for %d batches", tries, batches)
		}
		spans := spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour))
		a.check(spans, s.tenants, s.recipients)
		b.check(spans, s.tenants, s.recipients)
	})
}

// kept reads every key below the prefix, and returns what puts them back as they were.
func kept(t *testing.T, client redis.UniversalClient, prefix string) (putBack func()) {
	t.Helper()
	ctx := t.Context()
	keys := client.Keys(ctx, prefix+":*").Val()
	var all []func(redis.Pipeliner)
	for _, key := range keys {
		switch client.Type(ctx, key).Val() {
		case "string":
			v := client.Get(ctx, key).Val()
			all = append(all, func(p redis.Pipeliner) { p.Set(ctx, key, v, 0) })
		case "hash":
			v := client.HGetAll(ctx, key).Val()
			all = append(all, func(p redis.Pipeliner) { p.HSet(ctx, key, v) })
		case "list":
			v := client.LRange(ctx, key, 0, -1).Val()
			all = append(all, func(p redis.Pipeliner) { p.RPush(ctx, key, toAny(v)...) })
		case "zset":
			v := client.ZRangeWithScores(ctx, key, 0, -1).Val()
			all = append(all, func(p redis.Pipeliner) { p.ZAdd(ctx, key, v...) })
		}
	}
	return func() {
		t.Helper()
		if now := client.Keys(ctx, prefix+":*").Val(); len(now) > 0 {
			client.Del(ctx, now...)
		}
		if _, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for _, put := range all {
				put(p)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}

func toAny(list []string) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = x
	}
	return out
}

func deliveries(name string, n int, at time.Time) []event.Result {
	out := make([]event.Result, n)
	for i := range out {
		out[i] = again(event.Event{Type: event.Delivery, Time: at, Tenant: "acme", ID: fmt.Sprint(name, i), Recipient: fmt.Sprint(name, i, "@example.org")})
	}
	return out
}

// counted compares how many events were counted.
func counted(t *testing.T, s *Store, want int64) {
	t.Helper()
	have, err := s.Totals(t.Context())
	if err != nil || have.Counted != want {
		t.Errorf("%d counted, %d repeats, want %d and none (%v)", have.Counted, have.Duplicate, want, err)
	}
}

// A step is done, its answer is lost, the batch is looked up again, and only then does Redis come back with data from before that step.
// The events that were found are not in the state.
func TestARepeatOfAStepThatIsUndone(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		r := newRig(t, client, o)
		line := connect(t, addressOf(client))
		a := newWriter(r, line, o, 0)
		a.take(deliveries("first", 5, t0)...)
		a.applyAndTell()
		putBack := kept(t, client, o.Prefix)
		dead, tries := errors.New("the line is dead"), 0
		line.AddHook(trip{
			before: func(cmd redis.Cmder) error {
				if applies(a.store, cmd) {
					if tries++; tries == 2 {
						putBack()
						return dead
					}
				}
				return nil
			},
			after: func(cmd redis.Cmder) error {
				if applies(a.store, cmd) && tries == 1 {
					return dead
				}
				return nil
			},
		})
		a.take(deliveries("second", 7, t0.Add(time.Hour))...)
		for range 2 {
			if err := a.store.Apply(t.Context(), a.fold); !errors.Is(err, dead) {
				t.Fatal(err)
			}
		}
		a.applyAndTell() // the state stands where the fold begins: it is taken
		counted(t, a.store, 12)
	})
}

// The version is read, somebody writes, the buckets are read, and Redis comes back with data from before that write: with the version
// that was read, and without what was found in the buckets. Whoever wrote writes again.
func TestBucketsOfAStepThatIsUndone(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		r := newRig(t, client, o)
		line := connect(t, addressOf(client))
		a, b := newWriter(r, line, o, 0), newWriter(r, client, o, 1)
		a.take(deliveries("first", 5, t0)...)
		a.applyAndTell()
		putBack := kept(t, client, o.Prefix)
		lost := deliveries("lost", 6, t0.Add(time.Hour))
		b.take(lost...)
		write, undo := sync.OnceFunc(b.applyAndTell), sync.OnceFunc(putBack)
		line.AddHook(trip{
			reading: write,
			before: func(cmd redis.Cmder) error {
				if applies(a.store, cmd) {
					undo()
				}
				return nil
			},
		})
		a.take(deliveries("second", 7, t0.Add(time.Hour))...)
		a.applyAndTell()
		if progress, err := b.store.Resume(t.Context(), []windows.Partition{b.p}); err != nil || !slices.Equal(progress[b.p].Next, []int64{-1}) {
			t.Fatal(progress, err)
		}
		b.next[b.p] = 0
		b.take(lost...)
		b.applyAndTell()
		counted(t, a.store, 5+7+6)
	})
}

// A batch that looks nothing up must not bring back the newest time of a state that Redis has lost.
func TestANewestTimeThatIsUndone(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		r := newRig(t, client, o)
		a, b := newWriter(r, client, o, 0), newWriter(r, client, o, 1)
		a.take(deliveries("first", 5, t0)...)
		a.applyAndTell()
		putBack := kept(t, client, o.Prefix)
		b.take(deliveries("ahead", 1, t0.Add(90*24*time.Hour))...)
		b.applyAndTell()
		a.take(event.Result{Ignored: 1}) // by this step it knows how new the state is
		a.applyAndTell()
		c := newWriter(r, client, o, 2) // another partition of the same process
		c.store = a.store
		c.fold = a.store.NewFold()
		c.take(event.Result{Ignored: 1})
		putBack()
		c.applyAndTell()
		if newest, err := a.store.Newest(t.Context()); err != nil || !newest.Equal(t0) {
			t.Errorf("the newest time is %v, want %v (%v)", newest, t0, err)
		}
	})
}
