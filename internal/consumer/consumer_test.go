package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

// words is the decoder of these tests: "bad…" is rejected, "ping" and nothing are ignored, anything else is the id of an event.
type words struct{ events [1]event.Event }

func (w *words) Decode(value []byte, now time.Time) event.Result {
	switch s := string(value); {
	case strings.HasPrefix(s, "bad"):
		return event.Result{Rejected: &event.Rejection{Reason: event.NotJSON, Detail: "a bad word"}}
	case s == "" || s == "ping":
		return event.Result{Ignored: 1}
	default:
		w.events[0] = event.Event{Type: event.Delivery, ID: s, Campaign: s, Time: now}
		return event.Result{Events: w.events[:]}
	}
}

func someWords(string) (Decoder, error) { return &words{}, nil }

// harness is a topic, a state and as many consumers as a test starts, which all share them.
type harness struct {
	t     *testing.T
	addr  string
	topic string
	store *memory
	write *kgo.Client
	sent  int
	base  Options
}

func newHarness(t *testing.T, addr string, partitions int) *harness {
	h := &harness{t: t, addr: addr, topic: strings.ReplaceAll(t.Name(), "/", "."), store: newMemory()}
	if partitions > 0 {
		testparts.CreateTopic(t, addr, h.topic, partitions)
	}
	w, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(addr, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(20*time.Millisecond),
		kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	h.write = w
	h.base = Options{Topics: []string{h.topic}, Group: h.topic, Decoder: someWords, NewFold: newFold, FlushEvery: 10 * time.Millisecond,
		BacklogEvery: 20 * time.Millisecond, WatchEvery: 50 * time.Millisecond, ReportEvery: 20 * time.Millisecond,
		ConfirmEvery: 50 * time.Millisecond, CompareEvery: 20 * time.Millisecond, FetchWait: 50 * time.Millisecond}
	return h
}

func fake(t *testing.T) string {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// running is one consumer of a harness.
type running struct {
	*Consumer
	stop func() // in good order; may be called twice
}

// start starts a consumer with the harness's options as changed.
func (h *harness) start(change func(*Options)) *running {
	h.t.Helper()
	o := h.base
	if change != nil {
		change(&o)
	}
	client, err := kafka.New(kafka.Options{Brokers: strings.Split(h.addr, ","), ClientID: h.t.Name()})
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := New(client, h.store, client, zaptest.NewLogger(h.t, zaptest.Level(zap.WarnLevel)), o)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Run(ctx); err != nil {
			h.t.Error(err)
		}
		client.Close()
	}()
	r := &running{Consumer: c, stop: func() { cancel(); <-done }}
	h.t.Cleanup(r.stop)
	return r
}

// send writes records to a partition of a topic; an empty word becomes a tombstone.
func (h *harness) send(topic string, partition int, words ...string) {
	h.t.Helper()
	var rs []*kgo.Record
	for _, w := range words {
		r := &kgo.Record{Topic: topic, Partition: int32(partition)}
		if w != "" {
			r.Value = []byte(w)
		}
		rs = append(rs, r)
	}
	if err := h.write.ProduceSync(h.t.Context(), rs...).FirstErr(); err != nil {
		h.t.Fatal(err)
	}
}

// sendMany writes n new events over the partitions of the harness's topic.
func (h *harness) sendMany(n, partitions int) {
	h.t.Helper()
	for p := range partitions {
		var words []string
		for i := h.sent; i < h.sent+n; i++ {
			if i%partitions == p {
				words = append(words, fmt.Sprintf("e%d", i))
			}
		}
		h.send(h.topic, p, words...)
	}
	h.sent += n
}

// eventually waits until the condition holds.
func (h *harness) eventually(what string, holds func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited too long until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// counted waits until the state has as many different events as were sent, and fails unless each was counted once.
func (h *harness) counted() {
	h.t.Helper()
	h.eventually(fmt.Sprintf("%d events are counted", h.sent), func() bool { return h.store.events() >= h.sent })
	h.store.exact(h.t, h.sent)
}

// memory is a state like the real one: counts and positions move in one step, and only from where they are. What can go wrong
// with a real one can be made to.
type memory struct {
	mu        sync.Mutex
	positions map[windows.Partition]windows.Progress
	counts    map[string]int
	homes     map[string]int // shards, by what they counted
	rejected  int
	lost      [shards]int64
	reports   map[windows.Partition]windows.PartitionStatus
	applies   int
	looks     int
	largest   int
	fault     func(apply int) fault // of the apply with this number
	down      bool
}

type fault int

const (
	none    fault = iota
	before        // fails, nothing done
	between       // fails, the first shard done
	after         // fails, done
)

var errAway = errors.New("the state is away")

func newMemory() *memory {
	return &memory{positions: map[windows.Partition]windows.Progress{}, counts: map[string]int{}, homes: map[string]int{},
		reports: map[windows.Partition]windows.PartitionStatus{}}
}

func (m *memory) Resume(_ context.Context, ps []windows.Partition) (map[windows.Partition]windows.Progress, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, errAway
	}
	out := map[windows.Partition]windows.Progress{}
	for _, p := range ps {
		progress, ok := m.positions[p]
		if !ok {
			progress.Next = all(-1)
		}
		progress.Next = append([]int64(nil), progress.Next...)
		out[p] = progress
	}
	return out, nil
}

func (m *memory) Positions(ctx context.Context, ps []windows.Partition) (map[windows.Partition][]int64, error) {
	progress, err := m.Resume(ctx, ps)
	out := map[windows.Partition][]int64{}
	for p, at := range progress {
		out[p] = at.Next
	}
	m.do(func() { m.looks++ })
	return out, err
}

func (m *memory) Apply(_ context.Context, f *windows.Fold) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errAway
	}
	m.applies++
	fails := none
	if m.fault != nil {
		fails = m.fault(m.applies)
	}
	if fails == before {
		return errAway
	}
	failAt := -1
	if fails == between {
		failAt = 1
	}
	if err := m.take(f, failAt); err != nil {
		return err
	}
	if fails == after {
		return errAway
	}
	return nil
}

func (m *memory) ReportPartition(_ context.Context, s windows.PartitionStatus) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reports[s.Partition] = s
	return nil
}

func (m *memory) do(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

func (m *memory) events() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.counts)
}

func (m *memory) next(p windows.Partition) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if progress, ok := m.positions[p]; ok {
		return slices.Min(progress.Next)
	}
	return -1
}

func (m *memory) exact(t *testing.T, n int) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, times := range m.counts {
		if times != 1 {
			t.Errorf("%s was counted %d times", id, times)
		}
	}
	if len(m.counts) != n {
		t.Errorf("%d events counted, %d sent", len(m.counts), n)
	}
}

// snapshot is a copy of the state, and restore puts one in its place: a server that comes back with older data.
func (m *memory) snapshot() (map[windows.Partition]windows.Progress, map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	positions := map[windows.Partition]windows.Progress{}
	for p, progress := range m.positions {
		progress.Next = append([]int64(nil), progress.Next...)
		positions[p] = progress
	}
	return positions, maps.Clone(m.counts)
}

func (m *memory) restore(positions map[windows.Partition]windows.Progress, counts map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.positions, m.counts = positions, counts
}

// restoreShard does the same to one shard only, as when a replica that was behind takes over from it.
func (m *memory) restoreShard(shard int, positions map[windows.Partition]windows.Progress, counts map[string]int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, progress := range m.positions {
		progress.Next = append([]int64(nil), progress.Next...)
		progress.Next[shard] = positions[p].Next[shard]
		m.positions[p] = progress
	}
	maps.DeleteFunc(m.counts, func(id string, _ int) bool { return m.homes[id] == shard && counts[id] == 0 })
}
