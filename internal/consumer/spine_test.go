package consumer

import (
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
	"sendwatch/internal/windows/redisstore"
)

// spine is a real Kafka, a real Redis, and what one pass over the topic has to give.
type spine struct {
	t      *testing.T
	broker *testparts.Broker
	redis  *testparts.RedisServer
	shards int
	oracle *memstore.Store
	writer *kgo.Client
	rand   *rand.Rand
	next   []int64 // per partition, what the oracle was fed up to
	sent   int
}

const spineTopic, spinePartitions = "events", 6

func newSpine(t *testing.T, r *testparts.RedisServer, shards int) *spine {
	rules := engagement.DefaultRules()
	s := &spine{t: t, broker: testparts.Kafka(t, testparts.KafkaOptions{}), redis: r, shards: shards, rand: rand.New(rand.NewPCG(7, 7)),
		next: make([]int64, spinePartitions),
		oracle: memstore.New(memstore.Options{Combinations: windows.DefaultCombinations(), Retention: windows.DefaultRetention(400),
			Late: 400 * 24 * time.Hour, Horizon: 48 * time.Hour, Engagement: &rules, Providers: windows.NewProviders(nil, nil)})}
	testparts.CreateTopic(t, s.broker.Addr, spineTopic, spinePartitions)
	w, err := kgo.NewClient(kgo.SeedBrokers(s.broker.Addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	s.writer = w
	return s
}

func (s *spine) decoder() (Decoder, error) {
	return provider.NewDecoder("auto", provider.Options{MaxAhead: 10 * time.Minute, MaxBytes: 1 << 20})
}

// send writes n records, of which some are repeats, some broken, some batches, and feeds the oracle. The partition follows the
// recipient, so that what is known of a recipient does not depend on which partition is read sooner.
func (s *spine) send(n int) {
	s.t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	decoder, err := s.decoder()
	if err != nil {
		s.t.Fatal(err)
	}
	types := []string{"delivery", "delivery", "delivery", "delivery", "send", "bounce", "open", "click", "complaint", "unsubscribe", "deferral"}
	batches := make([][]*kgo.Record, spinePartitions)
	for range n {
		who := s.rand.IntN(2000)
		recipient := fmt.Sprintf("user%d@%s", who, []string{"gmail.com", "outlook.com", "example.org"}[who%3])
		var last string
		one := func() string {
			if last != "" && s.rand.IntN(4) == 0 {
				return last // in a batch
			}
			s.sent++
			at := now.Add(-time.Duration(s.rand.IntN(40*3600)) * time.Second)
			last = fmt.Sprintf(`{"type":%q,"time":%q,"id":"e%d","recipient":%q,"tenant":"t%d","ip":"203.0.113.%d","campaign":"c%d","bounce":{"class":"hard"}}`,
				types[s.rand.IntN(len(types))], at.Format(time.RFC3339), s.sent, recipient, s.rand.IntN(5), s.rand.IntN(8), s.rand.IntN(3))
			return last
		}
		value := one()
		switch s.rand.IntN(100) {
		case 0:
			value = "no event at all"
		case 1:
			value = "[" + one() + "," + one() + `,{"type":"delivery"}]`
		case 2:
			value = ""
		}
		p := int(crc32.ChecksumIEEE([]byte(recipient)) % spinePartitions)
		if earlier := batches[p]; len(earlier) > 0 && s.rand.IntN(20) == 0 {
			value = string(earlier[s.rand.IntN(len(earlier))].Value) // a repeat, in the partition of its recipient
		}
		batches[p] = append(batches[p], &kgo.Record{Topic: spineTopic, Partition: int32(p), Value: []byte(value)})
	}
	for p, records := range batches {
		if err := s.writer.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
			s.t.Fatal(err)
		}
		for _, r := range records {
			result := decoder.Decode(r.Value, now)
			s.oracle.Add(windows.Partition{Topic: spineTopic, ID: p}, s.next[p], &result, now)
			s.next[p]++
		}
	}
}

// open opens the state, waiting for Redis if it must.
func (s *spine) open(ctx context.Context) (*redisstore.Store, func()) {
	s.t.Helper()
	client, err := redisstore.Connect(redisstore.Connection{Addresses: s.redis.Addrs, Timeout: 3 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	rules := engagement.DefaultRules()
	for {
		store, err := redisstore.Open(ctx, client, redisstore.Options{Shards: s.shards, Combinations: windows.DefaultCombinations(),
			Retention: windows.DefaultRetention(400), Late: 400 * 24 * time.Hour, Horizon: 48 * time.Hour,
			Providers: windows.NewProviders(nil, nil), Engagement: &rules})
		if err == nil {
			return store, func() { _ = client.Close() }
		}
		select {
		case <-ctx.Done():
			s.t.Fatal(err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// start starts a member of the group with a connection of its own to everything.
func (s *spine) start() *running {
	s.t.Helper()
	client, err := kafka.New(kafka.Options{Brokers: s.broker.Addrs})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	store, closeStore := s.open(ctx)
	c, err := New(client, store, client, zaptest.NewLogger(s.t, zaptest.Level(zap.WarnLevel)), Options{Topics: []string{spineTopic}, Group: "spine",
		Decoder: func(string) (Decoder, error) { return s.decoder() }, NewFold: store.NewFold, FlushEvery: 20 * time.Millisecond,
		MaxBatch: 700, FetchBytes: 64 << 10, ConfirmEvery: 100 * time.Millisecond})
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Run(ctx); err != nil {
			s.t.Error(err)
		}
		closeStore()
		client.Close()
	}()
	r := &running{Consumer: c, stop: func() { cancel(); <-done }}
	s.t.Cleanup(r.stop)
	return r
}

// settle waits until the state has read all that was sent, and compares everything with the oracle.
func (s *spine) settle() {
	s.t.Helper()
	ctx := context.Background()
	store, closeStore := s.open(ctx)
	defer closeStore()
	deadline := time.Now().Add(90 * time.Second)
	for {
		at, err := store.Resume(ctx, s.partitions())
		behind := 0
		for p, progress := range at {
			for _, next := range progress.Next {
				if next != s.next[p.ID] {
					behind++
				}
			}
		}
		if err == nil && behind == 0 {
			break
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("not settled: %v %v, sent %v", at, err, s.next)
		}
		time.Sleep(20 * time.Millisecond)
	}
	s.compare(ctx, store)
}

func (s *spine) compare(ctx context.Context, store *redisstore.Store) {
	s.t.Helper()
	want := s.oracle.Totals()
	got, err := store.Totals(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	rejected := map[string]int64{}
	for reason, n := range want.Rejected {
		rejected[string(reason)] = n
	}
	if diff := cmp.Diff(windows.Totals{Counted: want.Counted, Duplicate: want.Duplicate, Late: want.Late, Ignored: want.Ignored, Rejected: rejected}, got); diff != "" {
		s.t.Errorf("totals (-oracle +state):\n%s", diff)
	}
	asOf := time.Now().UTC()
	differ := 0
	for _, subject := range s.oracle.Subjects() {
		have, err := store.Series(ctx, subject.Key, store.Kept(asOf)...)
		if err != nil {
			s.t.Fatal(err)
		}
		series := subject.Series()
		for _, span := range store.Kept(asOf) {
			a, b := buckets(series, span), buckets(have, span)
			if diff := cmp.Diff(a, b); diff != "" {
				if differ++; differ < 4 {
					s.t.Errorf("%s %s (-oracle +state):\n%s", subject.Key, span.Step, diff)
				}
			}
		}
	}
	day := engagement.DayOf(asOf)
	for _, tenant := range s.oracle.Tenants() {
		got, err := store.Breakdown(ctx, tenant, day)
		if err != nil {
			s.t.Fatal(err)
		}
		if diff := cmp.Diff(s.oracle.Breakdown(tenant, day), got); diff != "" {
			s.t.Errorf("%s: engagement (-oracle +state):\n%s", tenant, diff)
		}
	}
	if differ > 0 {
		s.t.Errorf("%d subjects and steps differ", differ)
	}
}

func buckets(series *windows.Series, span windows.Span) map[int64]windows.Counts {
	m := map[int64]windows.Counts{}
	for b, counts := range series.Buckets(span) {
		m[b] = *counts
	}
	maps.DeleteFunc(m, func(_ int64, c windows.Counts) bool { return c == windows.Counts{} })
	return m
}

func (s *spine) partitions() []windows.Partition {
	var all []windows.Partition
	for p := range spinePartitions {
		all = append(all, windows.Partition{Topic: spineTopic, ID: p})
	}
	return all
}

// Members come and go, Redis is killed with its last second unsaved, Kafka is killed: and every figure is what one pass gives.
func TestRealPartsStayExact(t *testing.T) {
	if testing.Short() {
		t.Skip("real parts")
	}
	for _, shards := range []int{1, 4} {
		t.Run(fmt.Sprint(shards, " shards"), func(t *testing.T) {
			redis := testparts.Redis(t, testparts.RedisOptions{AOF: true})
			s := newSpine(t, redis, shards)
			members := []*running{s.start()}
			s.send(5000)
			s.settle()
			faults := []func(){
				func() { members = append(members, s.start()) },
				func() { must(t, redis.Kill()); must(t, redis.Start()) },
				func() { members = append(members, s.start()) },
				func() { must(t, s.broker.Kill()); must(t, s.broker.Start()) },
				func() { members[0].stop(); members = slices.Delete(members, 0, 1) },
				func() { must(t, redis.Stop()); must(t, redis.Start()) },
				func() { members[0].stop(); members = slices.Delete(members, 0, 1) },
			}
			for _, fault := range faults {
				s.send(3000)
				fault()
			}
			s.send(3000)
			s.settle()
		})
	}
}

// A cluster of six loses a master: its replica takes over, perhaps without the last steps.
func TestRealClusterStaysExact(t *testing.T) {
	if testing.Short() {
		t.Skip("real parts")
	}
	redis := testparts.Redis(t, testparts.RedisOptions{Cluster: true, AOF: true})
	s := newSpine(t, redis, 16)
	s.start()
	s.start()
	s.send(5000)
	s.settle()
	for _, n := range redis.Nodes[:2] {
		s.send(2000)
		must(t, n.Kill())
		s.send(2000)
		time.Sleep(3 * time.Second) // longer than the cluster's node time-out: a replica is elected
		must(t, redis.Start())
	}
	s.send(2000)
	s.settle()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
