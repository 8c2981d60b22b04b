package consumer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sendwatch/internal/windows"
)

func TestReadsSeveralTopicsEachWithItsDecoder(t *testing.T) {
	h := newHarness(t, fake(t), 3)
	other := &harness{t: t, addr: h.addr, topic: h.topic + ".other", write: h.write}
	createTopic(t, h.addr, other.topic, 2)
	asked := make(chan string, 100)
	c := h.start(func(o *Options) {
		o.Topics = append(o.Topics, other.topic)
		o.Decoder = func(topic string) (Decoder, error) { asked <- topic; return &words{}, nil }
	})
	h.sendMany(1000, 3)
	h.send(other.topic, 1, "from-other")
	h.sent++
	h.counted()
	if a, b := <-asked, <-asked; a == b {
		t.Errorf("decoders of %s and %s", a, b)
	}
	h.eventually("all five partitions are reported", func() bool {
		n := 0
		h.store.do(func() {
			for _, s := range h.store.reports {
				if s.HighWatermark == max(s.Next, 0) && !s.ReadAt.IsZero() {
					n++
				}
			}
		})
		return n == 5
	})
	if w := c.Waiting(); len(w) > 0 {
		t.Error(w)
	}
}

// What the group has committed is for show. It follows the state, and nobody reads it.
func TestTheStatesPositionCounts(t *testing.T) {
	h := newHarness(t, fake(t), 2)
	h.sendMany(500, 2)
	c := h.start(nil)
	h.counted()
	c.stop()
	for p := range 2 {
		if got := h.committed(p); got != 250 {
			t.Errorf("partition %d: %d is committed after the stop, 250 expected", p, got)
		}
	}
	if n := h.members(); n != 0 {
		t.Errorf("%d members are left in the group", n)
	}
	// Somebody resets the group's offsets.
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = []string{h.base.Group}
	if _, err := h.write.Request(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	h.sendMany(500, 2)
	h.start(nil)
	h.counted()
}

func TestAStateThatMovesUnderUsIsFollowed(t *testing.T) {
	h := newHarness(t, fake(t), 2)
	c := h.start(nil)
	h.sendMany(200, 2)
	h.counted()
	// Another process, which has the partition by right, takes the next records.
	p := windows.Partition{Topic: h.topic, ID: 0}
	h.store.do(func() {
		progress := h.store.positions[p]
		progress.Next = all(progress.Next[0] + 50)
		h.store.positions[p] = progress
		for i := range 50 {
			h.store.counts[fmt.Sprintf("e%d", 200+2*i)]++
		}
	})
	h.sendMany(200, 2)
	h.counted()
	if c.Stats().Rewinds == 0 {
		t.Error("the applier never noticed")
	}
}

func TestAStateThatComesBackOlderIsFedAgain(t *testing.T) {
	h := newHarness(t, fake(t), 4)
	h.start(nil)
	h.sendMany(400, 4)
	h.counted()
	positions, counts := h.store.snapshot()
	h.sendMany(400, 4)
	h.counted()
	h.store.restore(positions, counts)
	h.counted() // it is noticed although nothing comes in
	h.sendMany(4, 4)
	h.counted()
}

// The state fails before and after it has done what it was asked, comes back older, partitions change hands: and every event is
// counted once.
func TestExactUnderRandomFaults(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			h := newHarness(t, fake(t), 4)
			faults := rand.New(rand.NewPCG(seed, 1)) // the state's own, under its mutex
			h.store.fault = func(int) fault {
				if faults.IntN(4) > 0 {
					return none
				}
				return before + fault(faults.IntN(3))
			}
			small := func(o *Options) { o.MaxBatch = 30 }
			consumers := []*running{h.start(small)}
			positions, counts := h.store.snapshot()
			for range 12 {
				h.sendMany(200, 4)
				time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
				switch r.IntN(4) {
				case 0:
					consumers = append(consumers, h.start(small))
				case 1:
					if len(consumers) > 1 {
						i := r.IntN(len(consumers))
						consumers[i].stop()
						consumers = slices.Delete(consumers, i, i+1)
					}
				case 2:
					positions, counts = h.store.snapshot()
				case 3:
					h.store.restore(positions, counts)
					positions, counts = h.store.snapshot()
				}
			}
			h.sendMany(4, 4)
			h.counted()
		})
	}
}

func TestNoRoomMeansNoReading(t *testing.T) {
	h := newHarness(t, fake(t), 2)
	h.store.down = true
	c := h.start(func(o *Options) { o.MaxBatch = 100 })
	h.sendMany(5000, 2)
	h.eventually("it says that it waits", func() bool { return len(c.Waiting()) > 0 })
	h.store.do(func() { h.store.down = false })
	h.eventually("some are counted", func() bool { return h.store.events() > 0 })
	h.store.do(func() { h.store.down = true })
	h.eventually("it says so again", func() bool { return len(c.Waiting()) > 0 })
	time.Sleep(200 * time.Millisecond)
	if ahead := c.Stats().Records - int64(h.store.events()); ahead > 2*100+2 {
		t.Errorf("%d records are held; two batches of 100 are allowed", ahead)
	}
	h.store.do(func() { h.store.down = false })
	h.counted()
	if h.store.largest > 101 {
		t.Errorf("a batch of %d", h.store.largest)
	}
	h.eventually("nothing is waited for", func() bool { return len(c.Waiting()) == 0 })
}

func TestAStateThatIsAwayDoesNotStopAStop(t *testing.T) {
	h := newHarness(t, fake(t), 2)
	c := h.start(func(o *Options) { o.StopWithin = 200 * time.Millisecond })
	h.sendMany(100, 2)
	h.counted()
	h.store.do(func() { h.store.down = true })
	h.sendMany(100, 2)
	h.eventually("it says that it waits", func() bool { return len(c.Waiting()) > 0 })
	start := time.Now()
	c.stop()
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("stopped after %s", d)
	}
	h.store.do(func() { h.store.down = false })
	h.start(nil)
	h.counted()
}

func TestKafkaThatIsAwayIsWaitedFor(t *testing.T) {
	h := &harness{t: t, addr: "127.0.0.1:1", topic: "t", store: newMemory(),
		base: Options{Topics: []string{"t"}, Group: "g", Decoder: someWords, NewFold: newFold}}
	c := h.start(nil)
	h.eventually("it says so", func() bool { return len(c.Waiting()) == 1 })
	c.stop()
}

func TestWordsBetweenEventsMoveThePosition(t *testing.T) {
	h := newHarness(t, fake(t), 1)
	h.start(nil)
	h.send(h.topic, 0, "", "ping", "e", "")
	h.sent = 1
	h.counted()
	p := windows.Partition{Topic: h.topic}
	h.eventually("the last tombstone is behind", func() bool { return h.store.next(p) == 4 })
}

func TestHooksAreCalledAtEveryStep(t *testing.T) {
	h := newHarness(t, fake(t), 1)
	seen := make(chan string, 10000)
	c := h.start(func(o *Options) { o.Hooks = func(step string) { seen <- step } })
	h.sendMany(10, 1)
	h.counted()
	h.eventually("offsets are committed", func() bool { return h.committed(0) == 10 })
	c.stop()
	close(seen)
	var steps []string
	for s := range seen {
		if !slices.Contains(steps, s) {
			steps = append(steps, s)
		}
	}
	slices.Sort(steps)
	if want := []string{"after-apply", "before-apply", "before-commit", "before-letters", "fetched", "stopping"}; !slices.Equal(steps, want) {
		t.Errorf("%v; expected %v", steps, want)
	}
}

// committed asks Kafka how far the group is.
func (h *harness) committed(partition int) int64 {
	h.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = h.base.Group
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic, topic.Partitions = h.topic, []int32{int32(partition)}
	req.Topics = append(req.Topics, topic)
	ctx, cancel := context.WithTimeout(h.t.Context(), 10*time.Second)
	defer cancel()
	res, err := req.RequestWith(ctx, h.write)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(res.Groups) > 0 {
		return res.Groups[0].Topics[0].Partitions[0].Offset
	}
	return res.Topics[0].Partitions[0].Offset
}

func (h *harness) members() int {
	h.t.Helper()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{h.base.Group}
	res, err := req.RequestWith(h.t.Context(), h.write)
	if err != nil {
		h.t.Fatal(err)
	}
	return len(res.Groups[0].Members)
}

// inSync is the least number of in-sync replicas that a partition of the topic or of the group's own has.
func (h *harness) inSync() int {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range []string{h.topic, "__consumer_offsets"} {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, topic)
	}
	res, err := req.RequestWith(h.t.Context(), h.write)
	if err != nil {
		return 0
	}
	least := 1000
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			least = min(least, len(p.ISR))
		}
	}
	return least
}
