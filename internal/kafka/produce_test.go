package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"sendwatch/internal/testparts"
)

// The values are those of org.apache.kafka.common.utils.Utils.murmur2, from the test of the Java client.
func TestPartitionOfIsTheJavaClientsChoice(t *testing.T) {
	for key, hash := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971} {
		for _, count := range []int{1, 3, 12, 1000} {
			if got, want := partitionOf([]byte(key), count), int(uint32(hash)&0x7fffffff)%count; got != want {
				t.Errorf("%q of %d: %d; Java says %d", key, count, got, want)
			}
		}
	}
}

func TestProduceKeepsKeysHeadersAndOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := topic(t, addr, 3)
		c := client(t, Options{Brokers: []string{addr}})
		var records []Record
		for i := range 30 {
			records = append(records, Record{Key: fmt.Appendf(nil, "k%d", i%5), Value: fmt.Appendf(nil, "v%d", i),
				Headers: []Header{{"ce_id", fmt.Appendf(nil, "%d/1", i)}, {"empty", []byte{}}}})
		}
		written, err := c.Produce(t.Context(), topic, records...)
		for err != nil && CategoryOf(err) == Unsettled { // a new topic's leaders come up one by one
			written, err = c.Produce(t.Context(), topic, records...)
		}
		if err != nil {
			t.Fatal(err)
		}
		r := writer(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		seen := make(map[Position]bool)
		for len(seen) < len(records) {
			fetches := r.PollFetches(t.Context())
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			fetches.EachRecord(func(got *kgo.Record) {
				var i int
				if _, err := fmt.Sscanf(string(got.Value), "v%d", &i); err != nil {
					t.Fatal(err)
				}
				if written[i].Offset > got.Offset {
					return // of an earlier try
				}
				seen[Position{int(got.Partition), got.Offset}] = true
				if written[i] != (Position{int(got.Partition), got.Offset}) {
					t.Errorf("record %d is at %d/%d; Produce said %v", i, got.Partition, got.Offset, written[i])
				}
				if !bytes.Equal(got.Key, records[i].Key) || len(got.Headers) != 2 || string(got.Headers[0].Value) != fmt.Sprintf("%d/1", i) {
					t.Errorf("record %d: %s %v", i, got.Key, got.Headers)
				}
				if got.Timestamp.IsZero() || got.Timestamp.Year() < 2020 {
					t.Errorf("record %d: written at %s", i, got.Timestamp)
				}
			})
		}
		// Per key in order: a later record of a key has a later offset.
		for i := 5; i < len(records); i++ {
			if written[i].Partition != written[i-5].Partition || written[i].Offset <= written[i-5].Offset {
				t.Errorf("record %d at %v, the one of the same key before it at %v", i, written[i], written[i-5])
			}
		}
	})
}

func TestProduceSaysWhatWentWrong(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		c := client(t, Options{Brokers: []string{addr}})
		name := topic(t, addr, 1, "max.message.bytes=1000")
		_, err := c.Produce(t.Context(), name, Record{Value: make([]byte, 5000)})
		if CategoryOf(err) != TooLarge {
			t.Errorf("too large: %v", err)
		}
		if _, err := c.Produce(t.Context(), name, Record{Value: make([]byte, 500)}); err != nil {
			t.Errorf("after it: %v", err)
		}
		if _, err = c.Produce(t.Context(), "absent", Record{Value: []byte("x")}); CategoryOf(err) != NoTopic {
			t.Errorf("no topic: %v", err)
		}
		// A topic that comes later is found.
		testparts.CreateTopic(t, addr, "late."+name, 2)
		if _, err = c.Produce(t.Context(), "late."+name, Record{Value: []byte("x")}); err != nil {
			t.Errorf("late topic: %v", err)
		}
	})
}

func TestCreateTopics(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		c := client(t, Options{Brokers: []string{addr}})
		prefix := strings.ReplaceAll(t.Name(), "/", ".")
		dead := DeadLetterTopic(prefix+".dead", 1<<20)
		for range 2 { // the second time they are there
			if err := c.CreateTopics(t.Context(), NewTopic{Name: prefix + ".alerts"}, dead); err != nil {
				t.Fatal(err)
			}
		}
		topics, err := c.Topics(t.Context(), prefix+".dead", prefix+".absent", prefix+".alerts")
		if err != nil || len(topics) != 2 || topics[0].Name != dead.Name || len(topics[0].Partitions) == 0 || topics[0].ID == topics[1].ID {
			t.Fatalf("%+v %v", topics, err)
		}
		big := Record{Value: make([]byte, 2<<20), Headers: []Header{{"sendwatch-reason", []byte("too_large")}}}
		if _, err := c.Produce(t.Context(), dead.Name, big); err != nil {
			t.Errorf("twice the largest event: %v", err)
		}
		wrong := NewTopic{Name: prefix + ".wrong", Config: map[string]string{"max.message.bytes": "many"}}
		if err := c.CreateTopics(t.Context(), wrong); strings.HasSuffix(t.Name(), "real") && (err == nil || !strings.Contains(err.Error(), wrong.Name)) {
			t.Errorf("a topic with a wrong setting: %v", err)
		}
	})
}

func TestEvenlyGivesEveryPartitionToOneMember(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var members []kafka.GroupMember
		var partitions []kafka.Partition
		for m := range rapid.IntRange(1, 6).Draw(t, "members") {
			members = append(members, kafka.GroupMember{ID: fmt.Sprint("m", m), Topics: []string{"a", "b", "c"}})
		}
		for _, topic := range []string{"a", "b", "c"} {
			for p := range rapid.IntRange(0, 9).Draw(t, topic) {
				partitions = append(partitions, kafka.Partition{Topic: topic, ID: p})
			}
		}
		seen := map[string]int{}
		least, most := len(partitions), 0
		for _, topics := range (evenly{}).AssignGroups(rapid.Permutation(members).Draw(t, "order"), rapid.Permutation(partitions).Draw(t, "order")) {
			n := 0
			for topic, ids := range topics {
				for _, id := range ids {
					seen[fmt.Sprint(topic, "/", id)]++
					n++
				}
			}
			least, most = min(least, n), max(most, n)
		}
		if len(seen) != len(partitions) || most-least > 1 {
			t.Fatalf("%d of %d partitions, between %d and %d a member", len(seen), len(partitions), least, most)
		}
		for p, n := range seen {
			if n != 1 {
				t.Fatalf("%s went to %d members", p, n)
			}
		}
	})
}

func TestNewRefusesWrongOptions(t *testing.T) {
	for want, o := range map[string]Options{"brokers": {}, "scram-sha-256": {Brokers: []string{"x"}, SASL: SASL{Mechanism: "gssapi"}}} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
	c := client(t, Options{Brokers: []string{"broker"}})
	if c.options.Brokers[0] != "broker:9092" {
		t.Error(c.options.Brokers)
	}
}

func TestUnreachableIsAConnectionError(t *testing.T) {
	c := client(t, Options{Brokers: []string{"127.0.0.1:1"}})
	_, err := c.Topics(t.Context(), "x")
	var reach *ReachError
	if !errors.As(err, &reach) || CategoryOf(err) != Connection || !strings.Contains(err.Error(), "kafka.brokers") {
		t.Fatal(err)
	}
}
