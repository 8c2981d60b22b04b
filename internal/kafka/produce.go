package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// Header is a record's header.
type Header struct {
	Key   string
	Value []byte
}

// Record is what Produce writes.
type Record struct {
	Key     []byte // nil: partitions take turns
	Value   []byte
	Headers []Header
	Time    time.Time // now when zero
}

// Position is where a record was written.
type Position struct {
	Partition int
	Offset    int64
}

// Produce writes records and returns where each is once every in-sync replica has them. Records of one key go to one
// partition, by the rule of the Java client (murmur2), in the order given. After an error some may have been written all the
// same: nothing tells which, so send the same records again.
func (c *Client) Produce(ctx context.Context, topic string, records ...Record) ([]Position, error) {
	if len(records) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.options.RequestTimeout)
	defer cancel()
	written, err := c.produce(ctx, topic, records)
	if err != nil {
		// The transport keeps what it knows of the cluster for seconds. Whoever tries again wants it anew, now.
		c.forget(topic)
		return nil, fmt.Errorf("produce to topic %s: %w", topic, err)
	}
	return written, nil
}

func (c *Client) produce(ctx context.Context, topic string, records []Record) ([]Position, error) {
	count, err := c.partitionCount(ctx, topic)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	turn := c.turn % count
	c.turn++
	c.mu.Unlock()
	chosen := make(map[int][]int) // indices by partition
	for i := range records {
		p := turn
		if records[i].Key != nil {
			p = partitionOf(records[i].Key, count)
		}
		chosen[p] = append(chosen[p], i)
	}
	written := make([]Position, len(records))
	for p, indices := range chosen {
		first, err := c.produceTo(ctx, topic, p, records, indices)
		if err != nil {
			return nil, fmt.Errorf("partition %d: %w", p, err)
		}
		for n, i := range indices {
			written[i] = Position{p, first + int64(n)}
		}
	}
	return written, nil
}

func (c *Client) produceTo(ctx context.Context, topic string, partition int, records []Record, indices []int) (first int64, err error) {
	batch := make([]kafka.Record, len(indices))
	for n, i := range indices {
		r := &records[i]
		at := r.Time
		if at.IsZero() {
			at = time.Now()
		}
		batch[n] = kafka.Record{Time: at, Value: kafka.NewBytes(r.Value)}
		if r.Key != nil {
			batch[n].Key = kafka.NewBytes(r.Key)
		}
		for _, h := range r.Headers {
			batch[n].Headers = append(batch[n].Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
	}
	res, err := c.api.Produce(ctx, &kafka.ProduceRequest{Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(batch...)})
	if err != nil {
		return 0, err
	}
	// The answer has two more places for an error; a record may be refused while the request is well.
	all := []error{res.Error}
	for i, e := range res.RecordErrors {
		all = append(all, fmt.Errorf("record %d: %w", i, e))
	}
	return res.BaseOffset, errors.Join(all...)
}

// partitionOf is the Java client's choice of a partition for a key.
func partitionOf(key []byte, count int) int {
	partitions := make([]int, count)
	for i := range partitions {
		partitions[i] = i
	}
	return kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: key}, partitions...)
}

func (c *Client) partitionCount(ctx context.Context, topic string) (int, error) {
	c.mu.Lock()
	n := c.partitions[topic]
	c.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	topics, err := c.Topics(ctx, topic)
	if err != nil {
		return 0, err
	}
	if len(topics) == 0 || len(topics[0].Partitions) == 0 {
		return 0, kafka.UnknownTopicOrPartition
	}
	n = len(topics[0].Partitions)
	c.mu.Lock()
	c.partitions[topic] = n
	c.mu.Unlock()
	return n, nil
}

func (c *Client) forget(topic string) {
	c.mu.Lock()
	delete(c.partitions, topic)
	c.mu.Unlock()
	c.transport.CloseIdleConnections()
}
