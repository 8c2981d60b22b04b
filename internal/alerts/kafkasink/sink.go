// Package kafkasink writes alert records to the alert topic and reads them back: the topic is the log of all episodes, and the
// state in Redis a snapshot of it. It decides nothing about alerts.
package kafkasink

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"sync/atomic"

	"sendwatch/internal/alerts"
	"sendwatch/internal/kafka"
)

// Producer writes records and returns once every in-sync replica has them; those of one key stay in order. After an error some
// may have been written all the same.
type Producer interface {
	Produce(ctx context.Context, topic string, records ...kafka.Record) ([]kafka.Position, error)
}

// Reader reads a topic's log.
type Reader interface {
	Topics(ctx context.Context, names ...string) ([]kafka.Topic, error)
	Offsets(ctx context.Context, topic string, partition int) (first, next int64, err error)
	// Read visits the records from an offset up to where the log ends now, and returns the offset after them. The values are
	// valid for one visit.
	Read(ctx context.Context, topic string, partition int, from int64, visit func(offset int64, value []byte) error) (int64, error)
}

var (
	_ Producer = (*kafka.Client)(nil)
	_ Reader   = (*kafka.Client)(nil)
)

// Sink is the alert topic. It is safe for concurrent use.
type Sink struct {
	producer Producer
	reader   Reader
	topic    string
	source   string
	foreign  atomic.Int64
}

// New returns the sink for a topic. source is what ce_source says; "/sendwatch" when empty.
func New(producer Producer, reader Reader, topic, source string) *Sink {
	if source == "" {
		source = "/sendwatch"
	}
	return &Sink{producer: producer, reader: reader, topic: topic, source: source}
}

// batchBytes is how much goes into one request, well below the broker's default for a batch (1 MiB).
const batchBytes = 256 << 10

// Publish writes the entries in order and returns once all are acknowledged. After an error some may have been written: publish
// all of them again.
func (s *Sink) Publish(ctx context.Context, entries []alerts.Entry) error {
	var batch []kafka.Record
	size := 0
	flush := func() error {
		_, err := s.producer.Produce(ctx, s.topic, batch...)
		batch, size = batch[:0], 0
		return err
	}
	for i := range entries {
		r := s.record(&entries[i])
		if size+len(r.Value) > batchBytes && len(batch) > 0 {
			if err := flush(); err != nil {
				return fmt.Errorf("publish alerts: %w", err)
			}
		}
		batch = append(batch, r)
		size += len(r.Value)
	}
	if len(batch) == 0 {
		return nil
	}
	if err := flush(); err != nil {
		return fmt.Errorf("publish alerts: %w", err)
	}
	return nil
}

// record is the entry as Kafka takes it. Its time is left to the moment of writing: brokers refuse times that are far ahead of
// theirs, and the record says itself when it was evaluated.
func (s *Sink) record(e *alerts.Entry) kafka.Record {
	m := e.Record.Message(e.Encoded, s.source)
	r := kafka.Record{Key: m.Key, Value: m.Value, Headers: make([]kafka.Header, len(m.Headers))}
	for i, h := range m.Headers {
		r.Headers[i] = kafka.Header{Key: h.Key, Value: h.Value}
	}
	return r
}

// batchRecords is how many records After hands over at once.
const batchRecords = 500

// After reads what the topic has from a position on, up to its end now, and hands it over in batches, each with the position
// behind it. Within a partition the order is that of the topic. What is no alert record is passed over (Foreign counts it).
// A topic that was made anew is read from its beginning, as is a partition whose log ends before the position.
func (s *Sink) After(ctx context.Context, from alerts.TopicPosition, visit func([]alerts.Entry, alerts.TopicPosition) error) error {
	topics, err := s.reader.Topics(ctx, s.topic)
	if err != nil {
		return fmt.Errorf("read alert topic: %w", err)
	}
	if len(topics) == 0 {
		return fmt.Errorf("read alert topic: %s does not exist: create it, or set kafka.create_topics", s.topic)
	}
	at := alerts.TopicPosition{TopicID: topics[0].ID, Next: map[int]int64{}}
	if from.TopicID == "" || at.TopicID == "" || from.TopicID == at.TopicID {
		maps.Copy(at.Next, from.Next)
	}
	for _, p := range topics[0].Partitions {
		if err := s.partition(ctx, p.ID, at, visit); err != nil {
			return fmt.Errorf("read alert topic %s, partition %d: %w", s.topic, p.ID, err)
		}
	}
	return nil
}

// partition reads one partition, moving its place in the position.
func (s *Sink) partition(ctx context.Context, id int, at alerts.TopicPosition, visit func([]alerts.Entry, alerts.TopicPosition) error) error {
	first, end, err := s.reader.Offsets(ctx, s.topic, id)
	if err != nil {
		return err
	}
	from, known := at.Next[id]
	if from > end {
		from, known = first, false
	}
	if from >= end && known {
		return nil
	}
	var batch []alerts.Entry
	next, err := s.reader.Read(ctx, s.topic, id, from, func(offset int64, value []byte) error {
		at.Next[id] = offset + 1
		e := alerts.Entry{Encoded: bytes.Clone(value)}
		if e.Record, err = alerts.Decode(e.Encoded); err != nil {
			s.foreign.Add(1)
			return nil
		}
		batch = append(batch, e)
		if len(batch) < batchRecords {
			return nil
		}
		full := batch
		batch = nil
		return visit(full, copyOf(at))
	})
	if err != nil {
		return err
	}
	at.Next[id] = next
	return visit(batch, copyOf(at))
}

func copyOf(p alerts.TopicPosition) alerts.TopicPosition {
	return alerts.TopicPosition{TopicID: p.TopicID, Next: maps.Clone(p.Next)}
}

// Foreign is how many records of the topic were no alert records.
func (s *Sink) Foreign() int64 { return s.foreign.Load() }
