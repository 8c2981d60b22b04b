package consumer

import (
	"context"
	"strconv"

	"go.uber.org/zap"

	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
	"sendwatch/internal/windows"
)

// letter is a record that could not be understood, as it was.
type letter struct {
	partition windows.Partition
	offset    int64
	reason    event.Reason
	value     []byte
}

// letterBatch is how many bytes of values go in one produce: far below what any topic takes, but for a single large record.
const letterBatch = 256 << 10

// keep adds a dead letter to the batch. The value is copied: the buffer that it is in goes on to the next record.
func (b *batch) keep(p windows.Partition, offset int64, reason event.Reason, value []byte) {
	b.letters = append(b.letters, letter{p, offset, reason, append([]byte(nil), value...)})
	b.letterBytes += len(value) + 128
}

// record gives the letter the headers that tell where it comes from.
func (l *letter) record() kafka.Record {
	return kafka.Record{Value: l.value, Headers: []kafka.Header{
		{Key: "sendwatch-reason", Value: []byte(l.reason)},
		{Key: "sendwatch-topic", Value: []byte(l.partition.Topic)},
		{Key: "sendwatch-partition", Value: strconv.AppendInt(nil, int64(l.partition.ID), 10)},
		{Key: "sendwatch-offset", Value: strconv.AppendInt(nil, l.offset, 10)},
	}}
}

// writeLetters writes the batch's dead letters and waits until all replicas have them. It tries until it is done; a letter may
// be written twice, never lost. The error is the context's.
func (a *Applier) writeLetters(ctx context.Context, b *batch) error {
	pause := newPause()
	for from := 0; from < len(b.letters); {
		to, size := from, 0
		var records []kafka.Record
		for to < len(b.letters) && (to == from || size+len(b.letters[to].value) <= letterBatch) {
			size += len(b.letters[to].value)
			records = append(records, b.letters[to].record())
			to++
		}
		err := a.writeLetter(ctx, records)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			a.lettersTrouble.report(err)
			if !pause.wait(ctx) {
				return context.Cause(ctx)
			}
			continue
		}
		a.lettersTrouble.clear()
		pause.reset()
		from = to
	}
	return nil
}

func (a *Applier) writeLetter(ctx context.Context, records []kafka.Record) error {
	_, err := a.producer.Produce(ctx, a.options.DeadLetterTopic, records...)
	if kafka.CategoryOf(err) != kafka.TooLarge {
		return err
	}
	if len(records) > 1 {
		for i := range records {
			if err := a.writeLetter(ctx, records[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	// Larger than the dead-letter topic takes, whatever we do. A letter without the value still says where to find it, and one
	// record must not stop a partition.
	a.log.Error("a rejected record is larger than the dead-letter topic takes: its letter has no value",
		zap.Int("bytes", len(records[0].Value)), zap.ByteString("topic", records[0].Headers[1].Value),
		zap.ByteString("partition", records[0].Headers[2].Value), zap.ByteString("offset", records[0].Headers[3].Value), zap.Error(err))
	stub := kafka.Record{Headers: append(records[0].Headers, kafka.Header{Key: "sendwatch-omitted-bytes",
		Value: strconv.AppendInt(nil, int64(len(records[0].Value)), 10)})}
	_, err = a.producer.Produce(ctx, a.options.DeadLetterTopic, stub)
	return err
}
