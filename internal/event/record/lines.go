package record

import (
	"bytes"
	"fmt"
	"io"
)

// lineBuffer reads lines, several at once if asked. Its buffer grows to the longest of what was asked for and is reused.
type lineBuffer struct {
	source io.Reader
	buf    []byte
	from   int   // what is before has been taken
	number int   // lines taken
	err    error // of source, io.EOF included
	max    int   // how far buf may grow
}

func newLineBuffer(source io.Reader) lineBuffer {
	return lineBuffer{source: source, buf: make([]byte, 0, 1<<16), max: MaxSize}
}

// lineAt returns where the line ends that begins so many bytes from here, and where the next one begins, or io.EOF when
// there is none. A file's last line needs no line break. Places are relative to what has been taken: the buffer may move.
func (b *lineBuffer) lineAt(at int) (end, next int, err error) {
	for searched := at; ; {
		if i := bytes.IndexByte(b.buf[b.from+searched:], '\n'); i >= 0 {
			return searched + i, searched + i + 1, nil
		}
		searched = len(b.buf) - b.from
		if b.err == io.EOF && searched > at {
			return searched, searched, nil
		}
		if b.err != nil {
			return 0, 0, b.err
		}
		if err := b.fill(); err != nil {
			return 0, 0, err
		}
	}
}

// text returns what lineAt has found, without the carriage return that some line breaks have.
func (b *lineBuffer) text(at, end int) []byte {
	return bytes.TrimSuffix(b.buf[b.from+at:b.from+end], []byte("\r"))
}

// take returns the text from here to end, which has count lines, and goes on at next. It is valid until lineAt is called.
func (b *lineBuffer) take(end, next, count int) []byte {
	text := b.text(0, end)
	b.from += next
	b.number += count
	return text
}

// fill reads more, and makes room for it first when there is none.
func (b *lineBuffer) fill() error {
	if len(b.buf) == cap(b.buf) {
		if b.from > 0 {
			n := copy(b.buf, b.buf[b.from:])
			b.buf, b.from = b.buf[:n], 0
		} else {
			if len(b.buf) >= b.max {
				return fmt.Errorf("the record that begins in line %d is larger than %d bytes, the most that is read", b.number+1, b.max)
			}
			grown := make([]byte, len(b.buf), 2*cap(b.buf))
			copy(grown, b.buf)
			b.buf = grown
		}
	}
	const patience = 100 // readers may return nothing at times, but not for ever
	for range patience {
		n, err := b.source.Read(b.buf[len(b.buf):cap(b.buf)])
		b.buf = b.buf[:len(b.buf)+n]
		b.err = err
		if n > 0 || err != nil {
			return nil
		}
	}
	b.err = io.ErrNoProgress
	return nil
}

// skip goes on behind prefix, if that is what comes next.
func (b *lineBuffer) skip(prefix string) error {
	for b.err == nil && len(b.buf)-b.from < len(prefix) {
		if err := b.fill(); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(b.buf[b.from:], []byte(prefix)) {
		b.from += len(prefix)
	}
	return nil
}

// rest returns everything to the end of the file.
func (b *lineBuffer) rest() ([]byte, error) {
	for b.err == nil {
		if err := b.fill(); err != nil {
			return nil, err
		}
	}
	if b.err != io.EOF {
		return nil, b.err
	}
	text := b.buf[b.from:]
	b.from = len(b.buf)
	return text, nil
}
