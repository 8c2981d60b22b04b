// Package mailgun reads the events of Mailgun: its webhooks since 2018, pages of its Events API, and bare events.
//
// Format and classes of bounces: Events, https://documentation.mailgun.com/docs/mailgun/user-manual/events/events
package mailgun

import (
	"cmp"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads one payload.
func Decode(v jsonvalue.Value, out *payload.Out) {
	switch {
	case v.Get("event-data").IsObject():
		decode(v.Get("event-data"), out)
	case v.Get("items").IsArray():
		for item := range v.Get("items").Elements() {
			decode(item, out)
		}
	default:
		decode(v, out)
	}
}

func decode(v jsonvalue.Value, out *payload.Out) {
	if v.Get("flags", "is-test-mode").IsTrue() {
		out.Ignore()
		return
	}
	name := v.Get("event").Text()
	t, known := typeOf(v, strings.ToLower(name))
	switch {
	case !known:
		out.Reject(event.UnknownType, "event: %s is no event that Mailgun is known to have", payload.Name(name))
		return
	case t == event.Unknown:
		out.Ignore()
		return
	}
	when, rejection := payload.Time("timestamp", v.Get("timestamp"))
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	headers, envelope := v.Get("message", "headers"), v.Get("envelope")
	e := event.Event{
		Type:      t,
		Time:      when,
		ID:        v.Get("id").Text(),
		Recipient: cmp.Or(event.Address(v.Get("recipient").Text()), onlyAddress(headers.Get("to").Text())),
		MessageID: event.MailID(headers.Get("message-id").Text()),
		IP:        event.IP(envelope.Get("sending-ip").Text()),
		Pool:      cmp.Or(envelope.Get("i-ip-pool-name").Text(), envelope.Get("i-ip-pool-id").Text()),
		Domain: cmp.Or(
			event.DomainOf(headers.Get("from").Text()),
			event.DomainOf(envelope.Get("sender").Text()),
			event.Domain(v.Get("domain", "name").Text()),
		),
		Provider: status.MailboxProvider(v.Get("recipient-provider").Text()),
		Machine:  isMachine(v.Get("client-info", "bot")),
	}
	if t == event.Bounce {
		bounce(v, &e)
	}
	campaign := cmp.Or(v.Get("campaigns").First().Get("id").Text(), v.Get("tags").First().Text())
	payload.ReadLabels(v.Get("user-variables")).Or(v.Get("account", "id").Text(), campaign, "").Put(&e)
	out.Event(e)
}

// typeOf knows the type of an event by its name. Those that are no mail events are known, and Unknown.
func typeOf(v jsonvalue.Value, name string) (t event.Type, known bool) {
	switch name {
	case "accepted":
		return event.Send, true
	case "delivered":
		return event.Delivery, true
	case "failed":
		return typeOfFailure(v), true
	case "rejected":
		return event.Drop, true
	case "opened":
		return event.Open, true
	case "clicked":
		return event.Click, true
	case "complained":
		return event.Complaint, true
	case "unsubscribed":
		return event.Unsubscribe, true
	case "stored", "list_member_uploaded", "list_member_upload_error", "list_uploaded":
		return event.Unknown, true
	}
	return event.Unknown, false
}

// typeOfFailure tells a failure that is tried again, an address that Mailgun no longer sends to, and a bounce.
func typeOfFailure(v jsonvalue.Value) event.Type {
	if strings.EqualFold(v.Get("severity").Text(), "temporary") {
		return event.Deferral
	}
	switch v.Get("delivery-status", "code").Text() {
	case "605", "606", "607":
		return event.Drop
	}
	if strings.HasPrefix(strings.ToLower(v.Get("reason").Text()), "suppress-") {
		return event.Drop
	}
	return event.Bounce
}

func bounce(v jsonvalue.Value, e *event.Event) {
	reason, delivery := v.Get("reason").Text(), v.Get("delivery-status")
	message := delivery.Get("message").Text()
	e.BounceCategory = reason
	e.BounceCode = status.Code(delivery.Get("enhanced-code").Text(), delivery.Get("bounce-code").Text(), message)
	e.BounceAsync = v.Get("flags", "is-delayed-bounce").IsTrue()
	switch strings.ToLower(reason) {
	case "old": // tried for too long
		e.BounceClass = event.Soft
	case "espblock":
		e.BounceClass = event.Block
	default:
		e.BounceClass = status.Class(e.BounceCode, status.Reply(delivery.Get("code").Text(), message))
	}
}

// onlyAddress is the address of a To header that lists no more than one.
func onlyAddress(to string) string {
	if strings.Contains(to, ",") {
		return ""
	}
	return event.Address(to)
}

// isMachine reads what kind of bot opened or clicked, if it was one: true, or its name.
func isMachine(bot jsonvalue.Value) bool { return bot.IsTrue() || strings.TrimSpace(bot.Exact()) != "" }
