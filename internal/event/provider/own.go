package provider

import (
	"slices"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/mapping"
)

// ownFormats are the formats that a configuration describes, as one decoder looks for them.
type ownFormats struct {
	list []*mapping.Format
	only *mapping.Format // has no tests and was asked for by name: every object is of it
	// first tells that objects have to be held against them before they may be taken for native ones.
	first bool
	// foreign is isForeign with their keys too.
	foreign func(key string) bool
}

// newOwnFormats picks those of the list that a decoder for the given format looks for: all of them for auto, else the one that
// it is, if it is one.
func newOwnFormats(format string, list []*mapping.Format) ownFormats {
	o := ownFormats{foreign: isForeign}
	var keys []string
	for _, f := range list {
		if format != Auto && format != f.Name() {
			continue
		}
		o.list = append(o.list, f)
		if !f.Recognises() {
			if format == f.Name() {
				o.only = f
			}
			continue
		}
		key, safe := markOf(f)
		if o.first = o.first || !safe; key != "" {
			keys = append(keys, key)
		}
	}
	if len(keys) > 0 {
		o.foreign = func(key string) bool { return isForeign(key) || slices.Contains(keys, key) }
	}
	return o
}

// markOf finds a key by which the one pass over a native event sees that the event may be of the format: one that native events
// do not have, or the type when it is none of theirs (then the key is ""). It is false when there is none such.
func markOf(f *mapping.Format) (key string, safe bool) {
	marks := f.Marks()
	for _, m := range marks {
		if !isNativeKey(m.Key) {
			return m.Key, true
		}
	}
	for _, m := range marks {
		isNativeType := func(name string) bool { _, ok := event.ParseType(name); return ok }
		if m.Key == "type" && m.Values != nil && !slices.ContainsFunc(m.Values, isNativeType) {
			return "", true
		}
	}
	return "", false
}

// isNativeKey reports whether the native form has a field of that name.
func isNativeKey(key string) bool {
	switch key {
	case "type", "time", "id", "recipient", "message_id", "tenant", "ip", "pool", "domain", "campaign", "stream", "provider",
		"bounce", "complaint", "unsubscribe", "optin", "machine", "sent_at":
		return true
	}
	return false
}

// NamesWith returns Names and those of own formats.
func NamesWith(own []*mapping.Format) []string {
	names := Names()
	for _, f := range own {
		names = append(names, f.Name())
	}
	return names
}

func (o *ownFormats) named(name string) *mapping.Format {
	for _, f := range o.list {
		if f.Name() == name {
			return f
		}
	}
	return nil
}

// recognise returns the first format whose tests an object passes, "" when there is none.
func (o *ownFormats) recognise(v jsonvalue.Value) string {
	if o.only != nil {
		return o.only.Name()
	}
	for _, f := range o.list {
		if f.Is(v) {
			return f.Name()
		}
	}
	return ""
}

// recognise finds the format of an object: an own one before all others, since whoever describes a format means what fits it.
func (d *Decoder) recognise(v jsonvalue.Value) string {
	if format := d.own.recognise(v); format != "" {
		return format
	}
	return recognise(v)
}
