// Package mapping reads payloads of formats that a configuration describes: which path of a payload leads to which field of
// an event. It keeps to the rules that the built-in formats keep to (trimming, numbers as their digits, addresses, times, what
// is rejected), and adds none but how a description is written. It reads no configuration itself.
package mapping

import (
	"cmp"
	"slices"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Format is a format of one's own. It is immutable and safe for concurrent use.
type Format struct {
	name string
	when []test
	each *Path

	typ, time, sentAt, recipient, code source // without paths when not described
	rest                               []filling
}

// filling is a field that is filled by one text.
type filling struct {
	field  field
	source *source
}

// test is one thing that a payload must have to be of the format.
type test struct {
	path   Path
	values []string
}

// Name is the format's name.
func (f *Format) Name() string { return f.name }

// Recognises reports whether the format says how its payloads are told from others. One that does not is taken only where it
// is asked for by name.
func (f *Format) Recognises() bool { return len(f.when) > 0 }

// Is reports whether a payload passes the format's tests. A format without tests has none that does.
func (f *Format) Is(record jsonvalue.Value) bool {
	for i := range f.when {
		if !f.when[i].holds(record) {
			return false
		}
	}
	return len(f.when) > 0
}

func (t *test) holds(record jsonvalue.Value) bool {
	v := t.path.find(record, record)
	if slices.Contains(t.values, AnyOther) && v.IsPresent() {
		return true
	}
	return slices.Contains(t.values, cmp.Or(v.Exact(), scalar(v)))
}

// Mark is a key that every payload of the format has, and what it may hold: nil when it may hold anything, or when only a part
// of what it holds is looked at.
type Mark struct {
	Key    string
	Values []string
}

// Marks are the keys of the payload itself that the format's tests look at.
func (f *Format) Marks() []Mark {
	var marks []Mark
	for _, t := range f.when {
		m := Mark{Key: t.path.first()}
		if len(t.path.steps) == 1 && !slices.Contains(t.values, AnyOther) {
			m.Values = t.values
		}
		marks = append(marks, m)
	}
	return marks
}

// Decode reads one payload.
func (f *Format) Decode(record jsonvalue.Value, out *payload.Out) {
	if f.each == nil {
		f.one(record, record, out)
		return
	}
	batch := f.each.find(record, record)
	if !batch.IsArray() {
		out.Reject(event.BadPayload, "%s: no array, expected the batch of the format %s", f.each, f.name)
		return
	}
	for element := range batch.Elements() {
		if !element.IsObject() {
			out.Reject(event.UnknownShape, "%s: an element that is not an object", f.each)
			continue
		}
		f.one(record, element, out)
	}
}

// one reads one element of a batch, or a record that is none.
func (f *Format) one(record, element jsonvalue.Value, out *payload.Out) {
	var e event.Event
	name, from := f.typ.raw(record, element)
	typ := f.typ.text(record, element)
	switch t, ok := event.ParseType(strings.ToLower(typ)); {
	case typ == Ignore:
		out.Ignore()
		return
	case ok:
		e.Type = t
	case from < 0:
		out.Reject(event.UnknownType, "%s: absent, expected the name of an event of the format %s", f.typ.path(0), f.name)
		return
	default:
		out.Reject(event.UnknownType, "%s: %s is no event that the format %s has", f.typ.path(from), payload.Name(name), f.name)
		return
	}
	var rejection *event.Rejection
	if e.Time, rejection = payload.Time(f.time.path(0), f.time.values(record, element)...); rejection != nil {
		out.Refuse(rejection)
		return
	}
	f.fill(&e, record, element)
	recipients := f.recipient.addresses(record, element)
	if e.Type == event.Complaint {
		out.One(e, recipients) // one report, however many it lists
		return
	}
	out.Each(e, recipients)
}

// fill reads everything but type, time and recipient.
func (f *Format) fill(e *event.Event, record, element jsonvalue.Value) {
	e.SentAt = payload.SentAt(f.sentAt.values(record, element)...)
	if e.Type == event.Bounce {
		said := f.code.texts(record, element)
		e.BounceCode = status.Code(said...)
		e.BounceClass = status.Class(e.BounceCode, status.Reply(said...)) // unless a class is given
	}
	for i := range f.rest {
		if text := f.rest[i].source.text(record, element); text != "" {
			f.rest[i].field.put(e, text)
		}
	}
}

// path is how messages call a source.
func (s *source) path(i int) string {
	if len(s.from) == 0 {
		return "type"
	}
	return s.from[i].String()
}
