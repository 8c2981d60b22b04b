// Package mandrill reads the events of the webhooks of Mandrill, also called Mailchimp Transactional.
//
// Format and classes of bounces: Webhooks, https://mailchimp.com/developer/transactional/docs/webhooks/
package mandrill

import (
	"cmp"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads one event, or the batch of a webhook, which is a list or a text that holds one.
func Decode(v jsonvalue.Value, out *payload.Out) {
	batch := v.Get("mandrill_events")
	if !batch.IsArray() && !batch.IsString() {
		decode(v, out)
		return
	}
	if batch.IsString() {
		var err error
		if batch, err = batch.Nested(); err != nil {
			out.Reject(event.BadPayload, "mandrill_events: a text that is not JSON: %s", err)
			return
		}
		if !batch.IsArray() {
			out.Reject(event.BadPayload, "mandrill_events: expected a list")
			return
		}
	}
	for element := range batch.Elements() {
		decode(element, out)
	}
}

// decode reads one event. It has no id: the one in it is the message's.
func decode(v jsonvalue.Value, out *payload.Out) {
	name := v.Get("event").Text()
	e, known := start(strings.ToLower(name))
	switch {
	case !known && name == "" && isSync(v.Get("type").Text()):
		out.Ignore()
		return
	case !known:
		out.Reject(event.UnknownType, "event: %s is no event that Mandrill is known to have", payload.Name(name))
		return
	case e.Type == event.Unknown:
		out.Ignore()
		return
	}
	var rejection *event.Rejection
	if e.Time, rejection = payload.Time("ts", v.Get("ts")); rejection != nil {
		out.Refuse(rejection)
		return
	}
	msg := v.Get("msg")
	e.Recipient = event.Address(msg.Get("email").Text())
	e.MessageID = event.MailID(cmp.Or(msg.Get("_id").Text(), v.Get("_id").Text()))
	e.SentAt = payload.SentAt(msg.Get("ts"))
	e.Domain = event.DomainOf(msg.Get("sender").Text())
	e.BounceCategory = msg.Get("bounce_description").Text()
	e.BounceCode = status.Code(msg.Get("diag").Text())
	payload.ReadLabels(msg.Get("metadata")).Or(msg.Get("subaccount").Text(), msg.Get("tags").First().Text(), "").Put(&e)
	out.Event(e)
}

// start knows what the name of an event says. Those that are no mail events are known, and of the type Unknown.
func start(name string) (e event.Event, known bool) {
	switch name {
	case "send":
		e.Type = event.Send
	case "delivered":
		e.Type = event.Delivery
	case "deferral":
		e.Type = event.Deferral
	case "hard_bounce":
		e.Type, e.BounceClass = event.Bounce, event.Hard
	case "soft_bounce":
		e.Type, e.BounceClass = event.Bounce, event.Soft
	case "reject":
		e.Type = event.Drop
	case "spam":
		e.Type = event.Complaint
	case "unsub":
		e.Type = event.Unsubscribe
	case "open":
		e.Type = event.Open
	case "click":
		e.Type = event.Click
	case "inbound":
	default:
		return e, false
	}
	return e, true
}

// isSync knows the events that keep a copy of the deny and allow lists.
func isSync(typ string) bool {
	return strings.EqualFold(typ, "blacklist") || strings.EqualFold(typ, "whitelist")
}
