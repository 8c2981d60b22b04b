package event

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"sendwatch/internal/event/jsonvalue"

	"github.com/go-json-experiment/json/jsontext"
)

// Native reads the native form of an event. It makes one pass over the keys of an object and allocates nothing once its
// memory has grown: the texts of an event share the memory of the object, or of the scratch that belongs to the Native,
// and are valid until Reset. It is for one goroutine at a time.
type Native struct {
	decoder jsontext.Decoder
	reader  bytes.Buffer
	scratch []byte // texts that had escapes, and what had to be lower-cased
	options [2]jsontext.Options
}

// NewNative returns a reader of native events.
func NewNative() *Native {
	return &Native{options: [2]jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}}
}

// Reset forgets the texts of the events read so far.
func (n *Native) Reset() {
	const keep = 1 << 20
	if cap(n.scratch) > keep {
		n.scratch = nil
	}
	n.scratch = n.scratch[:0]
}

// Envelope is what an envelope gives to an event that lacks it.
type Envelope struct{ ID, Time string }

// keys of the native form, as they were written; nil where a key is absent.
type nativeKeys struct {
	typ, time, sentAt                                    jsontext.Value
	id, recipient, messageID                             jsontext.Value
	tenant, ip, pool, domain, campaign, stream, provider jsontext.Value
	bounce, complaint, unsubscribe, optIn, machine       jsontext.Value
	other                                                jsontext.Value // the last of those that are not ours
}

// Read fills e from an object that is known to be the native form: its type is one of ours. e must be zero. Keys that
// other formats are recognised by do not matter any more. What e lacks and the envelope has is taken from there.
func (n *Native) Read(object []byte, envelope Envelope, e *Event) *Rejection {
	var k nativeKeys
	if !n.walk(object, nil, &k) {
		return &Rejection{NotJSON, "no JSON object"}
	}
	typ, ok := n.parseType(k.typ)
	if !ok {
		return &Rejection{UnknownType, "type: not one of the native types"}
	}
	e.Type = typ
	return n.fill(&k, envelope, e)
}

// TryRead fills e, which must be zero, when object is the native form and cannot be anything else: its type is one of
// ours, it has a time, and no key of it is foreign. It is false for everything else, bad JSON and nesting that is
// suspiciously deep too; a slower look has to tell then.
func (n *Native) TryRead(object []byte, foreign func(key string) bool, e *Event) (bool, *Rejection) {
	var k nativeKeys
	if !n.walk(object, foreign, &k) {
		return false, nil
	}
	typ, ok := n.parseType(k.typ)
	if !ok || !isPresent(k.time) {
		return false, nil
	}
	e.Type = typ
	return true, n.fill(&k, Envelope{}, e)
}

// walk notes where the values of an object are. Of duplicate keys the last counts. Without foreign the object is known to
// be good.
func (n *Native) walk(object []byte, foreign func(key string) bool, k *nativeKeys) bool {
	// One opening and one closing bracket a level: what is shorter than this cannot be nested too deeply.
	const shallow = 2 * (jsonvalue.MaxDepth - 1)
	d := n.start(object)
	if d.PeekKind() != '{' {
		return false
	}
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadValue()
		if err != nil {
			return false
		}
		place := k.place(jsonvalue.Alias(name[1 : len(name)-1]))
		if place == nil { // not ours, or written with escapes
			var key string
			n.scratch, key = jsonvalue.Unquote(n.scratch, name)
			if place = k.place(key); place == nil {
				place = &k.other
			}
			if foreign != nil && foreign(key) {
				return false
			}
		}
		if *place, err = d.ReadValue(); err != nil {
			return false
		}
		if foreign != nil && len(*place) > shallow && isContainer(*place) {
			return false
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	return jsonvalue.SkipSpace(object[d.InputOffset():]) == nil
}

func (n *Native) start(text []byte) *jsontext.Decoder {
	// A bytes.Buffer is parsed where it is, so what the decoder returns are parts of text.
	n.reader = *bytes.NewBuffer(text)
	n.decoder.Reset(&n.reader, n.options[:]...)
	return &n.decoder
}

func (k *nativeKeys) place(key string) *jsontext.Value {
	switch key {
	case "type":
		return &k.typ
	case "time":
		return &k.time
	case "id":
		return &k.id
	case "recipient":
		return &k.recipient
	case "message_id":
		return &k.messageID
	case "tenant":
		return &k.tenant
	case "ip":
		return &k.ip
	case "pool":
		return &k.pool
	case "domain":
		return &k.domain
	case "campaign":
		return &k.campaign
	case "stream":
		return &k.stream
	case "provider":
		return &k.provider
	case "bounce":
		return &k.bounce
	case "complaint":
		return &k.complaint
	case "unsubscribe":
		return &k.unsubscribe
	case "optin":
		return &k.optIn
	case "machine":
		return &k.machine
	case "sent_at":
		return &k.sentAt
	}
	return nil
}

// fill reads the values that walk found. The type of e is set already.
func (n *Native) fill(k *nativeKeys, envelope Envelope, e *Event) *Rejection {
	when := n.text(k.time)
	if when == "" {
		when = envelope.Time
	}
	if when == "" {
		return &Rejection{NoTime, "time: absent, every event needs a time"}
	}
	var ok bool
	if e.Time, ok = ParseTime(when); !ok {
		return &Rejection{BadTime, "time: neither RFC 3339 nor a number since 1970"}
	}
	if e.ID = n.text(k.id); e.ID == "" {
		e.ID = envelope.ID
	}
	e.Recipient = n.lower(mailbox(n.text(k.recipient)))
	e.MessageID = MailID(n.text(k.messageID))
	e.Tenant = n.text(k.tenant)
	e.IP = n.canonicalIP(n.text(k.ip))
	e.Pool = n.text(k.pool)
	e.Domain = n.lower(bareDomain(n.text(k.domain)))
	e.Campaign = n.text(k.campaign)
	e.Stream = n.text(k.stream)
	e.Provider = n.text(k.provider)
	e.Machine = isTrue(k.machine)
	if sent := n.text(k.sentAt); sent != "" {
		e.SentAt, _ = ParseTime(sent)
	}
	n.fillOwn(k, e)
	e.Tidy()
	return nil
}

// fillOwn reads the object that belongs to the type of e, and no other.
func (n *Native) fillOwn(k *nativeKeys, e *Event) {
	switch e.Type {
	case Bounce:
		class, category, code, async := n.members(k.bounce, "class", "category", "code", "async")
		e.BounceClass, _ = ParseBounceClass(n.lower(n.text(class)))
		e.BounceCategory, e.BounceCode, e.BounceAsync = n.text(category), n.text(code), isTrue(async)
	case Complaint:
		kind, _, _, _ := n.members(k.complaint, "kind", "", "", "")
		if text := n.lower(n.text(kind)); text != "" {
			var known bool
			if e.ComplaintKind, known = ParseComplaintKind(text); !known {
				e.ComplaintKind = Other
			}
		}
	case Unsubscribe:
		method, _, _, _ := n.members(k.unsubscribe, "method", "", "", "")
		e.UnsubscribeMethod, _ = ParseUnsubscribeMethod(n.text(method))
	case OptIn:
		double, _, _, _ := n.members(k.optIn, "double", "", "", "")
		e.OptInDouble = isTrue(double)
	}
}

// members returns up to four members of an object, nil for those that it lacks.
func (n *Native) members(object jsontext.Value, k0, k1, k2, k3 string) (v0, v1, v2, v3 jsontext.Value) {
	if len(object) == 0 || object[0] != '{' {
		return nil, nil, nil, nil
	}
	d := n.start(object)
	// The object is a part of one that has been read without an error.
	_, _ = d.ReadToken()
	for d.PeekKind() == '"' {
		name, _ := d.ReadValue()
		value, _ := d.ReadValue()
		var key string
		n.scratch, key = jsonvalue.Unquote(n.scratch, name)
		switch key {
		case "":
		case k0:
			v0 = value
		case k1:
			v1 = value
		case k2:
			v2 = value
		case k3:
			v3 = value
		}
	}
	return v0, v1, v2, v3
}

func (n *Native) parseType(v jsontext.Value) (Type, bool) {
	if len(v) == 0 || v[0] != '"' {
		return Unknown, false
	}
	var name string
	n.scratch, name = jsonvalue.Unquote(n.scratch, v)
	return ParseType(name)
}

// text is a string without the white space around it, a number's digits as they were written, "" for anything else.
func (n *Native) text(v jsontext.Value) string {
	switch {
	case len(v) == 0:
		return ""
	case v[0] == '"':
		var s string
		n.scratch, s = jsonvalue.Unquote(n.scratch, v)
		if s == "" || isInk(s[0]) && isInk(s[len(s)-1]) {
			return s
		}
		return strings.TrimSpace(s)
	case v[0] == '-' || isDigit(v[0]):
		return jsonvalue.Alias(v)
	}
	return ""
}

// isInk reports whether c is ASCII and certainly no white space.
func isInk(c byte) bool { return ' ' < c && c < utf8.RuneSelf }

// lower returns s in lower case, in the memory of n when that has to be written.
func (n *Native) lower(s string) string {
	i := 0
	for i < len(s) && (s[i] < 'A' || s[i] > 'Z' && s[i] < utf8.RuneSelf) {
		i++
	}
	if i == len(s) {
		return s
	}
	from := len(n.scratch)
	n.scratch = append(n.scratch, s...)
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			return strings.ToLower(s) // rare enough to allocate
		case 'A' <= c && c <= 'Z':
			n.scratch[from+i] = c + 'a' - 'A'
		}
	}
	return jsonvalue.Alias(n.scratch[from:])
}

// canonicalIP returns the canonical form of an IP address, and any other text as it is. IPv4 has one form only.
func (n *Native) canonicalIP(s string) string {
	if strings.IndexByte(s, ':') < 0 {
		return s
	}
	a, ok := parseIP(s)
	if !ok {
		return s
	}
	from := len(n.scratch)
	n.scratch = a.AppendTo(n.scratch)
	return jsonvalue.Alias(n.scratch[from:])
}

// isPresent reports whether v is there and neither null nor "".
func isPresent(v jsontext.Value) bool { return len(v) > 0 && v[0] != 'n' && string(v) != `""` }

func isTrue(v jsontext.Value) bool { return len(v) > 0 && v[0] == 't' }

func isContainer(v jsontext.Value) bool { return v[0] == '{' || v[0] == '[' }
