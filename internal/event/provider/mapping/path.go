package mapping

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"sendwatch/internal/event/jsonvalue"
)

// Path is a place in a payload, written like a singular query of JSONPath (RFC 9535): keys with dots between, [n] for an
// element of an array ([-1] is the last), ['key'] for keys with dots or brackets in them. It begins at the element of a
// batch; with $ in front at the whole record. [*] stands for every element, where a field takes several values.
type Path struct {
	text   string
	record bool // begins at the record, not at the element
	every  bool // has a step [*]
	steps  []step
}

type step struct {
	kind  stepKind
	key   string
	index int
}

type stepKind uint8

const (
	byKey stepKind = iota
	byIndex
	every
)

// String returns the path as it was written.
func (p Path) String() string { return p.text }

// first is the key of the payload that the path goes through first, "" when it goes through none.
func (p Path) first() string {
	if len(p.steps) == 0 {
		return ""
	}
	return p.steps[0].key
}

// ParsePath reads a path. The error says what was found in it.
func ParsePath(text string) (Path, error) {
	p := Path{text: strings.TrimPrefix(text, "@.")} // an address is what a message must not look like
	rest := text
	switch {
	case strings.HasPrefix(rest, "$"):
		p.record, rest = true, rest[1:]
	case rest == "@" || strings.HasPrefix(rest, "@.") || strings.HasPrefix(rest, "@["):
		rest = rest[1:]
	case rest != "" && rest[0] != '[' && rest[0] != '.':
		rest = "." + rest
	case rest == "":
		return p, errors.New("an empty text")
	}
	for rest != "" {
		s, after, err := parseStep(rest)
		if err != nil {
			return p, fmt.Errorf("%q, where %w", text, err)
		}
		if s.kind == every {
			if p.every {
				return p, fmt.Errorf("%q with [*] twice", text)
			}
			p.every = true
		}
		p.steps = append(p.steps, s)
		rest = after
	}
	return p, nil
}

func parseStep(text string) (s step, rest string, err error) {
	if text[0] == '.' {
		end := strings.IndexAny(text[1:], ".[") + 1
		if end == 0 {
			end = len(text)
		}
		key := text[1:end]
		if key == "" {
			return s, "", errors.New("a key is missing")
		}
		if i := strings.IndexFunc(key, isOdd); i >= 0 {
			return s, "", fmt.Errorf("the key %q has a character that needs ['…']", key)
		}
		return step{key: key}, text[end:], nil
	}
	if text[0] != '[' {
		return s, "", fmt.Errorf("%q follows without a dot", text)
	}
	inner := text[1:]
	if inner != "" && (inner[0] == '\'' || inner[0] == '"') {
		end := strings.IndexByte(inner[1:], inner[0]) + 1
		if end == 0 || !strings.HasPrefix(inner[end+1:], "]") {
			return s, "", errors.New("a quoted key is not closed by its quote and ]")
		}
		return step{key: inner[1:end]}, inner[end+2:], nil
	}
	content, rest, ok := strings.Cut(inner, "]")
	if !ok {
		return s, "", errors.New("a [ is not closed")
	}
	if content == "*" {
		return step{kind: every}, rest, nil
	}
	n, err := strconv.Atoi(content)
	if err != nil || n < -maxIndex || n > maxIndex {
		return s, "", fmt.Errorf("[%s] is neither a number, nor *, nor a key in quotes", content)
	}
	return step{kind: byIndex, index: n}, rest, nil
}

// maxIndex keeps numbers within what an array can have.
const maxIndex = 1_000_000

// isOdd tells of characters that would make a key hard to tell from the notation around it.
func isOdd(r rune) bool {
	return r <= ' ' || r == '\'' || r == '"' || r == ']' || r == 0x7f
}

// find follows a path without [*]; what is not there is absent.
func (p Path) find(record, element jsonvalue.Value) jsonvalue.Value {
	v := element
	if p.record {
		v = record
	}
	for i := range p.steps {
		v = p.steps[i].of(v)
	}
	return v
}

func (s *step) of(v jsonvalue.Value) jsonvalue.Value {
	if s.kind == byKey {
		return v.Get(s.key)
	}
	n := s.index
	if n < 0 {
		for range v.Elements() {
			n++
		}
		if n < 0 {
			return jsonvalue.Value{}
		}
	}
	for element := range v.Elements() {
		if n == 0 {
			return element
		}
		n--
	}
	return jsonvalue.Value{}
}

// all ranges over what the path leads to: one place, or with [*] one for each element there.
func (p Path) all(record, element jsonvalue.Value) iter.Seq[jsonvalue.Value] {
	return func(yield func(jsonvalue.Value) bool) {
		if !p.every {
			yield(p.find(record, element))
			return
		}
		head, tail := p, Path{}
		for i := range p.steps {
			if p.steps[i].kind == every {
				head.steps, tail.steps = p.steps[:i], p.steps[i+1:]
			}
		}
		for one := range head.find(record, element).Elements() {
			if !yield(tail.find(one, one)) {
				return
			}
		}
	}
}
