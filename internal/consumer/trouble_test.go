package consumer

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

func createTopic(t *testing.T, addr, topic string, partitions int, config ...string) {
	t.Helper()
	testparts.CreateTopic(t, addr, topic, partitions, config...)
}

func TestDeadLettersAreWrittenAsTheyWere(t *testing.T) {
	h := newHarness(t, fake(t), 2)
	dead := h.topic + ".dead"
	createTopic(t, h.addr, dead, 1, "max.message.bytes=2000")
	huge := "bad" + strings.Repeat("x", 5000)
	h.send(h.topic, 1, "e1", "bad \x00\xff bytes", "e2", huge, "bad last")
	h.sent = 2
	h.start(func(o *Options) { o.DeadLetterTopic = dead })
	h.counted()
	p := windows.Partition{Topic: h.topic, ID: 1}
	h.eventually("all are behind", func() bool { return h.store.next(p) == 5 })
	if h.store.rejected != 3 {
		t.Errorf("%d rejected", h.store.rejected)
	}
	r, err := kgo.NewClient(kgo.SeedBrokers(h.addr), kgo.ConsumeTopics(dead))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []*kgo.Record
	for len(got) < 3 {
		fetches := r.PollFetches(t.Context())
		if fetches.Err() != nil {
			t.Fatal(fetches.Err())
		}
		got = append(got, fetches.Records()...)
	}
	for i, want := range []struct{ value, offset string }{{"bad \x00\xff bytes", "1"}, {"", "3"}, {"bad last", "4"}} {
		headers := map[string]string{}
		for _, h := range got[i].Headers {
			headers[h.Key] = string(h.Value)
		}
		if !bytes.Equal(got[i].Value, []byte(want.value)) || headers["sendwatch-reason"] != "not_json" || headers["sendwatch-topic"] != h.topic ||
			headers["sendwatch-partition"] != "1" || headers["sendwatch-offset"] != want.offset {
			t.Errorf("letter %d: %q %v", i, got[i].Value, headers)
		}
		if omitted := headers["sendwatch-omitted-bytes"]; (omitted != "") != (want.value == "") {
			t.Errorf("letter %d: omitted %q", i, omitted)
		}
	}
}

// The position must not pass a rejected record before its letter is safe.
func TestThePositionWaitsForDeadLetters(t *testing.T) {
	h := newHarness(t, fake(t), 1)
	dead := h.topic + ".dead"
	c := h.start(func(o *Options) { o.DeadLetterTopic = dead }) // which does not exist
	h.send(h.topic, 0, "bad", "e1")
	h.sent = 1
	h.eventually("it says what it waits for", func() bool { return strings.Contains(fmt.Sprint(c.Waiting()), "dead letters") })
	if n := h.store.events(); n != 0 {
		t.Errorf("%d events were applied meanwhile", n)
	}
	createTopic(t, h.addr, dead, 1)
	h.counted()
	h.eventually("it is well again", func() bool { return len(c.Waiting()) == 0 })
}

func TestNewPartitionsAreNoticed(t *testing.T) {
	h := newHarness(t, fake(t), 1)
	h.start(nil)
	h.sendMany(10, 1)
	h.counted()
	req := kmsg.NewPtrCreatePartitionsRequest()
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = h.topic, 3
	req.Topics = append(req.Topics, rt)
	req.TimeoutMillis = 10000
	if res, err := req.RequestWith(t.Context(), h.write); err != nil || res.Topics[0].ErrorCode != 0 {
		t.Fatal(err, res.Topics[0].ErrorCode)
	}
	h.eventually("the writer knows the new partitions", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		h.write.ForceMetadataRefresh()
		return h.write.ProduceSync(ctx, &kgo.Record{Topic: h.topic, Partition: 2, Value: []byte("first-of-2")}).FirstErr() == nil
	})
	h.sent++
	h.sendMany(30, 3)
	h.counted()
}

func TestATopicThatComesLater(t *testing.T) {
	h := newHarness(t, fake(t), 0)
	c := h.start(nil)
	h.eventually("it says that the topic is not there", func() bool { return strings.Contains(fmt.Sprint(c.Waiting()), h.topic) })
	createTopic(t, h.addr, h.topic, 2)
	h.sendMany(10, 2)
	h.counted()
	h.eventually("nothing is waited for", func() bool { return len(c.Waiting()) == 0 })
}

func TestAHoleIsCountedAndReported(t *testing.T) {
	h := newHarness(t, fake(t), 1)
	first := h.start(nil)
	h.sendMany(10, 1)
	h.counted()
	first.stop()
	for i := range 90 {
		h.send(h.topic, 0, fmt.Sprintf("gone%d", i))
	}
	h.deleteRecords(60)
	holes := make(chan Hole, 10)
	c := h.start(func(o *Options) { o.OnHole = func(hole Hole) { holes <- hole } })
	h.sent = 10 + 40
	h.counted()
	p := windows.Partition{Topic: h.topic}
	if hole := <-holes; hole != (Hole{p, 10, 60}) {
		t.Errorf("hole %+v", hole)
	}
	if len(holes) > 0 {
		t.Error("reported twice")
	}
	if h.store.lost != [shards]int64{50, 50, 50} || c.Stats().Lost != 50 {
		t.Errorf("lost %d in the state, %d here; 50 expected", h.store.lost, c.Stats().Lost)
	}
}

func TestALogThatWentBackStopsItsPartitionOnly(t *testing.T) {
	h := newHarness(t, fake(t), 2)
	h.sendMany(20, 2)
	p := windows.Partition{Topic: h.topic, ID: 1}
	h.store.positions[p] = windows.Progress{Next: all(500)}
	stopped := make(chan error, 10)
	c := h.start(func(o *Options) {
		o.OnStopped = func(_ windows.Partition, why error) { stopped <- why }
		o.StartAnew = func(p windows.Partition) string { return fmt.Sprintf("monitor start-anew %s/%d", p.Topic, p.ID) }
	})
	why := <-stopped
	for _, part := range []string{"offset 500", "ends at 10", "monitor start-anew " + h.topic + "/1"} {
		if !strings.Contains(why.Error(), part) {
			t.Errorf("%q does not say %q", why, part)
		}
	}
	h.eventually("the other partition is read", func() bool { return h.store.events() == 10 })
	if w := fmt.Sprint(c.Waiting()); !strings.Contains(w, h.topic+"/1 is not read") {
		t.Error(w)
	}
	// Somebody starts it anew: no restart is needed.
	h.store.do(func() { delete(h.store.positions, p) })
	h.counted()
	h.eventually("nothing is waited for", func() bool { return len(c.Waiting()) == 0 })
}

func TestATopicMadeAnewStops(t *testing.T) {
	h := newHarness(t, fake(t), 1)
	stopped := make(chan error, 10)
	c := h.start(func(o *Options) { o.OnStopped = func(_ windows.Partition, why error) { stopped <- why } })
	h.sendMany(10, 1)
	h.counted()
	testparts.DeleteTopic(t, h.addr, h.topic)
	createTopic(t, h.addr, h.topic, 1)
	h.write.PurgeTopicsFromClient(h.topic)
	for i := range 30 { // longer than the old one was: the offsets alone would not tell
		h.send(h.topic, 0, fmt.Sprintf("new%d", i))
	}
	if why := <-stopped; !strings.Contains(why.Error(), "made anew") {
		t.Error(why)
	}
	h.store.exact(t, 10)
	h.store.do(func() { clear(h.store.positions) })
	h.sent = 40
	h.counted()
	h.eventually("nothing is waited for", func() bool { return len(c.Waiting()) == 0 })
}

func (h *harness) deleteRecords(before int64) {
	h.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = h.topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = before
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	for _, shard := range h.write.RequestSharded(h.t.Context(), req) {
		if shard.Err != nil {
			h.t.Fatal(shard.Err)
		}
	}
}
