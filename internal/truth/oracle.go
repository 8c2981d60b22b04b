package truth

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
)

// Oracle is what one pass over the input topics, each record once, gives. It reads the logs as they are: a producer that tried
// twice has written twice.
type Oracle struct {
	Store  *memstore.Store
	stream *Stream
	client *kafka.Client
	logs   map[windows.Partition]*mirror
}

// mirror is a copy of one partition's log, by record number: a log that is cut off later has been seen whole.
type mirror struct {
	numbers []int32 // from offset first on; -1 = a record without a number
	values  map[int64][]byte
	first   int64
	lost    []hole
}

type hole struct{ from, to int64 }

// NewOracle returns one that has seen nothing.
func NewOracle(stream *Stream, client *kafka.Client) *Oracle {
	return &Oracle{stream: stream, client: client, logs: map[windows.Partition]*mirror{}}
}

// Read takes what the topic's logs hold beyond what was read before.
func (o *Oracle) Read(ctx context.Context, topic string, partitions int) error {
	for id := range partitions {
		p := windows.Partition{Topic: topic, ID: id}
		m := o.logs[p]
		if m == nil {
			m = &mirror{values: map[int64][]byte{}}
			o.logs[p] = m
		}
		next := m.first + int64(len(m.numbers))
		_, err := o.client.Read(ctx, topic, id, next, func(offset int64, value []byte) error {
			for at := m.first + int64(len(m.numbers)); at < offset; at++ {
				m.numbers = append(m.numbers, -2) // a control record
			}
			n, ok := Number(value)
			if !ok {
				n = -1
				m.values[offset] = slices.Clone(value)
			}
			m.numbers = append(m.numbers, int32(n))
			return nil
		})
		if err != nil {
			return fmt.Errorf("read %s/%d for the oracle: %w", topic, id, err)
		}
	}
	return nil
}

// End is one after the last offset of the partition that was read.
func (o *Oracle) End(p windows.Partition) int64 {
	m := o.logs[p]
	return m.first + int64(len(m.numbers))
}

// Records is how many records were read.
func (o *Oracle) Records() int {
	n := 0
	for _, m := range o.logs {
		for _, x := range m.numbers {
			if x >= -1 {
				n++
			}
		}
	}
	return n
}

// Lose says that the records of the partition from one offset up to another were deleted before the service could read them.
func (o *Oracle) Lose(p windows.Partition, from, to int64) {
	if from < to {
		o.logs[p].lost = append(o.logs[p].lost, hole{from, to})
	}
}

// Lost is how many records were deleted before they could be read.
func (o *Oracle) Lost() int64 {
	var n int64
	for _, m := range o.logs {
		for _, h := range m.lost {
			n += h.to - h.from
		}
	}
	return n
}

// Count counts everything that was read anew, into a fresh store with these options.
func (o *Oracle) Count(options memstore.Options, now time.Time) *memstore.Store {
	o.Store = memstore.New(options)
	partitions := make([]windows.Partition, 0, len(o.logs))
	for p := range o.logs {
		partitions = append(partitions, p)
	}
	slices.SortFunc(partitions, func(a, b windows.Partition) int { return a.ID - b.ID })
	for _, p := range partitions {
		m := o.logs[p]
		for i, n := range m.numbers {
			offset := m.first + int64(i)
			if n == -2 || slices.ContainsFunc(m.lost, func(h hole) bool { return offset >= h.from && offset < h.to }) {
				continue
			}
			result := o.resultOf(n, m.values[offset])
			o.Store.Add(p, offset, &result, now)
		}
	}
	return o.Store
}

// resultOf is what a record has to become; those without a number are named here one by one.
func (o *Oracle) resultOf(n int32, value []byte) event.Result {
	if n >= 0 {
		return o.stream.first(int(n)).Result
	}
	if len(value) == 0 || string(value) == "[]" {
		return event.Result{Ignored: 1}
	}
	return event.Result{Rejected: &event.Rejection{Reason: event.NotJSON}}
}
