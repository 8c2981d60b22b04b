package windows

import "sendwatch/internal/event"

// Counter names one of the counts that are kept for every subject and bucket. Its number is part of the stored form:
// append, never renumber.
type Counter uint8

// The counters.
const (
	Sent Counter = iota
	Delivered
	BouncedHard
	BouncedSoft
	BouncedBlock
	BouncedUndetermined
	BouncedAdmin
	BouncedAsync // also counted in its class: bounces of hard, soft, block, undetermined after a delivery
	Complained
	ComplaintWithdrawn // not-spam
	AuthFailure        // auth-failure
	Unsubscribed
	Opened
	Clicked
	Replied
	OptedIn
	OptedInDouble // also counted in OptedIn
	Machine       // opens, clicks and replies made by machines; counted here only
	Deferred
	Dropped
	DeliveredReporting      // also counted in Delivered: at mailbox providers that send complaint reports
	DeliveredEngaged        // also counted in Delivered, by the state of the recipient on the day
	DeliveredNew            // likewise
	DeliveredUnengaged      // likewise
	DeliveredSuppressed     // beside those: after an unsubscribe or complaint
	NumCounters         int = iota
)

var counterNames = [NumCounters]string{
	"sent", "delivered", "bounced_hard", "bounced_soft", "bounced_block", "bounced_undetermined", "bounced_admin",
	"bounced_async", "complained", "complaint_withdrawn", "auth_failure", "unsubscribed", "opened", "clicked", "replied",
	"opted_in", "opted_in_double", "machine", "deferred", "dropped", "delivered_reporting", "delivered_engaged",
	"delivered_new", "delivered_unengaged", "delivered_suppressed",
}

// String returns the counter's name, as docs and tests write it.
func (c Counter) String() string { return counterNames[c] }

// Counts holds one value for every counter.
type Counts [NumCounters]int64

// Add adds o to c.
func (c *Counts) Add(o *Counts) {
	for i := range c {
		c[i] += o[i]
	}
}

// Bounced is the sum of the four classes that rates know (never admin).
func (c *Counts) Bounced() int64 {
	return c[BouncedHard] + c[BouncedSoft] + c[BouncedBlock] + c[BouncedUndetermined]
}

// CountersOf says which counter an event adds 1 to and, where it is counted a second time by a property of its own
// (bounced_async, opted_in_double), the second one; ok2 tells. What depends on more than the event (its mailbox provider,
// its recipient's state) is added by who knows that. The type must not be event.Unknown.
func CountersOf(e *event.Event) (first, second Counter, ok2 bool) {
	switch e.Type {
	case event.Send:
		return Sent, 0, false
	case event.Delivery:
		return Delivered, 0, false
	case event.Bounce:
		c := [...]Counter{event.Undetermined: BouncedUndetermined, event.Hard: BouncedHard, event.Soft: BouncedSoft,
			event.Block: BouncedBlock, event.Admin: BouncedAdmin}[e.BounceClass]
		return c, BouncedAsync, e.BounceAsync && c != BouncedAdmin
	case event.Complaint:
		switch e.ComplaintKind {
		case event.NotSpam:
			return ComplaintWithdrawn, 0, false
		case event.AuthFailure:
			return AuthFailure, 0, false
		default:
			return Complained, 0, false
		}
	case event.Unsubscribe:
		return Unsubscribed, 0, false
	case event.OptIn:
		return OptedIn, OptedInDouble, e.OptInDouble
	case event.Deferral:
		return Deferred, 0, false
	case event.Drop:
		return Dropped, 0, false
	}
	if e.Machine {
		return Machine, 0, false
	}
	switch e.Type {
	case event.Open:
		return Opened, 0, false
	case event.Click:
		return Clicked, 0, false
	case event.Reply:
		return Replied, 0, false
	}
	panic("windows: event without a type")
}
