package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/segmentio/kafka-go"
)

// NewTopic asks for a topic with the broker's defaults, but for what Config says.
type NewTopic struct {
	Name   string
	Config map[string]string // topic configuration, as Kafka names it
}

// DeadLetterTopic is a topic for records that could not be understood: it takes values of twice eventBytes, the largest that
// the input may have, and what surrounds them.
func DeadLetterTopic(name string, eventBytes int) NewTopic {
	const around = 64 << 10 // headers, key and the batch's own
	return NewTopic{Name: name, Config: map[string]string{"max.message.bytes": fmt.Sprint(2*eventBytes + around)}}
}

// CreateTopics makes those of the topics that do not exist. It changes none that does.
func (c *Client) CreateTopics(ctx context.Context, topics ...NewTopic) error {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	// Asking first needs fewer rights than creating: an operator may have made the topics and given us none.
	there, err := c.Topics(ctx, names...)
	if err != nil {
		return err
	}
	var specs []kafka.TopicConfig
	for _, t := range topics {
		if slices.ContainsFunc(there, func(have Topic) bool { return have.Name == t.Name }) {
			continue
		}
		spec := kafka.TopicConfig{Topic: t.Name, NumPartitions: -1, ReplicationFactor: -1}
		for _, k := range slices.Sorted(maps.Keys(t.Config)) {
			spec.ConfigEntries = append(spec.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: t.Config[k]})
		}
		specs = append(specs, spec)
	}
	if len(specs) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.RequestTimeout)
	defer cancel()
	r, err := c.api.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: specs})
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	var all []error
	for _, spec := range specs {
		if err := r.Errors[spec.Topic]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			all = append(all, fmt.Errorf("create topic %s: %w", spec.Topic, err))
		}
	}
	return errors.Join(all...)
}
