package consumer

import (
	"fmt"
	"testing"
	"time"

	"sendwatch/internal/testparts"
)

// A broker that crashes, one that restarts in good order, and one that is frozen, while records come in.
func TestRealBrokerThatGoesAway(t *testing.T) {
	if testing.Short() {
		t.Skip("real broker")
	}
	b := testparts.Kafka(t, testparts.KafkaOptions{})
	h := newHarness(t, b.Addr, 4)
	c := h.start(nil)
	h.sendMany(2000, 4)
	h.counted()
	for name, away := range map[string]struct{ leave, back func() error }{
		"killed":    {b.Kill, b.Start},
		"restarted": {b.Stop, b.Start},
		"frozen":    {b.Nodes[0].Freeze, b.Nodes[0].Thaw}, // connections stay, and nothing answers
	} {
		t.Run(name, func(t *testing.T) {
			h.t = t
			if err := away.leave(); err != nil {
				t.Fatal(err)
			}
			h.eventually("it says that it waits", func() bool { return len(c.Waiting()) > 0 })
			if err := away.back(); err != nil {
				t.Fatal(err)
			}
			back := time.Now()
			h.sendMany(2000, 4)
			h.counted()
			t.Logf("all counted %s after the broker was back", time.Since(back).Round(time.Millisecond))
			h.eventually("nothing is waited for", func() bool { return len(c.Waiting()) == 0 })
		})
	}
	h.t = t
}

// Members that join and leave while records come in.
func TestRealRebalances(t *testing.T) {
	if testing.Short() {
		t.Skip("real broker")
	}
	h := newHarness(t, testparts.SharedKafka(t).Addr, 6)
	small := func(o *Options) { o.MaxBatch = 300 }
	first := h.start(small)
	var second, third *running
	for round := range 6 {
		h.sendMany(3000, 6)
		switch round {
		case 1:
			second = h.start(small)
			h.eventually("the second has its half", func() bool { return len(second.Partitions()) == 3 })
		case 2:
			third = h.start(small)
		case 3:
			first.stop()
		case 4:
			second.stop()
		}
	}
	h.counted()
	h.eventually("the last has all", func() bool { return len(third.Partitions()) == 6 })
	third.stop()
	for p := range 6 {
		if got := h.committed(p); got != 3000 {
			t.Errorf("partition %d: %d is committed, 3000 expected", p, got)
		}
	}
}

// One of three brokers dies: leaders and the group's coordinator move to the others.
func TestRealLeadersMove(t *testing.T) {
	if testing.Short() {
		t.Skip("three real brokers")
	}
	b := testparts.Kafka(t, testparts.KafkaOptions{Brokers: 3})
	h := newHarness(t, b.Addr, 6)
	h.start(nil)
	h.sendMany(600, 6)
	h.counted()
	for i, n := range b.Nodes {
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		h.sendMany(600, 6)
		h.counted()
		t.Logf("broker %d killed: all counted after %s", i+1, time.Since(start).Round(time.Millisecond))
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		h.awaitReplicas(3)
	}
}

// awaitReplicas waits until every partition of the topic has that many replicas in sync.
func (h *harness) awaitReplicas(n int) {
	h.t.Helper()
	h.eventually(fmt.Sprintf("%d replicas are in sync", n), func() bool { return h.inSync() >= n })
}
