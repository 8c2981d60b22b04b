package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// record is one record of a topic with all that surrounds it.
type record struct {
	partition int
	offset    int64
	key       string
	value     []byte
	headers   map[string]string
}

// readTopic reads every partition from its beginning to where it ends now.
func readTopic(ctx context.Context, brokers, topic string, partitions int) ([]record, error) {
	var all []record
	for id := range partitions {
		conn, err := kafka.DialLeader(ctx, "tcp", strings.Split(brokers, ",")[0], topic, id)
		if err != nil {
			return nil, err
		}
		part, err := readAll(conn, id)
		conn.Close()
		if err != nil {
			return nil, fmt.Errorf("%s/%d: %w", topic, id, err)
		}
		all = append(all, part...)
	}
	return all, nil
}

func readAll(conn *kafka.Conn, id int) ([]record, error) {
	first, end, err := conn.ReadOffsets()
	if err != nil {
		return nil, err
	}
	var all []record
	for next := first; next < end; {
		if _, err := conn.Seek(next, kafka.SeekAbsolute); err != nil {
			return nil, err
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: 8 << 20, MaxWait: time.Second})
		for {
			m, err := batch.ReadMessage()
			if err != nil {
				break
			}
			if m.Offset < next {
				continue
			}
			next = m.Offset + 1
			r := record{partition: id, offset: m.Offset, key: string(m.Key), value: m.Value, headers: map[string]string{}}
			for _, h := range m.Headers {
				r.headers[h.Key] = string(h.Value)
			}
			all = append(all, r)
		}
		if err := batch.Close(); err != nil && !errors.Is(err, kafka.RequestTimedOut) {
			return nil, err
		}
	}
	return all, nil
}

// committed is the sum of the offsets that the group has committed.
func (w *world) committed(partitions int) (int64, error) {
	client := &kafka.Client{Addr: kafka.TCP(w.brokers), Transport: &kafka.Transport{}, Timeout: 10 * time.Second}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	ids := make([]int, partitions)
	for i := range ids {
		ids[i] = i
	}
	res, err := client.OffsetFetch(context.Background(), &kafka.OffsetFetchRequest{GroupID: w.name, Topics: map[string][]int{w.topic(): ids}})
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, p := range res.Topics[w.topic()] {
		sum += p.CommittedOffset
	}
	return sum, res.Error
}
