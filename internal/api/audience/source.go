package audience

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ErrNoColumn says that a CSV has no header column named email.
var ErrNoColumn = errors.New("the CSV has no column named email in its first line; name the column that holds the addresses so")

// ErrBroken says that a CSV cannot be cut into rows.
var ErrBroken = errors.New("the CSV is broken")

const (
	maxLine = 64 << 10 // bytes; a longer line is no address
	maxRow  = 1 << 20  // bytes; an unclosed quote must not swallow the rest of a list of any length
)

// Texts are the texts of a list, one for each line or row that is not blank.
type Texts struct {
	source
	// Header is the first row of a CSV, nil for lines; Comma is what separates its fields.
	Header []string
	Comma  rune
}

// Text is one line or row of a list. It is valid until the next one is read.
type Text struct {
	Line []byte   // without white space around it; nil in a CSV
	Row  []string // the fields of a CSV's row
	cell []byte   // where the address should be
	long bool     // the line was cut, or the field is longer than any address
}

// Address returns the address in the text, trimmed and lower-cased; it changes the text. It is false when there is none.
func (t *Text) Address() ([]byte, bool) {
	if t.long {
		return nil, false
	}
	return normalise(t.cell)
}

// source yields texts.
type source interface {
	// Next returns io.EOF after the last text.
	Next() (Text, error)
}

// Open recognises the form of a list: CSV when asCSV is true or the first line that is not blank has a field named email,
// else one address a line. A CSV's fields are separated by comma, semicolon or tab, whichever its header has most of.
// Errors are ErrNoColumn, ErrBroken and those of reading.
func Open(r io.Reader, asCSV bool) (*Texts, error) {
	b := bufio.NewReaderSize(r, maxLine)
	if mark, _ := b.Peek(3); bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
		_, _ = b.Discard(3)
	}
	lines := &lines{r: b}
	first, err := lines.Next()
	if errors.Is(err, io.EOF) {
		return &Texts{source: lines}, nil
	}
	if err != nil {
		return nil, err
	}
	if comma := separator(first.Line); !first.long && bytes.IndexByte(first.Line, '@') < 0 {
		if header, column := emailColumn(first.Line, comma); column >= 0 {
			return &Texts{source: newRows(b, comma, column), Header: header, Comma: comma}, nil
		}
	}
	if asCSV {
		return nil, ErrNoColumn
	}
	lines.held = bytes.Clone(first.Line)
	lines.heldLong = first.long
	return &Texts{source: lines}, nil
}

func separator(header []byte) rune {
	best, most := ',', bytes.Count(header, []byte{','})
	for _, c := range []rune{';', '\t'} {
		if n := bytes.Count(header, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

// emailColumn returns the fields of a CSV's first line, and which of them is the address; -1 when none is.
func emailColumn(header []byte, comma rune) ([]string, int) {
	r := csv.NewReader(bytes.NewReader(header))
	r.Comma, r.LazyQuotes = comma, true
	fields, err := r.Read()
	if err != nil {
		return nil, -1
	}
	return fields, slices.IndexFunc(fields, func(f string) bool { return strings.EqualFold(strings.TrimSpace(f), "email") })
}

type lines struct {
	r        *bufio.Reader
	held     []byte // the first line, when open has looked at it
	heldLong bool
	cut      []byte // the beginning of a line that is too long
}

func (l *lines) Next() (Text, error) {
	if l.held != nil {
		text := Text{Line: l.held, cell: l.held, long: l.heldLong}
		l.held = nil
		return text, nil
	}
	for {
		line, err := l.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			l.cut = append(l.cut[:0], line...)
			for errors.Is(err, bufio.ErrBufferFull) {
				_, err = l.r.ReadSlice('\n')
			}
			if err == nil || errors.Is(err, io.EOF) {
				return Text{Line: bytes.TrimSpace(l.cut), long: true}, nil
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return Text{}, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return Text{Line: line, cell: line}, nil
		}
		if err != nil {
			return Text{}, io.EOF
		}
	}
}

type rows struct {
	csv    *csv.Reader
	guard  *rowGuard
	column int
	cell   []byte
}

func newRows(r io.Reader, comma rune, column int) *rows {
	guard := &rowGuard{r: r}
	c := csv.NewReader(guard)
	c.Comma, c.LazyQuotes, c.ReuseRecord, c.FieldsPerRecord = comma, true, true, -1
	return &rows{csv: c, guard: guard, column: column}
}

func (r *rows) Next() (Text, error) {
	for {
		r.guard.left = maxRow
		fields, err := r.csv.Read()
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) { // its text names lines and columns only, but let us not depend on it
				return Text{}, fmt.Errorf("%w at line %d: %w", ErrBroken, parse.Line, parse.Err)
			}
			return Text{}, err
		}
		if len(fields) == 1 && strings.TrimSpace(fields[0]) == "" {
			continue
		}
		r.cell = r.cell[:0]
		if r.column < len(fields) {
			r.cell = append(r.cell, fields[r.column]...)
		}
		return Text{Row: fields, cell: r.cell, long: len(r.cell) > maxLine}, nil
	}
}

// rowGuard ends a list in whose one row more than maxRow bytes were read.
type rowGuard struct {
	r    io.Reader
	left int
}

func (g *rowGuard) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, fmt.Errorf("%w: a row is longer than %d bytes; look for a quote that is never closed", ErrBroken, maxRow)
	}
	n, err := g.r.Read(p)
	g.left -= n
	return n, err
}
