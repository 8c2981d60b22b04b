package redisstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// writer is one of several processes that write to a state. The oracle hears of a batch when it is in the state: in the order in
// which batches came there, not in that in which they were read.
type writer struct {
	*rig
	p     windows.Partition
	batch []event.Result
}

func newWriter(r *rig, client redis.UniversalClient, o Options, id int) *writer {
	s := open(r.t, client, o)
	return &writer{p: windows.Partition{Topic: p0.Topic, ID: id},
		rig: &rig{t: r.t, store: s, fold: s.NewFold(), oracle: r.oracle, next: map[windows.Partition]int64{}, now: r.now}}
}

func (w *writer) take(results ...event.Result) {
	if !w.fold.Started(w.p) {
		from := int64(-1)
		if next := w.next[w.p]; next > 0 {
			from = next
		}
		w.fold.Start(w.p, slices.Repeat([]int64{from}, w.fold.Shards()))
	}
	for i := range results {
		w.fold.Add(w.p, w.next[w.p]+int64(len(w.batch)), &results[i], w.now)
		w.batch = append(w.batch, results[i])
	}
}

// tell gives the oracle the batch that has been applied.
func (w *writer) tell() {
	for i := range w.batch {
		w.oracle.Add(w.p, w.next[w.p], &w.batch[i], w.now)
		w.next[w.p]++
	}
	w.batch = w.batch[:0]
	w.fold.Reset()
}

func (w *writer) applyAndTell() {
	w.t.Helper()
	if err := w.store.Apply(w.t.Context(), w.fold); err != nil {
		w.t.Fatal(err)
	}
	w.tell()
}

func (s *stream) results(n int) []event.Result {
	out := make([]event.Result, n)
	for i := range out {
		out[i] = s.result()
	}
	return out
}

// applies tells whether the command is the apply script of the store.
func applies(s *Store, cmd redis.Cmder) bool {
	args := cmd.Args()
	return cmd.Name() == "evalsha" && args[1] == s.scripts.apply.Hash()
}

// again makes one event the only one of a record.
func again(e event.Event) event.Result { return event.Result{Events: []event.Event{e}} }

// Between the reading and the script of one process another writes to the same buckets: some of the same events, and others of
// the same recipients.
func TestSomebodyElseWroteMeanwhile(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.BucketEntries = 4
		r := newRig(t, client, o)
		slow := connect(t, addressOf(client))
		a, b := newWriter(r, slow, o, 0), newWriter(r, client, o, 1)
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
			if len(answer) > 4 && answer[0] == "done" {
				return answer[4].(int64)
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
		for name, life := range map[string]time.Duration{"with a life": turnLife, "for ever": 0} {
			t.Run(name, func(t *testing.T) {
				o := options(t)
				r := newRig(t, client, o)
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
