package logfile

import (
	"strings"
	"unsafe"
)

// row splits rows of CSV (RFC 4180) and keeps its memory from one to the next. encoding/csv would read the file by itself,
// and allocates a text for every row.
type row struct {
	fields  []string
	scratch []byte // of fields with quotes in them
}

// split returns the fields of a row, at least one. They share the memory of text, or of the row, and are valid until the
// next split. It is false when quotes are not as they must be.
func (r *row) split(text string) ([]string, bool) {
	r.fields, r.scratch = r.fields[:0], r.scratch[:0]
	for {
		field, rest, more := text, "", false
		if strings.HasPrefix(text, `"`) {
			var ok bool
			if field, rest, ok = r.quoted(text[1:]); !ok {
				return nil, false
			}
			if rest, more = strings.CutPrefix(rest, ","); !more && rest != "" {
				return nil, false
			}
		} else {
			field, rest, more = strings.Cut(text, ",")
		}
		r.fields = append(r.fields, field)
		if !more {
			return r.fields, true
		}
		text = rest
	}
}

// quoted reads a field behind its opening quote. A quote in it is written twice.
func (r *row) quoted(text string) (field, rest string, ok bool) {
	end := strings.IndexByte(text, '"')
	if end < 0 {
		return "", "", false
	}
	if !strings.HasPrefix(text[end+1:], `"`) {
		return text[:end], text[end+1:], true
	}
	from := len(r.scratch)
	for {
		end := strings.IndexByte(text, '"')
		if end < 0 {
			return "", "", false
		}
		r.scratch = append(r.scratch, text[:end]...)
		if text = text[end+1:]; !strings.HasPrefix(text, `"`) {
			return alias(r.scratch[from:]), text, true
		}
		r.scratch = append(r.scratch, '"')
		text = text[1:]
	}
}

// alias gives bytes as a string without copying them: see event.Event on how long it is valid.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
