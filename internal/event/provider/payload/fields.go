package payload

import (
	"cmp"
	"slices"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
)

// Time reads the time of an event from the first of the sources that is readable. Without one it says what is wrong with
// field, the name of the first source: pass that to Out.Refuse.
func Time(field string, sources ...jsonvalue.Value) (time.Time, *event.Rejection) {
	rejection := &event.Rejection{Reason: event.NoTime, Detail: field + ": absent, every event needs a time"}
	for _, s := range sources {
		text := s.Text()
		if t, ok := event.ParseTime(text); ok {
			return t, nil
		}
		if text != "" {
			rejection = &event.Rejection{Reason: event.BadTime, Detail: field + ": neither RFC 3339 nor a number since 1970"}
		}
	}
	return time.Time{}, rejection
}

// SentAt reads when the message was sent from the first of the sources that is readable, else it is zero.
func SentAt(sources ...jsonvalue.Value) time.Time {
	for _, s := range sources {
		if t, ok := event.ParseTime(s.Text()); ok {
			return t
		}
	}
	return time.Time{}
}

// Labels are what a sender can put into the metadata of its mail for sendwatch to find.
type Labels struct{ Tenant, Campaign, Stream string }

// ReadLabels reads them from the object that a format's table names; anything else than an object has none.
func ReadLabels(metadata jsonvalue.Value) Labels {
	return Labels{
		Tenant:   metadata.Get("tenant").Text(),
		Campaign: metadata.Get("campaign").Text(),
		Stream:   metadata.Get("stream").Text(),
	}
}

// ReadLabelsInText reads them from a text that holds a JSON object; anything else has none.
func ReadLabelsInText(metadata jsonvalue.Value) Labels {
	object, err := metadata.Nested()
	if err != nil {
		return Labels{}
	}
	return ReadLabels(object)
}

// Or fills what no label says from the provider's own fields, the first that has a text.
func (l Labels) Or(tenant, campaign, stream string) Labels {
	return Labels{cmp.Or(l.Tenant, tenant), cmp.Or(l.Campaign, campaign), cmp.Or(l.Stream, stream)}
}

// Put sets the labels' fields of e.
func (l Labels) Put(e *event.Event) { e.Tenant, e.Campaign, e.Stream = l.Tenant, l.Campaign, l.Stream }

// UnlessZero is the text of an id that is written as 0 when there is none.
func UnlessZero(v jsonvalue.Value) string {
	if text := v.Text(); text != "0" {
		return text
	}
	return ""
}

// Recipients collects addresses: what is none is left out, and a repeated one is taken once.
type Recipients struct {
	list []string
	seen map[string]struct{}
}

// Add takes the address out of text. It is false when there is none, or when it is there already.
func (r *Recipients) Add(text string) bool {
	a := event.Address(text)
	if a == "" || r.has(a) {
		return false
	}
	r.list = append(r.list, a)
	if r.seen != nil {
		r.seen[a] = struct{}{}
	}
	return true
}

// has searches short lists as they are; a list that could be long enough to make that slow gets an index.
func (r *Recipients) has(a string) bool {
	const short = 32
	if len(r.list) < short {
		return slices.Contains(r.list, a)
	}
	if r.seen == nil {
		r.seen = make(map[string]struct{}, 2*short)
		for _, known := range r.list {
			r.seen[known] = struct{}{}
		}
	}
	_, ok := r.seen[a]
	return ok
}

// Last returns the address that was added last.
func (r *Recipients) Last() string { return r.list[len(r.list)-1] }

// List returns the addresses in the order in which they came.
func (r *Recipients) List() []string { return r.list }

// AddressesOf collects the addresses of a list of texts; with a path, of what it leads to in each element. What is no list
// has none.
func AddressesOf(list jsonvalue.Value, path ...string) []string {
	var r Recipients
	for element := range list.Elements() {
		r.Add(element.Get(path...).Text())
	}
	return r.List()
}

// AddressesOfEither is AddressesOf for a place that holds a list or one text.
func AddressesOfEither(v jsonvalue.Value) []string {
	if v.IsArray() {
		return AddressesOf(v)
	}
	var r Recipients
	r.Add(v.Text())
	return r.List()
}
