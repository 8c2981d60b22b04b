// Package provider turns the records of a topic, and those cut from files, into events: it recognises what a record is
// and hands it to the format that it belongs to. Formats live in one small package each; the list is in formats.go.
package provider

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/mapping"
	"sendwatch/internal/event/provider/payload"
)

// Auto is the name that stands for every format.
const Auto = "auto"

// Options are the limits of a Decoder. The zero value has none.
type Options struct {
	// MaxAhead is how far a time may be ahead of the clock; 0 = as far as it likes.
	MaxAhead time.Duration
	// MaxBytes is how large a record may be; 0 = as large as it likes.
	MaxBytes int
	// Own are the formats that a configuration describes, besides the built-in ones.
	Own []*mapping.Format
}

// Decoder turns records into events. It keeps its memory from one record to the next: records of the native form allocate
// nothing once it has grown. It is for one goroutine at a time.
type Decoder struct {
	format  string
	options Options
	own     ownFormats
	native  *event.Native
	tree    jsonvalue.Tree
	batch   jsonvalue.Batch
	out     payload.Out
}

// NewDecoder returns a decoder for one of Names, or of the own formats: for auto it recognises every format, otherwise it
// takes that format alone, in any of its envelopes, and rejects the rest.
func NewDecoder(format string, o Options) (*Decoder, error) {
	if names := NamesWith(o.Own); !slices.Contains(names, format) {
		if slices.Contains(FileNames(), format) {
			return nil, fmt.Errorf("format %q is for files only: a record of a topic has to be one of %s", format, strings.Join(names, ", "))
		}
		return nil, fmt.Errorf("format %q is not known, expected one of %s", format, strings.Join(names, ", "))
	}
	return &Decoder{format: format, options: o, own: newOwnFormats(format, o.Own), native: event.NewNative()}, nil
}

// Decode turns the value of one record into events, at the time now. The result, and the texts in it, are valid until the
// next Decode, and as long as value is not written to.
func (d *Decoder) Decode(value []byte, now time.Time) event.Result {
	d.native.Reset()
	d.tree.Reset()
	d.out.Reset(now, d.options.MaxAhead)
	if d.options.MaxBytes > 0 && len(value) > d.options.MaxBytes {
		d.out.Reject(event.TooLarge, "value: %d bytes, at most %d are allowed", len(value), d.options.MaxBytes)
		return d.out.Result()
	}
	value = bytes.TrimPrefix(value, []byte("\xef\xbb\xbf"))
	if len(value) == 0 {
		d.out.Ignore() // a tombstone
		return d.out.Result()
	}
	switch first := firstOf(value); {
	case first == '{':
		d.object(value)
	case first == '[':
		d.array(value)
	default:
		d.other(value)
	}
	return d.out.Result()
}

// firstOf is the first byte of a JSON text, 0 when there is nothing but white space.
func firstOf(text []byte) byte {
	if text = jsonvalue.SkipSpace(text); text != nil {
		return text[0]
	}
	return 0
}

// other takes what is neither object nor array: a mail, or nothing that could become an event.
func (d *Decoder) other(value []byte) {
	if isMail(value) {
		d.mail(value)
		return
	}
	if _, err := d.tree.Parse(value); err != nil {
		d.out.Reject(event.NotJSON, "value: neither JSON nor a mail: %s", err)
		return
	}
	d.out.Reject(event.UnknownShape, "value: a JSON value that is neither an object nor an array")
}

// object takes an object that stands for itself, or an element of a batch.
func (d *Decoder) object(text []byte) {
	if d.takes(formatNative) && !d.own.first {
		if ok, rejection := d.native.TryRead(text, d.own.foreign, d.out.Draft()); ok {
			d.commit(rejection)
			return
		}
	}
	d.tree.Next()
	v, err := d.tree.Parse(text)
	if err != nil {
		d.out.Reject(event.NotJSON, "value: not JSON: %s", err)
		return
	}
	d.recognised(v)
}

// array takes a batch. All of it must be JSON before any of it counts.
func (d *Decoder) array(text []byte) {
	elements, err := d.batch.Split(text)
	if err != nil {
		d.out.Reject(event.NotJSON, "value: not JSON: %s", err)
		return
	}
	if len(elements) == 0 {
		d.out.Ignore()
	}
	for i, element := range elements {
		switch firstOf(element) {
		case '{':
			d.object(element)
		case '[':
			d.out.Reject(event.UnknownShape, "element %d: an array in an array, expected an object", i)
		default:
			d.out.Reject(event.UnknownShape, "element %d: expected an object", i)
		}
	}
}

// commit adds the drafted event, unless there is something against it.
func (d *Decoder) commit(rejection *event.Rejection) {
	if rejection != nil {
		d.out.Refuse(rejection)
		return
	}
	d.out.Commit()
}

func (d *Decoder) takes(format string) bool { return d.format == Auto || d.format == format }
