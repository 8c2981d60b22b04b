package redisstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

// Whatever the stream, the batches and the layout of buckets: what the store answers is what counting one event after the other
// in memory gives.
func TestAgainstTheOracle(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		for seed := range uint64(6) {
			if testing.Short() && seed%3 != 1 {
				continue
			}
			t.Run(fmt.Sprint(seed), func(t *testing.T) { againstOracle(t, client, seed, 1200) })
		}
	})
}

func againstOracle(t *testing.T, client redis.UniversalClient, seed uint64, records int) {
	o := options(t)
	o.Prefix += fmt.Sprint(seed)
	o.Shards = []int{1, 4, 1, 16}[seed%4]
	o.BucketEntries = []int{3, 40, 160}[seed%3]
	if seed == 4 {
		o.Horizon = 0
	}
	r := newRig(t, client, o)
	s := newStream(seed, []int{40, 400}[seed%2])
	if seed == 2 {
		s.pace, s.jitter, s.once = 3*time.Hour, 30*24*time.Hour, true // repeats outside the horizon may count or not
	}
	r.now = s.at.Add(380 * 24 * time.Hour)
	for i := range records {
		result := s.result()
		r.add(windows.Partition{Topic: "mail.events", ID: s.rand.IntN(3)}, result)
		if s.rand.IntN(60) == 0 || i == records-1 {
			r.apply()
		}
	}
	r.check(spansFrom(t0.AddDate(0, -2, 0), s.at.Add(2*time.Hour)), s.tenants, append(s.recipients, "nobody@example.org"))
}

func TestOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster of real Redis")
	}
	server := testparts.Redis(t, testparts.RedisOptions{Cluster: true})
	client := connect(t, server.Addrs...)
	for _, seed := range []uint64{1, 3} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { againstOracle(t, client, seed, 600) })
	}
	t.Run("one of its servers", func(t *testing.T) {
		one := connect(t, server.Addr)
		_, err := Open(t.Context(), one, options(t))
		if m, ok := err.(*MismatchError); !ok || m.What != "redis.addresses" {
			t.Fatalf("got %v", err)
		}
	})
}
