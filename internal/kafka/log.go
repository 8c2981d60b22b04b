package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
)

// LogOptions tune how a partition is read.
type LogOptions struct {
	MaxBytes int           // of one fetch, soft: a larger record comes through; 1 MiB when zero
	MaxWait  time.Duration // for something new at the end of the log; 250 ms when zero
}

// Log reads one partition in order, over one connection to its leader. It dials when it must and gives the connection up after
// every error: after one the library's connection is out of step with the broker. It is for one goroutine, and has no
// position of its own: every call says where to read.
type Log struct {
	client    *Client
	topic     string
	partition int
	options   LogOptions
	conn      *kafka.Conn
	topicID   string
	buffer    []byte
}

// Fetched is what one fetch brought.
type Fetched struct {
	Next          int64 // where to read next
	HighWatermark int64 // where the log ended then; -1 when the fetch did not come to know
	Records       int   // how many were visited
}

// bufferKept is the largest buffer that a Log keeps after the record that needed it.
const bufferKept = 1 << 20

// Log returns a reader of one partition. Close gives its connection up.
func (c *Client) Log(topic string, partition int, o LogOptions) *Log {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 20
	}
	if o.MaxWait <= 0 {
		o.MaxWait = 250 * time.Millisecond
	}
	return &Log{client: c, topic: topic, partition: partition, options: o}
}

// TopicID is the id of the topic that the connection was made to, "" before the first or when the cluster gives none.
func (l *Log) TopicID() string { return l.topicID }

// Close gives the connection up; the Log can be used again afterwards.
func (l *Log) Close() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// Expect makes every later connection fail with a TopicChangedError when the topic's id is not this one. "" expects nothing.
func (l *Log) Expect(topicID string) { l.topicID = topicID }

// Offsets returns the log's first offset and the one after its last.
func (l *Log) Offsets(ctx context.Context) (first, next int64, err error) {
	if err := l.dial(ctx); err != nil {
		return 0, 0, err
	}
	defer context.AfterFunc(ctx, func(conn *kafka.Conn) func() { return func() { conn.Close() } }(l.conn))()
	_ = l.conn.SetDeadline(time.Now().Add(l.client.options.RequestTimeout))
	if first, next, err = l.conn.ReadOffsets(); err != nil {
		l.Close()
		return 0, 0, l.failed(ctx, "offsets", err)
	}
	return first, next, nil
}

// Extend gives the fetch under way its whole time again: a visit that had to wait calls it, lest the connection time out.
func (l *Log) Extend() {
	if l.conn != nil {
		_ = l.conn.SetReadDeadline(time.Now().Add(l.client.options.RequestTimeout))
	}
}

// Fetch reads once, from the given offset on, and calls visit for every record in order. A value is nil when the record has
// none or an empty one (the library does not tell them apart), and is valid only during the visit. Nothing to read within
// MaxWait is no error. An error of visit ends the fetch and is returned as it is.
//
// Fetched.Next is right with an error too: what was visited counts as read. A *HoleError, *WentBackError or *TopicChangedError
// says that the offset is not to be had; any other error passes by itself or has to be put right in the cluster.
//
// Markers of transactions are dropped; records of aborted transactions are not told apart. The broker is asked for
// uncommitted records on purpose: the library neither filters by the list of aborted ones nor survives an open transaction.
func (l *Log) Fetch(ctx context.Context, from int64, visit func(offset int64, value []byte) error) (Fetched, error) {
	f := Fetched{Next: from, HighWatermark: -1}
	if err := l.dial(ctx); err != nil {
		return f, err
	}
	conn := l.conn
	// Nothing but closing the connection interrupts a fetch.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(l.options.MaxWait + l.client.options.RequestTimeout))
	if _, err := conn.Seek(from, kafka.SeekAbsolute|kafka.SeekDontCheck); err != nil {
		l.Close()
		return f, l.failed(ctx, "seek", err)
	}
	batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: l.options.MaxBytes, MaxWait: l.options.MaxWait,
		IsolationLevel: kafka.ReadUncommitted})
	visitErr := l.visitAll(batch, from, &f, visit)
	end := batch.Offset()
	hw := batch.HighWaterMark()
	err := batch.Close()
	switch {
	case visitErr != nil:
		if err != nil && !errors.Is(err, kafka.RequestTimedOut) {
			l.Close()
		}
		return f, visitErr
	case err == nil, errors.Is(err, kafka.RequestTimedOut):
		f.HighWatermark = hw
		f.Next = max(f.Next, end) // past what compaction took away
		return f, nil
	case errors.Is(err, io.ErrShortBuffer):
		f.HighWatermark = hw
		l.buffer = make([]byte, max(64<<10, 2*cap(l.buffer)))
		return f, nil
	}
	l.Close()
	if errors.Is(err, kafka.OffsetOutOfRange) {
		return f, l.outOfRange(ctx, f.Next, err)
	}
	return f, l.failed(ctx, "fetch", err)
}

// visitAll reads the batch to its end and notes in f how far it came.
func (l *Log) visitAll(batch *kafka.Batch, from int64, f *Fetched, visit func(offset int64, value []byte) error) error {
	if batch.Err() != nil {
		return nil // Close tells
	}
	if l.buffer == nil {
		l.buffer = make([]byte, 64<<10)
	}
	largest := 0
	for {
		n, err := batch.Read(l.buffer)
		if err != nil {
			if largest < bufferKept && cap(l.buffer) > bufferKept && !errors.Is(err, io.ErrShortBuffer) && f.Records > 0 {
				l.buffer = nil
			}
			return nil // Close tells
		}
		largest = max(largest, n)
		offset := batch.Offset() - 1
		if offset < from {
			continue // the library starts at the beginning of the batch that the wanted record is in
		}
		f.Next = offset + 1
		value := l.buffer[:n]
		if isMarker(value) {
			continue
		}
		if n == 0 {
			value = nil
		}
		if err := visit(offset, value); err != nil {
			f.Next = offset
			return err
		}
		f.Records++
	}
}

// isMarker recognises the record that ends a transaction: a version and a coordinator's epoch, six bytes of which the first
// two are zero and no JSON text or mail can begin with. Its key, which says commit or abort, is not to be had here.
func isMarker(value []byte) bool {
	return len(value) == 6 && value[0] == 0 && value[1] == 0 && value[2] < 0x80
}

// outOfRange finds out what a refused offset means. The log may have moved under the question: then the answer is the error
// itself, which passes.
func (l *Log) outOfRange(ctx context.Context, wanted int64, refused error) error {
	first, next, err := l.Offsets(ctx)
	switch {
	case err != nil:
		return err
	case wanted < first:
		return &HoleError{Topic: l.topic, Partition: l.partition, Wanted: wanted, First: first}
	case wanted > next:
		return &WentBackError{Topic: l.topic, Partition: l.partition, Wanted: wanted, Next: next}
	}
	return l.failed(ctx, "fetch", refused)
}

// dial makes the connection when there is none. It asks for the leader first: the library's own way to a leader waits for an
// unknown topic for ever.
func (l *Log) dial(ctx context.Context) error {
	if l.conn != nil {
		return nil
	}
	address, id, err := l.client.leader(ctx, l.topic, l.partition)
	if err != nil {
		return err
	}
	if l.topicID != "" && id != "" && id != l.topicID {
		return &TopicChangedError{Topic: l.topic, Was: l.topicID, Is: id}
	}
	conn, _, err := l.client.connect(ctx, address, l.topic, l.partition)
	if err != nil {
		return err
	}
	l.conn = conn
	if id != "" {
		l.topicID = id
	}
	return nil
}

func (l *Log) failed(ctx context.Context, what string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause // the error is only how the interruption shows
	}
	return fmt.Errorf("topic %s partition %d: %s: %w", l.topic, l.partition, what, err)
}
