// Package jsonvalue reads JSON payloads whose shape is not known beforehand. It gives what is there and the zero value for
// everything else, so that a format's table can be written down as it stands: of duplicate keys the last counts, null and
// "" are as absent, a value of the wrong type is as absent, numbers keep their digits, invalid UTF-8 and lone surrogates
// are replaced.
//
// It is not a parser: jsontext reads the JSON. It is not for the native form either, which is read without a tree.
package jsonvalue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep arrays and objects may be nested. Deeper texts are refused.
const MaxDepth = 1000

// Tree holds parsed texts. It keeps its memory from one Reset to the next. Values that it returned are valid until then,
// and as long as the parsed bytes are not written to. A Tree is for one goroutine at a time.
type Tree struct {
	decoder *jsontext.Decoder
	reader  bytes.Buffer
	nodes   []node // in the order of the text: what a container holds follows it
	open    []int  // the containers that are being read
	scratch []byte // texts that had escapes
}

type node struct {
	kind jsontext.Kind
	key  string // of a member of an object
	text string // of a string: its content; of a number: its digits; of an object or array: as it was written
	next int    // the node after this one and everything in it
}

// Reset forgets everything parsed so far. Memory is kept, unless an unusually large text had made it grow.
func (t *Tree) Reset() {
	const keepNodes, keepBytes = 1 << 14, 1 << 20
	if cap(t.nodes) > keepNodes {
		t.nodes = nil
	}
	if cap(t.scratch) > keepBytes {
		t.scratch = nil
	}
	t.nodes, t.scratch = t.nodes[:0], t.scratch[:0]
}

// Next forgets the values parsed so far, but not the texts that were taken from them: these stay valid until Reset.
func (t *Tree) Next() { t.nodes = t.nodes[:0] }

// Parse reads one JSON text with nothing but white space after it. The error says what is wrong and where, and quotes
// nothing of the text.
func (t *Tree) Parse(text []byte) (Value, error) {
	t.start(text)
	root := len(t.nodes)
	if err := t.parse(text); err != nil {
		t.nodes = t.nodes[:root]
		return Value{}, err
	}
	return Value{t, root}, nil
}

func (t *Tree) start(text []byte) {
	if t.decoder == nil {
		t.decoder = new(jsontext.Decoder)
	}
	t.reader = *bytes.NewBuffer(text)
	t.decoder.Reset(&t.reader, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	t.open = t.open[:0]
}

func (t *Tree) parse(text []byte) error {
	d := t.decoder
	for {
		key := ""
		if depth := len(t.open); depth > 0 && t.nodes[t.open[depth-1]].kind == '{' && d.PeekKind() != '}' {
			name, err := d.ReadValue()
			if err != nil {
				return syntaxError(err, len(text))
			}
			key = t.unquote(name)
		}
		var err error
		switch kind := d.PeekKind(); kind {
		case '{', '[':
			if _, err = d.ReadToken(); err == nil {
				if len(t.open) == MaxDepth {
					return fmt.Errorf("nested deeper than %d at byte %d", MaxDepth, d.InputOffset())
				}
				t.open = append(t.open, len(t.nodes))
				// The text of the container begins here; where it ends is known when it is closed.
				t.nodes = append(t.nodes, node{kind: kind, key: key, text: Alias(text[d.InputOffset()-1:])})
			}
		case '}', ']':
			if _, err = d.ReadToken(); err == nil {
				last := len(t.open) - 1
				c := &t.nodes[t.open[last]]
				c.next = len(t.nodes)
				c.text = c.text[:len(c.text)-len(text)+int(d.InputOffset())]
				t.open = t.open[:last]
			}
		default:
			var raw jsontext.Value
			if raw, err = d.ReadValue(); err == nil {
				n := node{kind: kind, key: key, next: len(t.nodes) + 1}
				switch kind {
				case '"':
					n.text = t.unquote(raw)
				case '0':
					n.text = Alias(raw)
				}
				t.nodes = append(t.nodes, n)
			}
		}
		if err != nil {
			return syntaxError(err, len(text))
		}
		if len(t.open) == 0 {
			return t.end(text)
		}
	}
}

// end checks that nothing follows the value.
func (t *Tree) end(text []byte) error {
	if at := t.decoder.InputOffset(); !isEnd(t.decoder) {
		return fmt.Errorf("something follows the JSON value at byte %d", at)
	}
	return nil
}

// unquote returns the content of a JSON string. It shares the memory of raw where it can.
func (t *Tree) unquote(raw []byte) string {
	var s string
	t.scratch, s = Unquote(t.scratch, raw)
	return s
}

// Unquote returns the content of raw, a valid JSON string in its quotes. Where escapes have to be resolved or invalid
// UTF-8 replaced, the content is appended to scratch, otherwise it shares the memory of raw.
func Unquote(scratch, raw []byte) ([]byte, string) {
	inner := raw[1 : len(raw)-1]
	if isPlain(inner) {
		return scratch, Alias(inner)
	}
	return unquoteOdd(scratch, raw)
}

// isPlain reports whether b has neither a backslash nor a byte outside ASCII, eight bytes at a time.
func isPlain(b []byte) bool {
	const ones, high, backslashes = 0x0101010101010101, 0x8080808080808080, 0x5c5c5c5c5c5c5c5c
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		x := w ^ backslashes // a byte of x is zero where w has a backslash
		if (w|(x-ones)&^x)&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// unquoteOdd is apart so that the common case stays small.
func unquoteOdd(scratch, raw []byte) ([]byte, string) {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return scratch, Alias(inner)
	}
	from := len(scratch)
	// The error tells of invalid UTF-8 and lone surrogates, which have been replaced: the string itself is well-formed.
	scratch, _ = jsontext.AppendUnquote(scratch, raw)
	return scratch, Alias(scratch[from:])
}

// Alias gives bytes as a string without copying them. The owner of the bytes promises not to write to them while the
// string is in use: see Tree and event.Event.
func Alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// syntaxError says where a text of so many bytes stops being JSON. The library's own words may quote keys of the payload.
func syntaxError(err error, size int) error {
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		if s.ByteOffset >= int64(size) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("the JSON text ends too early, at byte %d", size)
		}
		return fmt.Errorf("no valid JSON at byte %d", s.ByteOffset)
	}
	return errors.New("no JSON value")
}

// bytesOf is the reverse of Alias.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func (t *Tree) nested(text string) (Value, error) {
	if text == "" {
		return Value{}, errors.New("no text that could hold JSON")
	}
	return t.Parse(bytesOf(text))
}

// SkipSpace returns what follows the white space of JSON at the start of text, nil when there is nothing else.
func SkipSpace(text []byte) []byte {
	for i, c := range text {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return text[i:]
		}
	}
	return nil
}
