package audience

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
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

// source yields the texts of a list one by one. A text is valid until the next call.
type source interface {
	// next returns io.EOF after the last text; blank lines never come out. long is true for a text that was cut.
	next() (text []byte, long bool, err error)
}

// open recognises the form of a list: CSV when asCSV is true or the first line that is not blank has a field named email,
// else one address a line. A CSV's fields are separated by comma, semicolon or tab, whichever its header has most of.
func open(r io.Reader, asCSV bool) (source, error) {
	b := bufio.NewReaderSize(r, maxLine)
	if mark, _ := b.Peek(3); bytes.Equal(mark, []byte("\xEF\xBB\xBF")) {
		_, _ = b.Discard(3)
	}
	lines := &lines{r: b}
	first, long, err := lines.next()
	if errors.Is(err, io.EOF) {
		return lines, nil
	}
	if err != nil {
		return nil, err
	}
	comma := separator(first)
	column := -1
	if !long && bytes.IndexByte(first, '@') < 0 {
		column = emailColumn(first, comma)
	}
	if column >= 0 {
		return newRows(b, comma, column), nil
	}
	if asCSV {
		return nil, ErrNoColumn
	}
	lines.held, lines.heldLong = bytes.Clone(first), long
	return lines, nil
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

func emailColumn(header []byte, comma rune) int {
	r := csv.NewReader(bytes.NewReader(header))
	r.Comma, r.LazyQuotes = comma, true
	fields, err := r.Read()
	if err != nil {
		return -1
	}
	for i, f := range fields {
		if strings.EqualFold(strings.TrimSpace(f), "email") {
			return i
		}
	}
	return -1
}

type lines struct {
	r        *bufio.Reader
	held     []byte // the first line, when open has looked at it
	heldLong bool
}

func (l *lines) next() ([]byte, bool, error) {
	if l.held != nil {
		text := l.held
		l.held = nil
		return text, l.heldLong, nil
	}
	for {
		line, err := l.r.ReadSlice('\n')
		long := false
		for errors.Is(err, bufio.ErrBufferFull) {
			long = true
			line, err = l.r.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, err
		}
		if long {
			return nil, true, nil
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, false, nil
		}
		if err != nil {
			return nil, false, io.EOF
		}
	}
}

type rows struct {
	csv    *csv.Reader
	guard  *rowGuard
	column int
	text   []byte
}

func newRows(r io.Reader, comma rune, column int) *rows {
	guard := &rowGuard{r: r}
	c := csv.NewReader(guard)
	c.Comma, c.LazyQuotes, c.ReuseRecord, c.FieldsPerRecord = comma, true, true, -1
	return &rows{csv: c, guard: guard, column: column}
}

func (r *rows) next() ([]byte, bool, error) {
	for {
		r.guard.left = maxRow
		fields, err := r.csv.Read()
		if err != nil {
			var parse *csv.ParseError
			if errors.As(err, &parse) { // its text names lines and columns only, but let us not depend on it
				return nil, false, fmt.Errorf("%w at line %d: %w", ErrBroken, parse.Line, parse.Err)
			}
			return nil, false, err
		}
		if len(fields) == 1 && strings.TrimSpace(fields[0]) == "" {
			continue
		}
		r.text = r.text[:0]
		if r.column < len(fields) {
			r.text = append(r.text, fields[r.column]...)
		}
		return r.text, len(r.text) > maxLine, nil
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
