package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Spec describes a format, as a configuration writes it.
type Spec struct {
	Name   string
	When   []Condition // all of which a payload has to meet; none: it is taken by name only
	Each   string      // path of the array of a batch; "" = a record is one event
	Fields map[string]Source
}

// Condition is a path and the texts that may stand there; AnyOther is anything.
type Condition struct {
	Path   string
	Values []string
}

// Source says where a field comes from: the first of the paths that leads to something. A map turns what stands there into
// what it stands for, whatever its case; AnyOther in it is every other text. Value is what the field has when no path leads
// to anything.
type Source struct {
	From  []string
	Map   map[string]string // nil = none
	Value string
}

// Problem is one mistake in a description: where, what was found and what is allowed.
type Problem struct {
	Key   string // path inside the description: "fields.time", "when[0]"
	Found string
	Want  string
}

// New returns the format that a description is of, or all mistakes in that.
func New(s Spec) (*Format, []Problem) {
	b := builder{format: &Format{name: s.Name}}
	b.when(s.When)
	if s.Each != "" {
		each := b.path("each", s.Each, false)
		b.format.each = &each
	}
	for _, f := range fields() {
		if from, ok := s.Fields[f.name]; ok {
			b.field(f, from)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		if _, ok := fieldNamed(name); !ok {
			b.bad("fields."+name, "no field of an event", "one of "+strings.Join(FieldNames(), ", "))
		}
	}
	missing := slices.DeleteFunc([]string{"type", "time"}, func(name string) bool { _, ok := s.Fields[name]; return ok })
	if len(missing) > 0 {
		b.bad("fields", "without "+strings.Join(missing, " and "), "at least type and time")
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return b.format, nil
}

type builder struct {
	format   *Format
	problems []Problem
}

func (b *builder) bad(key, found, want string) {
	b.problems = append(b.problems, Problem{key, found, want})
}

// path reads a path; one with [*] only where several values are taken.
func (b *builder) path(key, text string, several bool) Path {
	const notation = "a path such as event.kind, items[0].id, headers['x.y'] or $.account"
	p, err := ParsePath(text)
	switch {
	case err != nil:
		b.bad(key, err.Error(), notation)
	case p.every && !several:
		b.bad(key, strconv.Quote(text), "[*] in the paths of recipient only")
	case len(p.steps) == 0:
		b.bad(key, strconv.Quote(text)+", which is the whole payload", notation)
	}
	return p
}

func (b *builder) when(conditions []Condition) {
	for i, c := range conditions {
		key := fmt.Sprintf("when[%d]", i)
		p := b.path(key, c.Path, false)
		if len(p.steps) > 0 && p.steps[0].kind != byKey {
			b.bad(key, strconv.Quote(c.Path), "a path that begins with a key")
		}
		if len(c.Values) == 0 || slices.Contains(c.Values, "") {
			b.bad(key, "no value", "a text, or a list of them, of which one stands there; "+strconv.Quote(AnyOther)+" = anything")
		}
		b.format.when = append(b.format.when, test{p, slices.Clone(c.Values)})
	}
}

// field takes a field's source and puts it where the format looks for it.
func (b *builder) field(f field, from Source) {
	key := "fields." + f.name
	s := source{value: from.Value}
	for i, text := range from.From {
		at := key
		if len(from.From) > 1 {
			at = fmt.Sprintf("%s[%d]", key, i)
		}
		s.from = append(s.from, b.path(at, text, f.name == "recipient"))
	}
	if len(s.from) == 0 && s.value == "" {
		b.bad(key, "nothing", "a path, a list of paths, or {from: PATH, map: {…}, value: TEXT}")
	}
	if !f.mapped {
		if from.Map != nil {
			b.bad(key+".map", "given for "+f.name, "no map for time, sent_at, recipient and bounce.code")
		}
		if from.Value != "" {
			b.bad(key+".value", "given for "+f.name, "no value for time, sent_at, recipient and bounce.code")
		}
	}
	b.words(f, key, from, &s)
	switch f.name {
	case "type":
		b.format.typ = s
	case "time":
		b.format.time = s
	case "sent_at":
		b.format.sentAt = s
	case "recipient":
		b.format.recipient = s
	case "bounce.code":
		b.format.code = s
	default:
		b.format.rest = append(b.format.rest, filling{f, &s})
	}
}

// words checks what a map and a constant give, and makes the map ready to be looked up whatever the case.
func (b *builder) words(f field, key string, from Source, s *source) {
	var allowed []string
	if f.words != nil {
		allowed = f.words()
	}
	check := func(at, word string) {
		if allowed != nil && word != "" && !slices.Contains(allowed, word) {
			b.bad(at, strconv.Quote(word), "one of "+strings.Join(allowed, ", "))
		}
	}
	check(key+".value", from.Value)
	if from.Map == nil {
		return
	}
	if len(from.From) == 0 {
		b.bad(key+".map", "given without from", "a path whose values the map is for")
	}
	s.words = map[string]string{}
	written := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(from.Map)) {
		low := strings.ToLower(name)
		if before, ok := written[low]; ok {
			b.bad(key+".map."+name, fmt.Sprintf("%q besides %q", name, before), "each name once: their case does not matter")
		}
		written[low], s.words[low] = name, from.Map[name]
		if f.name == "type" && from.Map[name] == "" {
			b.bad(key+".map."+name, "nothing", "one of "+strings.Join(allowed, ", "))
		}
		check(key+".map."+name, from.Map[name])
	}
}
