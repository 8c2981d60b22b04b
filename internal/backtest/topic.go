package backtest

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/eventstream"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/kafka"
)

// Topic is a topic to be replayed, and the format of its records.
type Topic struct{ Name, Format string }

// Topics reads the partitions of topics as the sources of one stream, each from where the range begins. The stream merges them
// by the times of their events.
//
// Where a partition begins is looked up by the timestamps of its records, which are no earlier than their events (but for
// Limits.MaxAhead). It ends where its log ended when the reading began, or once its events are behind the range: all records
// written before Span.To are read, and then as many as still bring events of before, until patience runs out.
type Topics struct {
	Client *kafka.Client
	Topics []Topic
	Span   Span
	Limits provider.Options
	Read   func(bytes int) // is told of every record; nil = nobody is

	lost atomic.Int64
}

// patience is how many records in a row, all of them behind the range, end a partition.
const patience = 1000

// Lost is how many records were deleted while they were about to be read.
func (t *Topics) Lost() int64 { return t.lost.Load() }

// Sources finds the partitions. The error is about the cluster, or a topic that is not there.
func (t *Topics) Sources(ctx context.Context) ([]eventstream.Source, error) {
	names := make([]string, len(t.Topics))
	for i, topic := range t.Topics {
		names[i] = topic.Name
	}
	found, err := t.Client.Topics(ctx, names...)
	if err != nil {
		return nil, err
	}
	partitions := 0
	for _, topic := range found {
		partitions += len(topic.Partitions)
	}
	const most = 16 << 20 // what fetches of all partitions may hold
	fetch := min(1<<20, max(64<<10, most/max(1, partitions)))
	var sources []eventstream.Source
	for _, wanted := range t.Topics {
		there := false
		for _, topic := range found {
			if topic.Name != wanted.Name {
				continue
			}
			there = true
			for _, p := range topic.Partitions {
				sources = append(sources, t.source(wanted, p.ID, fetch))
			}
		}
		if !there {
			return nil, fmt.Errorf("topic %s does not exist there", wanted.Name)
		}
	}
	return sources, nil
}

func (t *Topics) source(topic Topic, partition, fetchBytes int) eventstream.Source {
	return eventstream.Source{
		Name: fmt.Sprintf("%s/%d", topic.Name, partition),
		Decoded: func(ctx context.Context) (eventstream.Outcomes, error) {
			return t.open(ctx, topic, partition, fetchBytes)
		},
	}
}

// open finds out which part of the partition's log is to be read.
func (t *Topics) open(ctx context.Context, topic Topic, partition, fetchBytes int) (eventstream.Outcomes, error) {
	decoder, err := provider.NewDecoder(topic.Format, t.Limits)
	if err != nil {
		return nil, err
	}
	log := t.Client.Log(topic.Name, partition, kafka.LogOptions{})
	defer log.Close()
	first, end, err := log.Offsets(ctx)
	if err != nil {
		return nil, err
	}
	p := &replay{topics: t, ctx: ctx, decoder: decoder, settled: end}
	if start := t.Span.Start(); !start.IsZero() {
		at, err := log.OffsetAt(ctx, start.Add(-t.Limits.MaxAhead))
		if err != nil {
			return nil, err
		}
		first = min(max(first, at), end)
	}
	if !t.Span.To.IsZero() {
		if p.settled, err = log.OffsetAt(ctx, t.Span.To); err != nil {
			return nil, err
		}
	}
	p.records = t.Client.Range(topic.Name, partition, first, end, fetchBytes)
	return p, nil
}

// replay reads a part of one partition.
type replay struct {
	topics  *Topics
	ctx     context.Context // of the stream that it is a part of
	records *kafka.Range
	decoder *provider.Decoder
	number  int64
	settled int64 // from this offset on the range may be over
	past    int   // records in a row that are behind the range
	buffer  []event.Event
}

// Next implements eventstream.Outcomes.
func (p *replay) Next(now time.Time) (event.Result, error) {
	for {
		offset, value, err := p.records.Next(p.ctx)
		if err != nil {
			return event.Result{}, err
		}
		p.number = offset
		if p.topics.Read != nil {
			p.topics.Read(len(value))
		}
		r := p.decoder.Decode(value, now)
		if p.isOver(offset, &r) {
			return event.Result{}, io.EOF
		}
		if r.Events, p.buffer = p.topics.Span.cut(r.Events, p.buffer); len(r.Events) > 0 || r.Ignored > 0 || r.Rejected != nil {
			return r, nil
		}
	}
}

// isOver tells whether nothing of the range is to be expected any more.
func (p *replay) isOver(offset int64, r *event.Result) bool {
	to := p.topics.Span.To
	if to.IsZero() || len(r.Events) == 0 {
		return false
	}
	for i := range r.Events {
		if r.Events[i].Time.Before(to) {
			p.past = 0
			return false
		}
	}
	p.past++
	return offset >= p.settled && p.past >= patience
}

// Number implements eventstream.Outcomes: the record's offset.
func (p *replay) Number() int64 { return p.number }

// Close implements eventstream.Outcomes.
func (p *replay) Close() {
	p.topics.lost.Add(p.records.Lost())
	p.records.Close()
}

var _ eventstream.Outcomes = (*replay)(nil)
