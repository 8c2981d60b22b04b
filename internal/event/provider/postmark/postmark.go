// Package postmark reads the events of Postmark's webhooks.
//
// Format and classes of bounces: Bounce API, bounce types, https://postmarkapp.com/developer/api/bounce-api
package postmark

import (
	"cmp"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads one event.
func Decode(v jsonvalue.Value, out *payload.Out) {
	name := v.Get("RecordType").Text()
	switch strings.ToLower(name) {
	case "delivery":
		emit(v, event.Event{Type: event.Delivery}, "DeliveredAt", out)
	case "bounce":
		bounce(v, out)
	case "spamcomplaint":
		emit(v, event.Event{Type: event.Complaint, ID: payload.UnlessZero(v.Get("ID"))}, "BouncedAt", out)
	case "open":
		emit(v, event.Event{Type: event.Open}, "ReceivedAt", out)
	case "click":
		emit(v, event.Event{Type: event.Click}, "ReceivedAt", out)
	case "subscriptionchange":
		subscriptionChange(v, out)
	case "inbound":
		out.Ignore()
	default:
		out.Reject(event.UnknownType, "RecordType: %s is no record that Postmark is known to have", payload.Name(name))
	}
}

// emit fills the rest of e, whose time is that of the field named, and adds it.
func emit(v jsonvalue.Value, e event.Event, when string, out *payload.Out) {
	var rejection *event.Rejection
	if e.Time, rejection = payload.Time(when, v.Get(when)); rejection != nil {
		out.Refuse(rejection)
		return
	}
	e.Recipient = cmp.Or(event.Address(v.Get("Email").Text()), event.Address(v.Get("Recipient").Text()))
	e.MessageID = event.MailID(v.Get("MessageID").Text())
	e.Domain = event.DomainOf(v.Get("From").Text())
	server := cmp.Or(v.Get("ServerID").Text(), v.Get("ServerId").Text())
	payload.ReadLabels(v.Get("Metadata")).Or(server, v.Get("Tag").Text(), v.Get("MessageStream").Text()).Put(&e)
	out.Event(e)
}

// bounce reads a record of the kind Bounce, which covers much else besides bounces.
func bounce(v jsonvalue.Value, out *payload.Out) {
	e := event.Event{
		ID:             payload.UnlessZero(v.Get("ID")),
		BounceCategory: v.Get("Type").Text(),
		BounceCode:     status.Code(v.Get("Details").Text()),
	}
	e.Type = event.Bounce
	switch strings.ToLower(e.BounceCategory) {
	case "hardbounce":
		e.BounceClass = event.Hard
	case "softbounce":
		e.BounceClass = event.Soft
	case "blocked", "dmarcpolicy", "virusnotification":
		e.BounceClass = event.Block
	case "spamnotification": // delivered, then filtered; nobody complained
		e.BounceClass, e.BounceAsync = event.Block, true
	case "transient", "dnserror":
		e.Type = event.Deferral
	case "bademailaddress", "manuallydeactivated", "unconfirmed", "smtpapierror", "templaterenderingfailed":
		e.Type = event.Drop
	case "spamcomplaint":
		e.Type = event.Complaint
	case "unsubscribe":
		e.Type, e.UnsubscribeMethod = event.Unsubscribe, event.Mailto
	case "subscribe":
		e.Type = event.OptIn
	case "autoresponder", "addresschange", "openrelaytest", "challengeverification", "inbounderror":
		out.Ignore()
		return
	}
	emit(v, e, "BouncedAt", out)
}

// subscriptionChange reads what put an address on the suppression list, or took it off. Bounces and complaints do so too,
// and were events already; who is taken off by an administrator has not asked for it.
func subscriptionChange(v jsonvalue.Value, out *payload.Out) {
	origin, reason := strings.ToLower(v.Get("Origin").Text()), strings.ToLower(v.Get("SuppressionReason").Text())
	suppressed := v.Get("SuppressSending").IsTrue()
	switch {
	case suppressed && (reason == "hardbounce" || reason == "spamcomplaint"):
		out.Ignore()
	case suppressed && (origin == "customer" || origin == "admin"):
		emit(v, event.Event{Type: event.Unsubscribe, UnsubscribeMethod: event.Manual}, "ChangedAt", out)
	case suppressed:
		emit(v, event.Event{Type: event.Unsubscribe}, "ChangedAt", out)
	case origin == "recipient":
		emit(v, event.Event{Type: event.OptIn}, "ChangedAt", out)
	default:
		out.Ignore()
	}
}
