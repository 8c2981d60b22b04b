// Package event holds the mail event that everything else counts: its types, its fields and how the native JSON form
// becomes one. It does no I/O and knows no provider; those live in event/provider.
package event

import "time"

// Event is one thing that happened to one message. Its strings may alias the buffer that it was decoded from: they are
// valid until that decoder's next call. Clone copies an event that has to live longer.
//
// Absent texts are empty. Defaults that only counting assumes (tenant "default", a provider derived from the recipient's
// domain) are not filled in here.
type Event struct {
	Type      Type
	Time      time.Time // when it happened, UTC
	ID        string    // the producer's id of this event
	Recipient string    // mailbox, trimmed and lower-cased
	MessageID string
	Tenant    string // the sender whose list it is
	IP        string // sending IP
	Pool      string // IP pool
	Domain    string // From domain
	Campaign  string
	Stream    string // message stream
	Provider  string // mailbox provider, only when the payload says so

	BounceClass    BounceClass // on Bounce only
	BounceCategory string      // on Bounce only
	BounceCode     string      // on Bounce only, an enhanced status code (RFC 3463)
	BounceAsync    bool        // on Bounce only: the message had been reported delivered before

	ComplaintKind     ComplaintKind     // on Complaint only
	UnsubscribeMethod UnsubscribeMethod // on Unsubscribe only
	OptInDouble       bool              // on OptIn only: confirmed
	Machine           bool              // on Open, Click and Reply only: made by a machine

	SentAt time.Time // when the message was sent; zero when unknown
}

// Clone returns a copy whose strings share nothing with the buffer that e was decoded from.
func (e *Event) Clone() Event {
	c := *e
	for _, s := range []*string{
		&c.ID, &c.Recipient, &c.MessageID, &c.Tenant, &c.IP, &c.Pool, &c.Domain, &c.Campaign, &c.Stream, &c.Provider,
		&c.BounceCategory, &c.BounceCode,
	} {
		*s = string(append([]byte(nil), *s...))
	}
	return c
}

// Type says what happened. The zero value is Unknown and never counted.
type Type uint8

// The types of events.
const (
	Unknown     Type = iota
	Delivery         // accepted by the mailbox provider
	Bounce           // finally refused
	Complaint        // marked as spam, or another feedback report
	Unsubscribe      // the recipient left
	Open             //
	Click            //
	Reply            //
	OptIn            // the recipient asked for mail
	Send             // accepted for sending
	Deferral         // a temporary failure
	Drop             // never attempted: suppressed, rejected by policy
)

var typeNames = [...]string{"unknown", "delivery", "bounce", "complaint", "unsubscribe", "open", "click", "reply", "optin", "send", "deferral", "drop"}

// String returns the name as the native form writes it.
func (t Type) String() string { return name(typeNames[:], int(t)) }

// ParseType finds a type by its native name, exact and lower case. It is false for "unknown" and for every other text.
func ParseType(s string) (Type, bool) {
	i, ok := parse(typeNames[:], s)
	return Type(i), ok && i != 0
}

// BounceClass says why a message was finally refused. The zero value is Undetermined, the default.
type BounceClass uint8

// The classes of bounces.
const (
	Undetermined BounceClass = iota
	Hard                     // no such mailbox or domain
	Soft                     // mailbox full, out of time, and other faults of the moment
	Block                    // refused for reputation, content or policy
	Admin                    // refused by the sender's own configuration; never in a rate
)

var classNames = [...]string{"undetermined", "hard", "soft", "block", "admin"}

// String returns the name as the native form writes it.
func (c BounceClass) String() string { return name(classNames[:], int(c)) }

// ParseBounceClass finds a class by its lower-case name.
func ParseBounceClass(s string) (BounceClass, bool) {
	i, ok := parse(classNames[:], s)
	return BounceClass(i), ok
}

// ComplaintKind is the feedback type of a report (RFC 5965, RFC 6430, RFC 6591). The zero value is Abuse, the default.
type ComplaintKind uint8

// The kinds of complaints.
const (
	Abuse ComplaintKind = iota
	Fraud
	Virus
	Other
	NotSpam     // withdrawn: not counted as a complaint
	AuthFailure // a report on authentication: not counted as a complaint
)

var kindNames = [...]string{"abuse", "fraud", "virus", "other", "not-spam", "auth-failure"}

// String returns the name as the native form writes it.
func (k ComplaintKind) String() string { return name(kindNames[:], int(k)) }

// ParseComplaintKind finds a kind by its lower-case name.
func ParseComplaintKind(s string) (ComplaintKind, bool) {
	i, ok := parse(kindNames[:], s)
	return ComplaintKind(i), ok
}

// UnsubscribeMethod says how a recipient left. The zero value means that it is not known.
type UnsubscribeMethod uint8

// The methods of unsubscribing.
const (
	MethodUnknown UnsubscribeMethod = iota
	OneClick                        // the mail client's own button (RFC 8058)
	Link                            // a link in the message
	Mailto                          // a mail was sent
	Manual                          // somebody else did it: support, an administrator
)

var methodNames = [...]string{"", "one-click", "link", "mailto", "manual"}

// String returns the name as the native form writes it, "" when unknown.
func (m UnsubscribeMethod) String() string { return name(methodNames[:], int(m)) }

// ParseUnsubscribeMethod finds a method by its lower-case name.
func ParseUnsubscribeMethod(s string) (UnsubscribeMethod, bool) {
	i, ok := parse(methodNames[:], s)
	return UnsubscribeMethod(i), ok && i != 0
}

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return "invalid"
}

func parse(names []string, s string) (int, bool) {
	for i, n := range names {
		if n == s {
			return i, true
		}
	}
	return 0, false
}
