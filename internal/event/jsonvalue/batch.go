package jsonvalue

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// Batch cuts a JSON array into its elements without looking into them. It keeps its memory from one Split to the next and
// is for one goroutine at a time.
type Batch struct {
	decoder  jsontext.Decoder
	reader   bytes.Buffer
	elements [][]byte
}

// Split returns the elements of an array as they are written, parts of text. All of text has been read then and is known
// to be JSON, nested no deeper than MaxDepth, with nothing but white space after it. They are valid until the next Split.
func (b *Batch) Split(text []byte) ([][]byte, error) {
	const keep = 1 << 14
	if cap(b.elements) > keep {
		b.elements = nil
	}
	clear(b.elements)
	b.elements = b.elements[:0]
	b.reader = *bytes.NewBuffer(text)
	d := &b.decoder
	d.Reset(&b.reader, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if _, err := d.ReadToken(); err != nil {
		return nil, syntaxError(err, len(text))
	}
	for d.PeekKind() != ']' {
		element, err := d.ReadValue()
		if err != nil {
			return nil, syntaxError(err, len(text))
		}
		if isTooDeep(element, MaxDepth-1) {
			return nil, fmt.Errorf("nested deeper than %d", MaxDepth)
		}
		b.elements = append(b.elements, element)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, syntaxError(err, len(text))
	}
	if at := d.InputOffset(); !isEnd(d) {
		return nil, fmt.Errorf("something follows the JSON value at byte %d", at)
	}
	return b.elements, nil
}

// isEnd reports whether nothing but white space is left.
func isEnd(d *jsontext.Decoder) bool {
	_, err := d.ReadToken()
	return errors.Is(err, io.EOF)
}

// isTooDeep reports whether value, which is known to be JSON, is nested deeper than depth.
func isTooDeep(value []byte, depth int) bool {
	if bytes.Count(value, []byte("["))+bytes.Count(value, []byte("{")) <= depth {
		return false
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(value), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		if _, err := d.ReadToken(); err != nil {
			return false
		}
		if d.StackDepth() > depth {
			return true
		}
	}
}
