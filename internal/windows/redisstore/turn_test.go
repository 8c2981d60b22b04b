package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/event"
)

// A process with tiny batches must not keep one with a large batch, which takes long to read, from getting through.
func TestALargeBatchGetsThrough(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.BucketEntries = 4
		r := newRig(t, client, o)
		large, tiny := connect(t, addressOf(client)), connect(t, addressOf(client))
		a, b := newWriter(r, large, o, 0), newWriter(r, tiny, o, 1)
		s := newStream(12, 200)
		a.take(s.results(50)...)
		a.applyAndTell()

		// The number of the feed's entry, which the script answers, tells the order of batches.
		var of []event.Result // of b, by number
		var numbers []int64
		var number, tries atomic.Int64
		var refused atomic.Bool         // b waits for its turn
		moved := make(chan struct{}, 1) // b has written, or been refused
		note := func(cmd redis.Cmder) int64 {
			answer, _ := cmd.(*redis.Cmd).Slice()
			if len(answer) > 3 && answer[0] == "done" {
				return answer[3].(int64)
			}
			return 0
		}
		ctx, stop := context.WithCancel(t.Context())
		var last int64
		tiny.AddHook(trip{after: func(cmd redis.Cmder) error {
			if applies(b.store, cmd) {
				last = note(cmd)
				refused.Store(last == 0)
				select {
				case moved <- struct{}{}:
				default:
				}
			}
			return nil
		}})
		large.AddHook(trip{
			reading: func() {
				for len(moved) > 0 {
					<-moved
				}
				if refused.Load() {
					return
				}
				select { // a reading takes as long as one of the other's batches, at least
				case <-ctx.Done():
				case <-moved:
				case <-time.After(turnLife / 4): // it was refused just before
				}
			},
			before: func(cmd redis.Cmder) error {
				if applies(a.store, cmd) {
					tries.Add(1)
				}
				return nil
			},
			after: func(cmd redis.Cmder) error {
				if applies(a.store, cmd) {
					number.Store(note(cmd))
				}
				return nil
			},
		})
		shared := s.results(400)
		for i := range shared {
			if len(shared[i].Events) > 1 {
				shared[i].Events = shared[i].Events[:1]
			}
		}
		var group sync.WaitGroup
		group.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				result := again(shared[i*7%len(shared)].Events[0])
				result.Events[0].ID = ""
				b.take(result)
				if err := b.store.Apply(t.Context(), b.fold); err != nil {
					t.Error(err)
					return
				}
				of, numbers = append(of, result), append(numbers, last)
				b.next[b.p]++
				b.batch = b.batch[:0]
				b.fold.Reset()
			}
		})
		a.take(shared...)
		err := a.store.Apply(t.Context(), a.fold)
		stop()
		group.Wait()
		if err != nil {
			t.Fatal(err)
		}
		if n := tries.Load(); n > 3 {
			t.Errorf("the large batch took %d tries", n)
		}
		told := false
		b.next[b.p] = 0
		for i := range of {
			// A batch of nothing but a repeat has no entry of its own: its number is that of the batch before it.
			if !told && numbers[i] >= number.Load() {
				told = true
				a.tell()
			}
			b.oracle.Add(b.p, b.next[b.p], &of[i], b.now)
			b.next[b.p]++
		}
		if !told {
			a.tell()
		}
		t.Logf("%d tiny batches", len(of))
		spans := spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour))
		a.check(spans, s.tenants, s.recipients)
		b.check(spans, s.tenants, s.recipients)
	})
}

// A turn that nobody will give back delays those who need to write by its life at most, whether or not the server lets it expire.
func TestATurnOfADeadProcess(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		for name, life := range map[string]time.Duration{"with a life": 200 * time.Millisecond, "for ever": 0} {
			t.Run(name, func(t *testing.T) {
				o := options(t)
				r := newRig(t, client, o)
				turnLife := 200 * time.Millisecond
				r.store.turnLife = turnLife
				s := newStream(13, 20)
				for range 30 {
					r.add(p0, s.result())
				}
				key := r.store.shards[0].base + "turn"
				if err := client.Set(t.Context(), key, "of somebody dead", life).Err(); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				r.apply()
				// Besides its life there are a look before it, the wait between two looks, and two goes at the batch.
				if took := time.Since(began); took > turnLife+turnLife/2 || took < turnLife/2 {
					t.Errorf("took %v, the turn's life is %v", took, turnLife)
				}
				if have, err := client.Get(t.Context(), key).Result(); !errors.Is(err, redis.Nil) {
					t.Errorf("a turn is left: %q, %v", have, err)
				}
				r.check(spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour)), s.tenants, s.recipients)
			})
		}
	})
}

// Whoever has had a turn gets through, be it over and somebody else's by then: else two that are slower than turns are long would keep
// each other out for ever.
func TestATurnThatIsOverStillCounts(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		writing := connect(t, addressOf(client))
		r := newRig(t, writing, o)
		s := newStream(3, 20)
		for range 30 {
			r.add(p0, s.result())
		}
		tries := 0
		writing.AddHook(trip{before: func(cmd redis.Cmder) error {
			if !applies(r.store, cmd) {
				return nil
			}
			switch tries++; tries {
			case 1:
				return client.HSet(t.Context(), r.store.shards[0].meta, "ver", "another").Err()
			case 2:
				return client.Set(t.Context(), r.store.shards[0].base+"turn", "somebody else", time.Hour).Err()
			}
			return nil
		}})
		if err := r.store.Apply(t.Context(), r.fold); err != nil {
			t.Fatal(err)
		}
		r.fold.Reset()
		if tries != 2 {
			t.Errorf("it took %d tries, want 2", tries)
		}
		client.Del(t.Context(), r.store.shards[0].base+"turn")
		r.check(spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour)), s.tenants, s.recipients)
	})
}

// On a machine without processor time every turn is over before its holder is done. Processes that work on one shard must get through
// all the same, each of them, and nothing may be lost.
func TestTurnsShorterThanTheWork(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.BucketEntries = 20
		sideBySide(t, client, o, 4, 200, func(*rand.Rand) int { return 20 }, func(own redis.UniversalClient, s *Store) {
			s.turnLife = time.Millisecond
			own.AddHook(trip{before: func(cmd redis.Cmder) error {
				if applies(s, cmd) {
					time.Sleep(5 * time.Millisecond) // the point: longer than a turn
				}
				return nil
			}})
		})
	})
}

// A turn that ends while its holder still reads is taken again.
func TestATurnIsTakenAgain(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		r := newRig(t, client, o)
		line := connect(t, addressOf(client))
		a, b := newWriter(r, line, o, 0), newWriter(r, client, o, 1)
		s := newStream(14, 30)
		turn := a.store.shards[0].base + "turn"
		tries := 0
		line.AddHook(trip{before: func(cmd redis.Cmder) error {
			if !applies(a.store, cmd) {
				return nil
			}
			if tries++; tries == 2 { // the first try had no turn, the second had one that has come to its end
				client.Del(t.Context(), turn)
			}
			if client.Exists(t.Context(), turn).Val() == 0 && tries < 20 { // nobody holds the other back
				b.take(s.results(3)...)
				b.applyAndTell()
			}
			return nil
		}})
		a.take(s.results(60)...)
		a.applyAndTell()
		if tries > 4 {
			t.Errorf("%d tries", tries)
		}
	})
}

// Batches that look nothing up, but are newer and newer, must not keep one that does from getting through.
func TestNewerTimesHoldNobodyUp(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		r := newRig(t, client, o)
		line := connect(t, addressOf(client))
		a, b := newWriter(r, line, o, 0), newWriter(r, client, o, 1)
		s := newStream(15, 30)
		tries := 0
		line.AddHook(trip{before: func(cmd redis.Cmder) error {
			if applies(a.store, cmd) {
				if tries++; tries < 20 {
					b.take(again(event.Event{Type: event.Delivery, Tenant: "acme", IP: "192.0.2.1", Time: t0.Add(time.Duration(tries) * time.Hour * 24)}))
					b.applyAndTell()
				}
			}
			return nil
		}})
		a.take(s.results(60)...)
		a.applyAndTell()
		if tries > 3 {
			t.Errorf("%d tries", tries)
		}
	})
}

// Sweeps change packed buckets, too. At whatever pace and in whichever process, they keep no apply from getting through, and what is
// written to is swept all the same.
func TestSweepsKeepNobodyOut(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.BucketEntries = 3
		writing := connect(t, addressOf(client))
		r := newRig(t, writing, o)
		r.store.sweeper.idle = idleFor
		other := open(t, client, o)
		other.sweeper.idle = idleFor
		s := newStream(14, 300)
		for range 600 {
			r.add(p0, s.result())
		}
		r.apply()
		entries := func() int {
			have := client.HGetAll(t.Context(), r.store.shards[0].meta).Val()
			recipients, _ := strconv.Atoi(have["rn"])
			prints, _ := strconv.Atoi(have["dn"])
			return recipients + prints
		}
		before := entries()

		// All of it may go now, in many pieces. Both processes sweep for as long as the next batch is being read.
		later := s.at.AddDate(2, 0, 0)
		tries := 0
		writing.AddHook(trip{
			reading: func() {
				for range 5 {
					for _, store := range []*Store{r.store, other} {
						if swept, err := store.Sweep(t.Context(), later); err != nil || swept.Entries > 0 {
							t.Errorf("%d entries swept while a batch is applied, %v", swept.Entries, err)
						}
					}
				}
			},
			before: func(cmd redis.Cmder) error {
				if applies(r.store, cmd) {
					tries++
				}
				return nil
			},
		})
		r.now = later
		one := event.Event{Type: event.Delivery, Time: later, ID: "later", Recipient: "later@example.org"}
		r.add(p0, event.Result{Events: []event.Event{one}})
		r.apply()
		if tries != 1 {
			t.Errorf("it took %d tries, want 1", tries)
		}
		if after := entries(); after >= before {
			t.Errorf("nothing was swept after the apply: %d entries, %d before", after, before)
		}

		// Nobody writes any more: whoever is there sweeps the rest.
		other.sweeper.idle = 20 * time.Millisecond
		deadline := time.Now().Add(20 * time.Second)
		for entries() > 2 {
			if time.Now().After(deadline) {
				t.Fatalf("%d entries are left", entries())
			}
			if _, err := other.Sweep(t.Context(), later); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// A long erasure takes turns with those who write.
func TestErasingKeepsNobodyOut(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		r := newRig(t, client, o)
		s := newStream(15, 20)
		for range 30 {
			r.add(p0, s.result())
		}
		r.apply()
		eraser := open(t, client, o)
		key := r.store.shards[0].base + "turn"
		if err := client.Set(t.Context(), key, "of somebody who writes", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := eraser.Forget(t.Context(), s.tenants[0], s.recipients)
			done <- err
		}()
		select {
		case err := <-done:
			t.Fatalf("erased in somebody else's turn, %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		client.Del(t.Context(), key)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if have, err := client.Get(t.Context(), key).Result(); !errors.Is(err, redis.Nil) {
			t.Errorf("a turn is left: %q, %v", have, err)
		}
	})
}
