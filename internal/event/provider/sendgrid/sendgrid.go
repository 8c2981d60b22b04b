// Package sendgrid reads the events of SendGrid's Event Webhook.
//
// Format and classes of bounces: Event Webhook Reference, https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
package sendgrid

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
	name := strings.ToLower(v.Get("event").Text())
	if name == "account_status_change" {
		out.Ignore()
		return
	}
	t, ok := typeOf(name)
	if !ok {
		out.Reject(event.UnknownType, "event: %s is no event that SendGrid is known to have", payload.Name(v.Get("event").Text()))
		return
	}
	when, rejection := payload.Time("timestamp", v.Get("timestamp"))
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	e := event.Event{
		Type:      t,
		Time:      when,
		ID:        v.Get("sg_event_id").Text(),
		Recipient: event.Address(v.Get("email").Text()),
		MessageID: event.MailID(v.Get("sg_message_id").Text()),
		Pool:      v.Get("pool", "name").Text(),
		Domain:    event.DomainOf(v.Get("from").Text()),
		SentAt:    payload.SentAt(v.Get("send_at")),
		Machine:   t == event.Open && v.Get("sg_machine_open").IsTrue(),
	}
	switch t {
	case event.Send, event.Deferral, event.Delivery, event.Bounce, event.Drop: // on the others it is the reader's
		e.IP = event.IP(v.Get("ip").Text())
	}
	if t == event.Bounce {
		bounce(v, &e)
	}
	category := v.Get("category")
	campaign := cmp.Or(v.Get("singlesend_id").Text(), v.Get("marketing_campaign_id").Text(), category.Text(), category.First().Text())
	// Custom arguments of the sender are merged into the event.
	payload.ReadLabels(v).Or("", campaign, "").Put(&e)
	out.Event(e)
}

func typeOf(name string) (event.Type, bool) {
	switch name {
	case "processed":
		return event.Send, true
	case "deferred":
		return event.Deferral, true
	case "delivered":
		return event.Delivery, true
	case "bounce":
		return event.Bounce, true
	case "dropped":
		return event.Drop, true
	case "open":
		return event.Open, true
	case "click":
		return event.Click, true
	case "spamreport":
		return event.Complaint, true
	case "unsubscribe", "group_unsubscribe":
		return event.Unsubscribe, true
	case "group_resubscribe":
		return event.OptIn, true
	}
	return event.Unknown, false
}

func bounce(v jsonvalue.Value, e *event.Event) {
	kind, classification := v.Get("type").Text(), v.Get("bounce_classification").Text()
	e.BounceClass = classOf(kind, classification)
	e.BounceCategory = cmp.Or(classification, kind)
	e.BounceCode = status.Code(v.Get("status").Text(), v.Get("reason").Text())
	// One that comes as a mail, long after the delivery, knows neither the message nor the IP that it was sent from.
	e.BounceAsync = e.MessageID == "" && v.Get("ip").Text() == ""
}

func classOf(kind, classification string) event.BounceClass {
	if strings.EqualFold(kind, "blocked") {
		return event.Block
	}
	switch strings.ToLower(classification) {
	case "mailbox unavailable", "technical failure":
		return event.Soft
	case "content", "reputation", "frequency or volume too high":
		return event.Block
	}
	return event.Hard
}
