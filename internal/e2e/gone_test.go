package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

// TestOlderThanTheLog: a Redis that comes back with data from before what Kafka still has. That cannot be made good; it has to be
// counted as lost, alerted on, and the rest goes on.
func TestOlderThanTheLog(t *testing.T) {
	builtBinary(t)
	broker := testparts.SharedKafka(t)
	server := testparts.Redis(t, testparts.RedisOptions{AOF: true, Config: []string{"appendfsync always"}})
	w := newWorld(t, broker.Addr, server.Addr, "alerts: {evaluate_every: 200ms}\n")
	testparts.CreateTopic(t, w.brokers, w.topic(), 1)
	m := w.process("monitor")
	send := func(from, to int) {
		for n := from; n < to; n++ {
			w.produce(w.topic(), kafka.Record{Value: delivery(n)})
		}
	}
	send(0, 100)
	w.counted(m, 30*time.Second, 100)
	node, copied := server.Nodes[0], t.TempDir()+"/copy"
	check(t, server.Kill())
	check(t, node.SaveData(copied))
	check(t, server.Start())
	send(100, 200)
	w.counted(m, 30*time.Second, 200)
	check(t, testparts.DeleteRecords(w.brokers, w.topic(), 0, 150))
	check(t, server.Kill())
	check(t, node.LoadData(copied))
	check(t, server.Start())
	s := w.counted(m, 30*time.Second, 150)
	if s.Events.Lost != 50 {
		t.Errorf("%d records lost, 50 expected", s.Events.Lost)
	}
	all := w.alertsUntil(func(all []wire) bool { return len(by(all, "fired")) == 1 })
	if a := all[0]; a.Policy != "system" || a.Rate != "lost_records" || a.Severity != "critical" || a.Observed.Numerator != 50 ||
		a.SubjectKey != "topic="+w.topic()+",partition=0" {
		t.Errorf("%+v", a)
	}
	if !strings.Contains(m.Log(), "records were lost before they could be read") {
		t.Error("the log says nothing of it")
	}
	w.eventually(20*time.Second, "ready", func() string { return ready(m) })
}

// TestTopicMadeAnew: offsets of a topic that was deleted and made again mean nothing. The service stops reading it and says what
// to do; after that it counts the new records beside the old ones.
func TestTopicMadeAnew(t *testing.T) {
	w := sharedWorld(t, "")
	testparts.CreateTopic(t, w.brokers, w.topic(), 2)
	m := w.process("monitor")
	for n := range 20 {
		w.produce(w.topic(), kafka.Record{Key: fmt.Append(nil, n), Value: delivery(n)})
	}
	w.counted(m, 30*time.Second, 20)
	testparts.DeleteTopic(t, w.brokers, w.topic())
	testparts.CreateTopic(t, w.brokers, w.topic(), 2)
	w.fresh()
	for n := range 20 {
		w.produce(w.topic(), kafka.Record{Key: fmt.Append(nil, n), Value: delivery(100 + n)})
	}
	w.eventually(40*time.Second, "it stops and says what to do", func() string { return w.unready(m, "monitor start-anew --topic "+w.topic()) })
	w.counted(m, 10*time.Second, 20) // and nothing of the new topic
	check(t, m.Stop())
	if out, err := exec.Command(builtBinary(t), "start-anew", "--config", m.Config, "--topic", w.topic()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	check(t, m.Start())
	w.counted(m, 30*time.Second, 40)
	w.eventually(20*time.Second, "ready", func() string { return ready(m) })
}

// TestEmptiedWhileIdle: somebody empties Redis, and nothing comes in. What the log still has is counted again; what it has no
// longer is counted as lost and alerted on.
func TestEmptiedWhileIdle(t *testing.T) {
	builtBinary(t)
	broker := testparts.SharedKafka(t)
	server := testparts.Redis(t, testparts.RedisOptions{})
	w := newWorld(t, broker.Addr, server.Addr, "alerts: {evaluate_every: 200ms}\n")
	testparts.CreateTopic(t, w.brokers, w.topic(), 1)
	m := w.process("monitor")
	for n := range 100 {
		w.produce(w.topic(), kafka.Record{Value: delivery(n)})
	}
	w.counted(m, 30*time.Second, 100)
	empty := func() {
		_, err := server.Nodes[0].Command("FLUSHALL")
		check(t, err)
	}
	empty()
	if s := w.counted(m, 15*time.Second, 100); s.Events.Lost != 0 {
		t.Errorf("%d records lost, none expected", s.Events.Lost)
	}
	check(t, testparts.DeleteRecords(w.brokers, w.topic(), 0, 30))
	empty()
	if s := w.counted(m, 15*time.Second, 70); s.Events.Lost != 30 {
		t.Errorf("%d records lost, 30 expected", s.Events.Lost)
	}
	all := w.alertsUntil(func(all []wire) bool { return len(by(all, "fired")) == 1 })
	if a := all[0]; a.Policy != "system" || a.Rate != "lost_records" || a.Observed.Numerator != 30 {
		t.Errorf("%+v", a)
	}
	w.eventually(20*time.Second, "ready", func() string { return ready(m) })
	// The state is whole: another process can work with it, under the key that it had.
	check(t, m.Stop())
	check(t, m.Start())
	w.counted(m, 30*time.Second, 70)
}
