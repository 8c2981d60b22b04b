// Package mailtrap reads the events of the webhooks of Mailtrap.
package mailtrap

import (
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads the batch of a webhook.
func Decode(v jsonvalue.Value, out *payload.Out) {
	for element := range v.Get("events").Elements() {
		decode(element, out)
	}
}

func decode(v jsonvalue.Value, out *payload.Out) {
	name := v.Get("event").Text()
	t, known := typeOf(strings.ReplaceAll(strings.ToLower(name), "_", " "))
	if !known {
		out.Reject(event.UnknownType, "event: %s is no event that Mailtrap is known to have", payload.Name(name))
		return
	}
	when, rejection := payload.Time("timestamp", v.Get("timestamp"))
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	response := v.Get("response").Text()
	e := event.Event{
		Type:           t,
		Time:           when,
		ID:             v.Get("event_id").Text(),
		Recipient:      event.Address(v.Get("email").Text()),
		MessageID:      event.MailID(v.Get("message_id").Text()),
		BounceCategory: v.Get("bounce_category").Text(),
		BounceCode:     status.Code(response),
	}
	e.BounceClass = class(e.BounceCategory, e.BounceCode, status.Reply(v.Get("response_code").Text(), response))
	payload.ReadLabels(v.Get("custom_variables")).Or("", v.Get("category").Text(), v.Get("sending_stream").Text()).Put(&e)
	out.Event(e)
}

func typeOf(name string) (t event.Type, known bool) {
	switch name {
	case "delivery":
		return event.Delivery, true
	case "soft bounce": // it is retried; when that ends in failure, a bounce follows
		return event.Deferral, true
	case "bounce":
		return event.Bounce, true
	case "reject", "suspension":
		return event.Drop, true
	case "spam":
		return event.Complaint, true
	case "unsubscribe":
		return event.Unsubscribe, true
	case "open":
		return event.Open, true
	case "click":
		return event.Click, true
	}
	return event.Unknown, false
}

// class goes by the category where that is clear, else by the codes. What they leave open is hard: a bounce of this
// provider is, when it says nothing else.
func class(category, code, reply string) event.BounceClass {
	switch strings.ToLower(category) {
	case "spam":
		return event.Block
	case "hard":
		return event.Hard
	}
	if c := status.Class(code, reply); c != event.Undetermined {
		return c
	}
	return event.Hard
}
