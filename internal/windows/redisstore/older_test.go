package redisstore

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// A look at the positions must not make a fold fit that begins elsewhere, nor take the place of what Apply compares with.
func TestPositionsOnlyLooks(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.Shards = 4
		r := newRig(t, client, o)
		s := newStream(3, 20)
		p1 := windows.Partition{Topic: p0.Topic, ID: 1}
		for range 20 {
			r.add(p0, s.result())
		}
		r.apply()
		have, err := r.store.Positions(t.Context(), []windows.Partition{p0, p1})
		if want := map[windows.Partition][]int64{p0: {20, 20, 20, 20}, p1: {-1, -1, -1, -1}}; err != nil || !cmp.Equal(want, have) {
			t.Errorf("%v %v", have, err)
		}
		if have, err := r.store.Positions(t.Context(), nil); err != nil || len(have) != 0 {
			t.Errorf("%v %v", have, err)
		}
		// One shard goes back.
		before := r.store.shards[2].position[positionField(p0)]
		client.HSet(t.Context(), r.store.shards[2].base+"pos", positionField(p0), "7 - -")
		have, err = r.store.Positions(t.Context(), []windows.Partition{p0})
		if err != nil || !slices.Equal(have[p0], []int64{20, 20, 7, 20}) {
			t.Errorf("%v %v", have, err)
		}
		if after := r.store.shards[2].position[positionField(p0)]; after != before {
			t.Errorf("%+v has become %+v by a look", before, after)
		}
		r.fold.Start(p0, []int64{20, 20, 20, 20})
		r.fold.Advance(p0, 21)
		var elsewhere *windows.PositionError
		if err := r.store.Apply(t.Context(), r.fold); !errors.As(err, &elsewhere) || elsewhere.Shard != 2 || elsewhere.Have != 7 {
			t.Errorf("got %v", err)
		}
		client.HSet(t.Context(), r.store.shards[2].base+"pos", positionField(p0), "nonsense")
		if _, err := r.store.Positions(t.Context(), []windows.Partition{p0}); err == nil {
			t.Error("nonsense is taken for a position")
		}
	})
}

// A process that lives on while its Redis is emptied counts everything again, as one that never knew of the first life: subjects
// are listed again, old repeats are found, and the state is one that other processes can work with.
func TestAnEmptiedStateIsFilledAgain(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.Shards = 4
		r := newRig(t, client, o)
		s := newStream(8, 30)
		var log []event.Result
		for range 300 {
			log = append(log, s.result())
		}
		feed := func(oracle bool) {
			progress, err := r.store.Resume(t.Context(), []windows.Partition{p0})
			if err != nil {
				t.Fatal(err)
			}
			for i, next := 0, progress[p0].Next; i < len(log); i += 25 {
				r.fold.Start(p0, next)
				for k := i; k < i+25; k++ {
					r.fold.Add(p0, int64(k), &log[k], r.now)
					if oracle {
						r.oracle.Add(p0, int64(k), &log[k], r.now)
						r.next[p0] = int64(k) + 1
					}
				}
				next = slices.Repeat([]int64{int64(i) + 25}, o.Shards)
				r.apply()
			}
		}
		spans := spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour))
		feed(true)
		r.check(spans, s.tenants, s.recipients)
		// What is emptied knew of a time at which none of these repeats counted any more.
		r.fold.Start(p0, slices.Repeat([]int64{int64(len(log))}, o.Shards))
		for i := range 20 {
			r.fold.Add(p0, int64(len(log)+i), &event.Result{Events: []event.Event{{Type: event.Delivery, ID: fmt.Sprint("late", i), Recipient: fmt.Sprintf("l%d@example.org", i),
				Time: s.at.Add(100 * time.Hour)}}}, r.now)
		}
		r.apply()
		key := r.store.key.ID()
		keys, err := client.Keys(t.Context(), o.Prefix+":*").Result()
		if err != nil || client.Del(t.Context(), keys...).Err() != nil {
			t.Fatal(err)
		}
		feed(false)
		r.check(spans, s.tenants, s.recipients)
		if again := open(t, client, o); again.key.ID() != key {
			t.Error("the state has another key than before")
		}
		// Somebody else was faster, and made it another one.
		if err := client.HSet(t.Context(), r.store.shards[0].meta, "keyid", "another").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.store.Resume(t.Context(), []windows.Partition{p0}); !isMismatch(err) {
			t.Errorf("got %v", err)
		}
	})
}

func isMismatch(err error) bool {
	_, ok := errors.AsType[*MismatchError](err)
	return ok
}

// What one shard has lost is told, and what all have lost is told once.
func TestLossesOfShards(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.Shards = 4
		store := open(t, client, o)
		for i, c := range []struct {
			from []int64
			lost int64 // that Fold is told of
			want int64
		}{
			{[]int64{-1, -1, -1, -1}, 0, 0},
			{[]int64{10, 10, 10, 10}, 5, 5},
			{[]int64{20, 20, 20, 20}, 0, 5},
			{[]int64{30, 30, 12, 30}, 10, 15}, // 12 to 21, of the third shard
		} {
			if i == 3 {
				client.HSet(t.Context(), store.shards[2].base+"pos", positionField(p0), "12 - -")
				if _, err := store.Resume(t.Context(), []windows.Partition{p0}); err != nil {
					t.Fatal(err)
				}
			}
			f := store.NewFold()
			f.Start(p0, c.from)
			f.Lost(p0, c.lost)
			f.Advance(p0, int64(i+1)*10)
			if err := store.Apply(t.Context(), f); err != nil {
				t.Fatal(fmt.Sprint(i), err)
			}
			losses, err := store.Losses(t.Context())
			totals, err2 := store.Totals(t.Context())
			if losses[p0] != c.want || totals.Lost != c.want || err != nil || err2 != nil {
				t.Errorf("%d: losses %v, totals %+v, want %d: %v %v", i, losses, totals, c.want, err, err2)
			}
		}
	})
}
