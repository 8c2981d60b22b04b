package redisstore

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/windows"
)

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
			if cmd.Name() != "evalsha" {
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
func TestTurnsThatAreTooShort(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.BucketEntries = 20
		r := newRig(t, client, o)
		var group sync.WaitGroup
		var mu sync.Mutex
		var people []string
		for id := range 4 {
			p := windows.Partition{Topic: "in", ID: id}
			s := newStream(uint64(id), 100)
			for i := range s.recipients {
				s.recipients[i] = fmt.Sprintf("of%d.%s", id, s.recipients[i]) // the topic is keyed by recipient
			}
			people = append(people, s.recipients...)
			slow := connect(t, addressOf(client))
			slow.AddHook(trip{before: func(cmd redis.Cmder) error {
				if cmd.Name() == "evalsha" {
					time.Sleep(5 * time.Millisecond) // the point: longer than a turn
				}
				return nil
			}})
			store := open(t, slow, o)
			store.turnLife = time.Millisecond
			group.Go(func() {
				f := store.NewFold()
				next := int64(-1)
				for at := int64(0); at < 200; {
					f.Start(p, []int64{next})
					for range 20 {
						result := s.result()
						for i := range result.Events {
							if e := &result.Events[i]; e.Recipient == "" {
								e.ID, e.MessageID = "", "" // or it might be a repeat of another stream's
							}
						}
						f.Add(p, at, &result, r.now)
						mu.Lock()
						r.oracle.Add(p, at, &result, r.now)
						r.next[p] = at + 1
						mu.Unlock()
						at++
					}
					if err := store.Apply(t.Context(), f); err != nil {
						t.Error(err)
						return
					}
					next = at
					f.Reset()
				}
			})
		}
		group.Wait()
		r.check(spansFrom(t0.AddDate(0, 0, -2), t0.AddDate(0, 0, 10)), []string{"acme", "Ünlü, co=x", "default"}, people)
	})
}
