package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"

	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
)

// maker makes events of the usual mix, in order of time.
type maker struct {
	random *rand.Rand
	at     time.Time
	step   time.Duration
	n      int
}

func newMaker(seed uint64, start time.Time, step time.Duration) *maker {
	return &maker{random: rand.New(rand.NewPCG(seed, 1)), at: start, step: step}
}

func (m *maker) next() event.Event {
	m.n++
	m.at = m.at.Add(m.step)
	r := m.random
	person := r.IntN(1_000_000)
	tenant := person % 50
	e := event.Event{
		Time: m.at, ID: fmt.Sprintf("0102019c-7a51-4f60-9f4e-%012d", m.n), Recipient: fmt.Sprintf("user%06d@%s", person, domains()[person/50%5]),
		MessageID: fmt.Sprintf("m-%09d", m.n), Tenant: fmt.Sprintf("tenant-%02d", tenant), IP: fmt.Sprintf("198.51.%d.%d", tenant, r.IntN(4)),
		Campaign: fmt.Sprintf("campaign-%02d-%d", tenant, r.IntN(4)), Domain: fmt.Sprintf("news.tenant-%02d.example", tenant),
	}
	switch x := r.Float64(); {
	case x < 0.70:
		e.Type = event.Delivery
	case x < 0.88:
		e.Type = event.Open
	case x < 0.95:
		e.Type = event.Click
	case x < 0.96:
		e.Type, e.BounceClass, e.BounceCode = event.Bounce, event.Hard, "5.1.1"
	case x < 0.965:
		e.Type = event.Unsubscribe
	case x < 0.9655:
		e.Type = event.Complaint
	default:
		e.Type = event.Send
	}
	return e
}

func domains() [5]string {
	return [5]string{"gmail.com", "outlook.com", "yahoo.com", "icloud.com", "example.org"}
}

// lz4Blocks compresses with blocks of 64 KB, as Kafka's own producer and librdkafka do. The readers' memory depends on it: the default
// of producers in Go is 4 MB, of which every partition takes one.
type lz4Blocks struct{}

// Compress implements kgo.Compressor.
func (lz4Blocks) Compress(dst *bytes.Buffer, src []byte, _ ...kgo.CompressFlag) ([]byte, kgo.CompressionCodecType) {
	w := lz4.NewWriter(dst)
	err := w.Apply(lz4.BlockSizeOption(lz4.Block64Kb))
	if err == nil {
		_, err = w.Write(src)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil { // a buffer takes everything
		return src, kgo.CodecNone
	}
	return dst.Bytes(), kgo.CodecLz4
}

// fill writes the topic, keyed by recipient, and returns the bytes of the values.
func fill(ctx context.Context, broker string, events int) (int64, error) {
	w, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.DefaultProduceTopic("mail.events"), kgo.WithCompressor(lz4Blocks{}),
		kgo.ProducerBatchMaxBytes(900_000), kgo.ProducerLinger(20*time.Millisecond))
	if err != nil {
		return 0, err
	}
	defer w.Close()
	const days = 3 * 24 * time.Hour
	m := newMaker(1, time.Now().UTC().Truncate(time.Millisecond).Add(-days), days/time.Duration(events))
	var size int64
	var failed atomic.Pointer[error]
	for range events {
		e := m.next()
		value := event.AppendJSON(nil, &e)
		size += int64(len(value))
		w.Produce(ctx, &kgo.Record{Key: []byte(e.Recipient), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := w.Flush(ctx); err != nil {
		return 0, err
	}
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return size, nil
}

// readOnly reads the topic as the consumer does and does nothing with it: events a second.
func readOnly(ctx context.Context, broker string, events int) (float64, error) {
	client, err := kafka.New(kafka.Options{Brokers: []string{broker}})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	start := time.Now()
	var read atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, partitions)
	for p := range partitions {
		wg.Go(func() {
			_, err := client.Read(ctx, "mail.events", p, 0, func(int64, []byte) error { read.Add(1); return nil })
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return 0, err
		}
	}
	if got := read.Load(); got != int64(events) {
		return 0, fmt.Errorf("read %d events of %d", got, events)
	}
	return float64(events) / time.Since(start).Seconds(), nil
}
