package mail

import (
	"bytes"
	"strings"

	"sendwatch/internal/event/provider/payload"
)

// header is a block of fields, "Name: value", in the order in which they are written. Values are unfolded.
type header []field

type field struct{ name, value string }

// get returns the value of the first field of a name, whatever its case.
func (h header) get(name string) string {
	for _, f := range h {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// all returns the values of every field of a name.
func (h header) all(name string) []string {
	var values []string
	for _, f := range h {
		if strings.EqualFold(f.name, name) {
			values = append(values, f.value)
		}
	}
	return values
}

// has reports whether there is such a field, even without a value.
func (h header) has(name string) bool {
	for _, f := range h {
		if strings.EqualFold(f.name, name) {
			return true
		}
	}
	return false
}

// readHeader reads fields up to the first blank line and returns what follows it. Lines that are neither a field nor the
// continuation of one are skipped: what mail systems add and damage must not hide the rest.
func readHeader(text []byte) (h header, body []byte) {
	for len(text) > 0 {
		var line []byte
		line, text = cutLine(text)
		if len(line) == 0 {
			return h, text
		}
		if line[0] == ' ' || line[0] == '\t' {
			if more := payload.Text(string(line)); len(h) > 0 && more != "" {
				last := &h[len(h)-1]
				last.value = strings.TrimSpace(last.value + " " + more)
			}
			continue
		}
		name, value, ok := strings.Cut(string(line), ":")
		if name = strings.TrimRight(name, " \t"); ok && name != "" {
			h = append(h, field{name, payload.Text(value)})
		} else {
			h = append(h, field{}) // takes the continuations of a line that is skipped
		}
	}
	return h, nil
}

// readFields is readHeader for a part that is fields only: blank lines before them are skipped.
func readFields(text []byte) header {
	h, _ := readHeader(skipBlankLines(text))
	return h
}

// readGroups reads groups of fields that blank lines part. An empty group is none.
func readGroups(text []byte) []header {
	var groups []header
	for text = skipBlankLines(text); len(text) > 0; text = skipBlankLines(text) {
		var block []byte
		block, text = cutBlock(text)
		group, _ := readHeader(block)
		groups = append(groups, group)
	}
	return groups
}

// cutBlock cuts text before its first blank line.
func cutBlock(text []byte) (block, rest []byte) {
	for rest = text; len(rest) > 0; {
		line, next := cutLine(rest)
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
		rest = next
	}
	return text[:len(text)-len(rest)], rest
}

func skipBlankLines(text []byte) []byte {
	for len(text) > 0 {
		line, rest := cutLine(text)
		if len(bytes.TrimSpace(line)) > 0 {
			break
		}
		text = rest
	}
	return text
}

// cutLine returns the first line without its line break, and what follows.
func cutLine(text []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest
}
