// Package postal reads the events of the webhooks of Postal, a mail server.
//
// Format and classes of bounces: Webhooks, https://docs.postalserver.io/developer/webhooks
package postal

import (
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads one event.
func Decode(v jsonvalue.Value, out *payload.Out) {
	inner := v.Get("payload")
	name := v.Get("event").Text()
	known := strings.ToLower(name)
	if inner.Get("original_message").IsPresent() && inner.Get("bounce").IsPresent() {
		known = "messagebounced" // whatever it is called
	}
	message := inner.Get("message")
	e := event.Event{}
	switch known {
	case "messagesent":
		e.Type = event.Delivery
	case "messagedelayed":
		e.Type = event.Deferral
	case "messagedeliveryfailed":
		e.Type = event.Bounce
	case "messagebounced": // it came back as a mail
		e.Type, e.BounceAsync = event.Bounce, true
		message = inner.Get("original_message")
	case "messageheld":
		e.Type = event.Drop
	case "messageloaded":
		e.Type = event.Open
	case "messagelinkclicked":
		e.Type = event.Click
	case "domaindnserror", "sendlimitapproaching", "sendlimitexceeded":
		out.Ignore()
		return
	default:
		out.Reject(event.UnknownType, "event: %s is no event that Postal is known to have", payload.Name(name))
		return
	}
	if strings.EqualFold(message.Get("direction").Text(), "incoming") {
		out.Ignore()
		return
	}
	// The envelope's time can be minutes later.
	var rejection *event.Rejection
	if e.Time, rejection = payload.Time("payload.timestamp", inner.Get("timestamp"), v.Get("timestamp")); rejection != nil {
		out.Refuse(rejection)
		return
	}
	e.ID = v.Get("uuid").Text()
	e.Recipient = event.Address(message.Get("to").Text())
	e.MessageID = event.MailID(message.Get("message_id").Text())
	e.SentAt = payload.SentAt(message.Get("timestamp"))
	e.Domain = event.DomainOf(message.Get("from").Text())
	e.Campaign = message.Get("tag").Text()
	failure(inner, &e)
	out.Event(e)
}

// failure fills what a bounce has.
func failure(inner jsonvalue.Value, e *event.Event) {
	output, details := inner.Get("output").Text(), inner.Get("details").Text()
	e.BounceCategory = inner.Get("status").Text()
	e.BounceCode = status.Code(output, details)
	e.BounceClass = status.Class(e.BounceCode, status.Reply(output, details))
	if e.BounceClass == event.Undetermined && strings.EqualFold(e.BounceCategory, "HardFail") {
		e.BounceClass = event.Hard
	}
}
