// Package record cuts files into records: the lines of NDJSON and of the log files of mail servers, or a whole payload or
// mail. It unpacks gzip and zstd, tells by the first bytes what a file is, and looks no further into records than cutting
// them needs. Lines are read in memory bounded by the longest of them, without allocating once the buffer has grown.
package record

import (
	"bytes"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxSize is how large one record may be: a line, or a file that is one record.
const MaxSize = 1 << 30

// Form is how a file is cut.
type Form uint8

// The forms of files. Detect is not one: it asks Open to tell by the file's beginning.
const (
	Detect   Form = iota
	Whole         // one record: a JSON value over several lines, or a mail
	Lines         // NDJSON
	PowerMTA      // an accounting file: CSV, of which a quoted field can hold line breaks
	Momentum      // mainlog, bouncelog, fbllog
)

// Reader gives the records of one file. It is for one goroutine at a time.
type Reader struct {
	unpacked unpacker
	lines    lineBuffer
	form     Form
	line     int // at which the newest record begins
	done     bool
}

// Open reads the beginning of a file and tells its form, unless that is given: then nothing but its packing is looked at.
// The error tells of a file that cannot be read, or is broken inside its packing.
func Open(file io.Reader, form Form) (*Reader, error) {
	r := &Reader{form: form}
	if err := r.unpacked.open(file); err != nil {
		return nil, err
	}
	r.lines = newLineBuffer(&r.unpacked)
	if err := r.begin(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Form says how the file is cut.
func (r *Reader) Form() Form { return r.form }

// Line is the line at which the record that Next returned last begins; the first line of a file is 1.
func (r *Reader) Line() int { return r.line }

// Close frees what unpacking holds. It does not close the file.
func (r *Reader) Close() { r.unpacked.close() }

// Next returns the next record, without its line break, or io.EOF behind the last one. It is valid until the next call.
// Blank lines are no records.
func (r *Reader) Next() ([]byte, error) {
	if r.form == Whole {
		return r.whole()
	}
	for {
		end, next, count, err := r.nextEnd()
		if err != nil {
			return nil, err
		}
		first := r.lines.number + 1
		if text := r.lines.take(end, next, count); !isBlank(text) {
			r.line = first
			return text, nil
		}
	}
}

// nextEnd says where the next record ends, where what follows it begins, and how many lines it has. A CSV row whose
// quotes do not come right within bounds is taken as one line, so that a stray quote does not take the rest of the file
// with it.
func (r *Reader) nextEnd() (end, next, count int, err error) {
	if end, next, err = r.lines.lineAt(0); err != nil || r.form != PowerMTA {
		return end, next, 1, err
	}
	const maxLines, maxBytes = 100, 1 << 16
	state := quotes(r.lines.text(0, end), balanced)
	rowEnd, rowNext := end, next
	for count = 2; state == open && count <= maxLines && rowNext <= maxBytes; count++ {
		from := rowNext
		rowEnd, rowNext, err = r.lines.lineAt(from)
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, 0, 0, err
		}
		if state = quotes(r.lines.text(from, rowEnd), open); state == balanced {
			return rowEnd, rowNext, count, nil
		}
	}
	return end, next, 1, nil
}

func (r *Reader) whole() ([]byte, error) {
	if r.done {
		return nil, io.EOF
	}
	r.done = true
	text, err := r.lines.rest()
	if err != nil {
		return nil, err
	}
	if isBlank(text) {
		return nil, io.EOF
	}
	r.line = 1
	return text, nil
}

// begin skips a byte order mark and, when the form is not given, tells it.
func (r *Reader) begin() error {
	if err := r.lines.skip(byteOrderMark); err != nil || r.form != Detect {
		return err
	}
	for at := 0; ; {
		end, next, err := r.lines.lineAt(at)
		if err == io.EOF {
			r.form = Whole // and blank
			return nil
		}
		if err != nil {
			return err
		}
		line := r.lines.text(at, end)
		if at == 0 {
			r.form = formOfLine(line)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 && r.form == Detect {
			r.form = formOfText(line)
		}
		if r.form != Detect {
			return nil
		}
		at = next
	}
}

const byteOrderMark = "\xef\xbb\xbf"

// formOfLine knows the log files by their first line.
func formOfLine(line []byte) Form {
	switch {
	case bytes.HasPrefix(line, []byte("type,")):
		return PowerMTA
	case isMomentum(line):
		return Momentum
	}
	return Detect
}

// formOfText tells by the first line that is not blank whether each line is a record.
func formOfText(line []byte) Form {
	if line[0] != '{' && line[0] != '[' {
		return Whole
	}
	if !jsontext.Value(line).IsValid(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) {
		return Whole
	}
	return Lines
}

// isMomentum reports whether a line begins with a time in seconds or microseconds and an '@'.
func isMomentum(line []byte) bool {
	n := 0
	for n < len(line) && '0' <= line[n] && line[n] <= '9' {
		n++
	}
	return (n == 10 || n == 16) && n < len(line) && line[n] == '@'
}

func isBlank(text []byte) bool { return len(bytes.TrimSpace(text)) == 0 }

// quoting is the state of the quotes of a CSV row.
type quoting uint8

const (
	balanced quoting = iota
	open             // a quoted field goes on in the next line
	wrong            // a quoted field is followed by something else than a comma
)

// quotes tells the state of a row at the end of one of its lines, given the state before it, by the rules of RFC 4180: a
// field is quoted when it begins with a quote, and a quote inside of it is written twice.
func quotes(line []byte, before quoting) quoting {
	inside := before == open
	for {
		if !inside && (len(line) == 0 || line[0] != '"') {
			comma := bytes.IndexByte(line, ',')
			if comma < 0 {
				return balanced
			}
			line = line[comma+1:]
			continue
		}
		if !inside {
			line = line[1:]
		}
		end := endOfQuoted(line)
		if end < 0 {
			return open
		}
		inside, line = false, line[end:]
		if len(line) == 0 {
			return balanced
		}
		if line[0] != ',' {
			return wrong
		}
		line = line[1:]
	}
}

// endOfQuoted returns where the closing quote of a field ends, -1 when it does not come.
func endOfQuoted(text []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(text[at:], '"')
		if i < 0 {
			return -1
		}
		at += i + 1
		if at == len(text) || text[at] != '"' {
			return at
		}
		at++
	}
}
