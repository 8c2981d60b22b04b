package ingest

import (
	"sync"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/mapping"
	"sendwatch/internal/kafka"
)

// cut is a payload as records, and what they will be read as.
type cut struct {
	records  []kafka.Record
	events   int
	ignored  int
	rejected *event.Rejection // the first mistake; nil when there is none
}

// cutter cuts the payloads of one format into records, each keyed by the recipient of its first event.
//
// A batch is cut into its elements, in their order, when those give the same events as the whole. That is tried, not
// assumed: whoever reads the topic sees what the provider sent, at the partition of its recipient. An element that tells of
// several recipients stays whole, under the first one's key: written anew for each it would no longer be what was sent.
// Elements without a mail event are left out, since nothing is counted of them and they can be whole mails. Bad elements are
// records of their own, so that the dead-letter topic gets them alone; a rejected batch counts once, its bad elements one by one.
type cutter struct {
	format string
	pool   sync.Pool // of *workbench
}

// workbench is the memory of cutting one payload.
type workbench struct {
	whole, piece *provider.Decoder
	tree         jsonvalue.Tree
	batch        jsonvalue.Batch
}

// newCutter returns a cutter for a format, which may be one of own.
func newCutter(format string, own ...*mapping.Format) (*cutter, error) {
	if _, err := provider.NewDecoder(format, provider.Options{Own: own}); err != nil {
		return nil, err
	}
	c := &cutter{format: format}
	c.pool.New = func() any {
		// Without limits: those are the reader's, at its own time.
		whole, _ := provider.NewDecoder(format, provider.Options{Own: own})
		piece, _ := provider.NewDecoder(format, provider.Options{Own: own})
		return &workbench{whole: whole, piece: piece}
	}
	return c, nil
}

func (c *cutter) cut(payload []byte, now time.Time) cut {
	b, ok := c.pool.Get().(*workbench)
	if !ok {
		panic("ingest: a pool of something else")
	}
	defer c.pool.Put(b)
	whole := b.whole.Decode(payload, now)
	out := cut{events: len(whole.Events), ignored: whole.Ignored}
	if whole.Rejected != nil {
		rejected := *whole.Rejected
		out.rejected = &rejected
	}
	if len(whole.Events) == 0 && whole.Rejected == nil {
		return out
	}
	if out.records, ok = b.cutUp(payload, whole, now); !ok {
		out.records = []kafka.Record{{Key: keyOf(whole.Events), Value: payload}}
	}
	return out
}

// cutUp returns the elements of a batch as records. It is false when the payload is none, or when its elements would be read as
// something else than the whole.
func (b *workbench) cutUp(payload []byte, whole event.Result, now time.Time) ([]kafka.Record, bool) {
	pieces := b.pieces(payload)
	if len(pieces) < 2 {
		return nil, false
	}
	var records []kafka.Record
	left := whole.Events
	rejected := false
	for _, piece := range pieces {
		r := b.piece.Decode(piece, now)
		if len(r.Events) > len(left) {
			return nil, false
		}
		for i := range r.Events {
			if r.Events[i] != left[i] {
				return nil, false
			}
		}
		left = left[len(r.Events):]
		rejected = rejected || r.Rejected != nil
		if len(r.Events) > 0 || r.Rejected != nil {
			records = append(records, kafka.Record{Key: keyOf(r.Events), Value: piece})
		}
	}
	return records, len(left) == 0 && rejected == (whole.Rejected != nil)
}

// pieces are the elements of a batch, each in the envelope that the batch has. Nil when the payload is no batch.
func (b *workbench) pieces(payload []byte) [][]byte {
	first := jsonvalue.SkipSpace(payload)
	if len(first) == 0 {
		return nil
	}
	if first[0] == '[' {
		elements, err := b.batch.Split(payload)
		if err != nil {
			return nil
		}
		return elements
	}
	b.tree.Reset()
	v, err := b.tree.Parse(payload)
	if err != nil {
		return nil
	}
	for _, key := range []string{"mandrill_events", "events", "items", "results", "Records"} {
		list := v.Get(key)
		if !list.IsArray() {
			continue
		}
		var pieces [][]byte
		for element := range list.Elements() {
			raw := element.Raw()
			if raw == nil {
				return nil // neither an object nor an array: the whole says what is wrong with it
			}
			piece := append(append(append([]byte(`{"`), key...), `":[`...), raw...)
			pieces = append(pieces, append(piece, `]}`...))
		}
		return pieces
	}
	return nil
}

// keyOf is the key of a record: the recipient of the first event that has one, as other producers write it. Without one the
// partitions take turns.
func keyOf(events []event.Event) []byte {
	for i := range events {
		if events[i].Recipient != "" {
			return []byte(events[i].Recipient)
		}
	}
	return nil
}
