package testparts

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// CreateTopic makes a topic, with configuration as "key=value", and waits until every partition has a leader.
func CreateTopic(t testing.TB, addr, topic string, partitions int, config ...string) {
	t.Helper()
	if err := MakeTopic(addr, topic, partitions, config...); err != nil {
		t.Fatal(err)
	}
}

// MakeTopic is CreateTopic outside a test.
func MakeTopic(addr, topic string, partitions int, config ...string) error {
	c, done := admin(addr)
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	spec := kafka.TopicConfig{Topic: topic, NumPartitions: partitions, ReplicationFactor: -1}
	for _, kv := range config {
		k, v, _ := strings.Cut(kv, "=")
		spec.ConfigEntries = append(spec.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
	}
	r, err := c.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{spec}})
	if err == nil {
		err = r.Errors[topic]
	}
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return until(ctx, func() (bool, error) {
		m, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		if err != nil || len(m.Topics) != 1 || m.Topics[0].Error != nil || len(m.Topics[0].Partitions) != partitions {
			return false, err
		}
		for _, p := range m.Topics[0].Partitions {
			if p.Error != nil || p.Leader.Host == "" {
				return false, p.Error
			}
		}
		return true, nil
	})
}

// DeleteTopic deletes a topic and waits until it has gone.
func DeleteTopic(t testing.TB, addr, topic string) {
	t.Helper()
	c, done := admin(addr)
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := c.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err == nil {
		err = r.Errors[topic]
	}
	if err != nil {
		t.Fatalf("delete topic %s: %v", topic, err)
	}
	if err := until(ctx, func() (bool, error) {
		m, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		return err == nil && len(m.Topics) == 1 && m.Topics[0].Error != nil, err
	}); err != nil {
		t.Fatalf("delete topic %s: %v", topic, err)
	}
}

func admin(addr string) (*kafka.Client, func()) {
	tr := &kafka.Transport{}
	return &kafka.Client{Addr: kafka.TCP(strings.Split(addr, ",")...), Transport: tr, Timeout: 20 * time.Second}, tr.CloseIdleConnections
}

func until(ctx context.Context, holds func() (bool, error)) error {
	for {
		ok, err := holds()
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited too long: %w (last: %v)", ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
