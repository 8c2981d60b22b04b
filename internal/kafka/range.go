package kafka

import (
	"context"
	"errors"
	"io"
	"time"
)

// OffsetAt returns the offset of the first record whose timestamp is t or later; where the log ends when there is none. Who
// writes the timestamp, the producer or the broker, is a matter of the topic.
func (l *Log) OffsetAt(ctx context.Context, t time.Time) (int64, error) {
	_, next, err := l.Offsets(ctx)
	if err != nil {
		return 0, err
	}
	defer context.AfterFunc(ctx, func() { l.conn.Close() })()
	_ = l.conn.SetDeadline(time.Now().Add(l.client.options.RequestTimeout))
	at, err := l.conn.ReadOffset(t)
	if err != nil {
		l.Close()
		return 0, l.failed(ctx, "offset at "+t.UTC().Format(time.RFC3339), err)
	}
	if at < 0 { // the broker's word for none
		return next, nil
	}
	return at, nil
}

// Range reads a part of a partition's log, record by record. It belongs to no group, commits nothing and leaves the log as it
// is. It is for one goroutine.
type Range struct {
	log       *Log
	next, end int64
	fetched   []fetchedRecord // those that were not handed out yet
	values    []byte
	taken     int
	lost      int64
}

type fetchedRecord struct {
	offset   int64
	from, to int // of its value in values
}

const (
	rangePause    = 250 * time.Millisecond // between two tries
	rangePatience = 30 * time.Second       // without any progress
)

// Range returns a reader of the records with offsets from first up to, but not including, end. fetchBytes is how many bytes it
// asks for at once, 1 MiB when zero.
func (c *Client) Range(topic string, partition int, first, end int64, fetchBytes int) *Range {
	return &Range{log: c.Log(topic, partition, LogOptions{MaxBytes: fetchBytes}), next: first, end: end}
}

// Close gives the connection up.
func (r *Range) Close() { r.log.Close() }

// Lost is how many records were deleted before they could be read.
func (r *Range) Lost() int64 { return r.lost }

// Next returns the next record, io.EOF at the end. The value is nil when the record has none, and valid until the next call.
// Errors that pass by themselves are waited out for half a minute.
func (r *Range) Next(ctx context.Context) (offset int64, value []byte, err error) {
	for r.taken == len(r.fetched) {
		if r.next >= r.end {
			return 0, nil, io.EOF
		}
		if err := r.fetch(ctx); err != nil {
			return 0, nil, err
		}
	}
	f := r.fetched[r.taken]
	r.taken++
	if f.from == f.to {
		return f.offset, nil, nil
	}
	return f.offset, r.values[f.from:f.to:f.to], nil
}

// fetch gets the next records, at least one unless what is left has none.
func (r *Range) fetch(ctx context.Context) error {
	r.fetched, r.values, r.taken = r.fetched[:0], r.values[:0], 0
	for began := time.Now(); ; {
		f, err := r.log.Fetch(ctx, r.next, func(offset int64, value []byte) error {
			if offset >= r.end {
				return errEnd
			}
			from := len(r.values)
			r.values = append(r.values, value...)
			r.fetched = append(r.fetched, fetchedRecord{offset, from, len(r.values)})
			return nil
		})
		moved := f.Next > r.next
		r.next = f.Next
		var hole *HoleError
		switch {
		case errors.Is(err, errEnd):
			r.next = r.end
			return nil
		case errors.As(err, &hole):
			r.lost += min(hole.First, r.end) - hole.Wanted
			r.next = hole.First
			return nil
		case moved || err == nil: // what failed will fail again if it lasts
			return nil
		case !CategoryOf(err).Passes() || time.Since(began) > rangePatience:
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(rangePause):
		}
	}
}
