package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/config"
	"sendwatch/internal/kafka"
	"sendwatch/internal/windows/redisstore"
)

// Check is one finding of Examine.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// Examine reaches Kafka and Redis and checks what the service needs of them. It writes nothing.
func Examine(ctx context.Context, c *config.Config) []Check {
	return append(examineKafka(ctx, c), examineRedis(ctx, c)...)
}

func examineKafka(ctx context.Context, c *config.Config) []Check {
	var checks []Check
	add := func(name string, err error, good string) {
		if err != nil {
			good = err.Error()
		}
		checks = append(checks, Check{name, err == nil, good})
	}
	o, err := KafkaOptions(c)
	if err != nil {
		add("kafka settings", err, "")
		return checks
	}
	client, err := kafka.New(o)
	if err != nil {
		add("kafka settings", err, "")
		return checks
	}
	defer client.Close()
	k := c.Kafka
	names := make([]string, 0, len(k.Topics)+2)
	for _, t := range k.Topics {
		names = append(names, t.Name)
	}
	found, err := client.Topics(ctx, append(names, k.AlertsTopic, k.DeadLetterTopic)...)
	add("kafka reached", err, strings.Join(k.Brokers, ", "))
	if err != nil {
		return checks
	}
	by := map[string]kafka.Topic{}
	for _, t := range found {
		by[t.Name] = t
	}
	for _, name := range names {
		t, ok := by[name]
		if !ok {
			add("topic "+name, fmt.Errorf("does not exist: create it, with as many partitions as processes should share it"), "")
			continue
		}
		leaderless := 0
		for _, p := range t.Partitions {
			if p.Leader == "" {
				leaderless++
			}
		}
		if leaderless > 0 {
			add("topic "+name, fmt.Errorf("%d of %d partitions have no leader", leaderless, len(t.Partitions)), "")
			continue
		}
		add("topic "+name, nil, fmt.Sprintf("%d partitions", len(t.Partitions)))
	}
	for _, name := range []string{k.AlertsTopic, k.DeadLetterTopic} {
		t, ok := by[name]
		switch {
		case ok:
			add("topic "+name, nil, fmt.Sprintf("%d partitions", len(t.Partitions)))
		case k.CreateTopics:
			add("topic "+name, nil, "absent, will be created")
		default:
			add("topic "+name, fmt.Errorf("does not exist and kafka.create_topics is false: create it"), "")
		}
	}
	return checks
}

func examineRedis(ctx context.Context, c *config.Config) []Check {
	connection, err := RedisConnection(c)
	if err != nil {
		return []Check{{"redis settings", false, err.Error()}}
	}
	client, err := redisstore.Connect(connection)
	if err != nil {
		return []Check{{"redis settings", false, err.Error()}}
	}
	defer client.Close()
	start := time.Now()
	if err := client.Ping(ctx).Err(); err != nil {
		return []Check{{"redis reached", false, err.Error()}}
	}
	checks := []Check{{"redis reached", true, fmt.Sprintf("%s, round trip %s", strings.Join(c.Redis.Addresses, ", "), time.Since(start).Round(10*time.Microsecond))}}
	if err := redisstore.CheckServer(ctx, client); err != nil {
		return append(checks, Check{"redis server", false, err.Error()})
	}
	return append(checks, Check{"redis server", true, "version and eviction policy fit"})
}

// StartAnew removes a topic's positions from the state.
func StartAnew(ctx context.Context, c *config.Config, topic string) error {
	return withStore(ctx, c, func(s *redisstore.Store) error { return s.StartAnew(ctx, topic) })
}

// Forget erases the records of a tenant's recipients and returns how many there were. The addresses are trimmed and
// lower-cased.
func Forget(ctx context.Context, c *config.Config, tenant string, addresses []string) (int64, error) {
	var gone int64
	err := withStore(ctx, c, func(s *redisstore.Store) error {
		for part := range slices.Chunk(addresses, 1000) {
			n, err := s.Forget(ctx, tenant, part)
			gone += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return gone, err
}

func withStore(ctx context.Context, c *config.Config, do func(*redisstore.Store) error) error {
	connection, err := RedisConnection(c)
	if err != nil {
		return err
	}
	client, err := redisstore.Connect(connection)
	if err != nil {
		return err
	}
	defer client.Close()
	options, err := StoreOptions(c)
	if err != nil {
		return err
	}
	store, err := redisstore.Open(ctx, client, options)
	if err != nil {
		return err
	}
	return do(store)
}
