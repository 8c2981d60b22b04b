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

// Ignore is what a type map gives for names of things that are no mail events.
const Ignore = "ignore"

// AnyOther is the name in a map, and the value of a test, that stands for every one that is there.
const AnyOther = "*"

// source is where a field comes from.
type source struct {
	from  []Path
	words map[string]string // lower case, to what they stand for
	value string            // when no path leads to anything
}

// field knows how a source's text becomes a part of an event.
type field struct {
	name   string
	mapped bool            // may have a map and a constant
	words  func() []string // what a map and a constant may give; nil = any text
	put    func(e *event.Event, text string)
}

// fields are those that can be filled, in the order of the native form. Those without put are read by the format itself.
func fields() []field {
	text := func(name string, put func(e *event.Event, text string)) field {
		return field{name: name, mapped: true, put: put}
	}
	flag := func(name string, put func(e *event.Event)) field {
		f := text(name, func(e *event.Event, text string) {
			if text == "true" {
				put(e)
			}
		})
		f.words = func() []string { return []string{"true", "false"} }
		return f
	}
	return []field{
		{name: "type", mapped: true, words: func() []string { return append(typeNames(), Ignore) }},
		{name: "time"},
		text("id", func(e *event.Event, text string) { e.ID = text }),
		{name: "recipient"},
		text("message_id", func(e *event.Event, text string) { e.MessageID = event.MailID(text) }),
		text("tenant", func(e *event.Event, text string) { e.Tenant = text }),
		text("ip", func(e *event.Event, text string) { e.IP = event.IP(text) }),
		text("pool", func(e *event.Event, text string) { e.Pool = text }),
		text("domain", func(e *event.Event, text string) { e.Domain = domainIn(text) }),
		text("campaign", func(e *event.Event, text string) { e.Campaign = text }),
		text("stream", func(e *event.Event, text string) { e.Stream = text }),
		text("provider", func(e *event.Event, text string) { e.Provider = cmp.Or(status.MailboxProvider(text), text) }),
		{name: "bounce.class", mapped: true, words: names(event.ParseBounceClass, event.Admin), put: putClass},
		text("bounce.category", func(e *event.Event, text string) { e.BounceCategory = text }),
		{name: "bounce.code"},
		flag("bounce.async", func(e *event.Event) { e.BounceAsync = true }),
		{name: "complaint.kind", mapped: true, words: func() []string {
			return append(names(event.ParseComplaintKind, event.AuthFailure)(), "opt-out")
		}, put: putKind},
		{name: "unsubscribe.method", mapped: true, words: names(event.ParseUnsubscribeMethod, event.Manual), put: putMethod},
		flag("optin.double", func(e *event.Event) { e.OptInDouble = true }),
		flag("machine", func(e *event.Event) { e.Machine = true }),
		{name: "sent_at"},
	}
}

// FieldNames lists the fields that a format can fill.
func FieldNames() []string {
	var list []string
	for _, f := range fields() {
		list = append(list, f.name)
	}
	return list
}

func typeNames() []string {
	var list []string
	for t := event.Delivery; t <= event.Drop; t++ {
		list = append(list, t.String())
	}
	return list
}

// names lists an enumeration that begins with its zero value.
func names[T interface {
	~uint8
	String() string
}](parse func(string) (T, bool), last T) func() []string {
	return func() []string {
		var list []string
		for v := T(0); v <= last; v++ {
			if _, ok := parse(v.String()); ok {
				list = append(list, v.String())
			}
		}
		return list
	}
}

// domainIn is the domain of an address, or a domain that stands by itself.
func domainIn(text string) string {
	if strings.Contains(text, "@") {
		return event.DomainOf(text)
	}
	return event.Domain(text)
}

// putClass takes a class by its name; another text leaves the class to the codes.
func putClass(e *event.Event, text string) {
	if c, ok := event.ParseBounceClass(strings.ToLower(text)); ok {
		e.BounceClass = c
	}
}

// putKind takes a feedback type. That of "opt-out" is no complaint.
func putKind(e *event.Event, text string) {
	kind, optOut := status.Kind(text)
	e.ComplaintKind = kind
	if optOut && e.Type == event.Complaint {
		e.Type, e.ComplaintKind = event.Unsubscribe, event.Abuse
	}
}

func putMethod(e *event.Event, text string) {
	if m, ok := event.ParseUnsubscribeMethod(strings.ToLower(text)); ok {
		e.UnsubscribeMethod = m
	}
}

// scalar is the text of a value: as the other formats take it and, besides, "true" and "false".
func scalar(v jsonvalue.Value) string {
	if text := v.Text(); text != "" {
		return text
	}
	switch {
	case v.IsTrue():
		return "true"
	case v.IsPresent() && !v.IsString() && !v.IsObject() && !v.IsArray():
		return "false"
	}
	return ""
}

// raw is the text that the first path with one leads to, and that path.
func (s *source) raw(record, element jsonvalue.Value) (text string, from int) {
	for i := range s.from {
		if text := scalar(s.from[i].find(record, element)); text != "" {
			return text, i
		}
	}
	return "", -1
}

// text is what the source gives after its map, or its constant.
func (s *source) text(record, element jsonvalue.Value) string {
	text, _ := s.raw(record, element)
	if text == "" {
		return s.value
	}
	return s.translate(text)
}

// translate gives what a text stands for; one that the map lacks stays as it is.
func (s *source) translate(text string) string {
	if s.words == nil {
		return text
	}
	if to, ok := s.words[strings.ToLower(text)]; ok {
		return to
	}
	if to, ok := s.words[AnyOther]; ok {
		return to
	}
	return text
}

// texts are all texts that the paths lead to.
func (s *source) texts(record, element jsonvalue.Value) []string {
	var list []string
	for i := range s.from {
		if text := s.from[i].find(record, element).Text(); text != "" {
			list = append(list, text)
		}
	}
	return list
}

// values are the places that the paths lead to.
func (s *source) values(record, element jsonvalue.Value) []jsonvalue.Value {
	list := make([]jsonvalue.Value, len(s.from))
	for i := range s.from {
		list[i] = s.from[i].find(record, element)
	}
	return list
}

// addresses are those that the first path with any leads to: a text, a list of them, or with [*] one in each element.
func (s *source) addresses(record, element jsonvalue.Value) []string {
	for i := range s.from {
		var found payload.Recipients
		for v := range s.from[i].all(record, element) {
			for _, a := range payload.AddressesOfEither(v) {
				found.Add(a)
			}
		}
		if list := found.List(); len(list) > 0 {
			return list
		}
	}
	return nil
}

func fieldNamed(name string) (field, bool) {
	all := fields()
	i := slices.IndexFunc(all, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return all[i], true
}
