package engagement

import (
	"time"

	"sendwatch/internal/event"
)

// State is what a recipient is on a day. The zero value is Unknown.
type State uint8

// The states.
const (
	Unknown   State = iota // no event (drops are none) within the period
	Engaged                // interacted within the period
	New                    // not engaged, first seen a short time ago
	Unengaged              // known, and neither
)

// String returns the name as HTTP answers write it.
func (s State) String() string {
	return [...]string{"unknown", "engaged", "new", "unengaged"}[s]
}

// Recipient is what is remembered of one (tenant, recipient): newest days and times, never the events. Records are read and
// written by value; make one with NewRecipient.
type Recipient struct {
	First      Day // first event, since the recipient was last forgotten
	Last       Day // newest event
	Interacted Day // newest interaction that no machine made

	Unsubscribed Instant // newest unsubscribe
	Complained   Instant // newest complaint
	HardBounced  Instant // newest hard bounce
	OptedIn      Instant // newest opt-in
}

// NewRecipient is the record of somebody of whom nothing is known.
func NewRecipient() Recipient {
	return Recipient{First: Never, Last: Never, Interacted: Never,
		Unsubscribed: NeverAt, Complained: NeverAt, HardBounced: NeverAt, OptedIn: NeverAt}
}

// Kind is what an event means to its recipient's record.
type Kind uint8

// The kinds.
const (
	NotSeen     Kind = iota // a drop: the recipient was not written to
	Seen                    // any other event
	Interaction             // an open, click or reply that no machine made
	OptIn                   // an interaction that lifts suppression
	Unsubscribe
	Complaint
	HardBounce
)

// KindOf says what the event means to its recipient's record.
func KindOf(e *event.Event) Kind {
	switch e.Type {
	case event.Drop, event.Unknown:
		return NotSeen
	case event.Open, event.Click, event.Reply:
		if !e.Machine {
			return Interaction
		}
	case event.OptIn:
		return OptIn
	case event.Unsubscribe:
		return Unsubscribe
	case event.Complaint:
		if e.ComplaintKind != event.NotSpam && e.ComplaintKind != event.AuthFailure {
			return Complaint
		}
	case event.Bounce:
		if e.BounceClass == event.Hard {
			return HardBounce
		}
	}
	return Seen
}

// See takes an event of this recipient into the record. b are the bounds of the event's day, at is its time. Order of events
// does not matter as long as they lie closer together than a recipient is remembered.
//
// An event after the recipient was forgotten begins the record anew. One from before that, which comes late, changes nothing:
// by the time the record began, it had been forgotten.
func (r *Recipient) See(kind Kind, at Instant, b *Bounds) {
	if kind == NotSeen {
		return
	}
	switch {
	case r.Last < b.Forgotten:
		*r = NewRecipient()
		r.First, r.Last = b.Day, b.Day
	case r.First > b.Remembers:
		return
	}
	r.First, r.Last = min(r.First, b.Day), max(r.Last, b.Day)
	switch kind {
	case OptIn:
		r.OptedIn = max(r.OptedIn, at)
		r.Interacted = max(r.Interacted, b.Day)
	case Interaction:
		r.Interacted = max(r.Interacted, b.Day)
	case Unsubscribe:
		r.Unsubscribed = max(r.Unsubscribed, at)
	case Complaint:
		r.Complained = max(r.Complained, at)
	case HardBounce:
		r.HardBounced = max(r.HardBounced, at)
	}
}

// State is the recipient's state on the day of the bounds.
func (r *Recipient) State(b *Bounds) State {
	switch {
	case r.Last < b.Engaged:
		return Unknown
	case r.Interacted >= b.Engaged:
		return Engaged
	case r.First >= b.New:
		return New
	}
	return Unengaged
}

// SuppressedFor tells whether a delivery at that time came more than honourWithin after an unsubscribe or complaint that no
// later opt-in lifts. Of several unsubscribes (or complaints) the newest is the one that is remembered.
func (r *Recipient) SuppressedFor(at Instant, honourWithin time.Duration) bool {
	return r.overdue(r.Unsubscribed, at, honourWithin) || r.overdue(r.Complained, at, honourWithin)
}

func (r *Recipient) overdue(since, at Instant, honourWithin time.Duration) bool {
	return since != NeverAt && r.OptedIn <= since && at-since > Instant(honourWithin)
}

// Suppression says which reasons there are not to write to somebody.
type Suppression struct{ Unsubscribed, Complained, HardBounced bool }

// Any tells whether there is a reason.
func (s Suppression) Any() bool { return s.Unsubscribed || s.Complained || s.HardBounced }

// Suppression gives the reasons that no later opt-in has lifted.
func (r *Recipient) Suppression() Suppression {
	holds := func(since Instant) bool { return since != NeverAt && r.OptedIn <= since }
	return Suppression{holds(r.Unsubscribed), holds(r.Complained), holds(r.HardBounced)}
}
