// Package brevo reads the events of the webhooks of Brevo, formerly Sendinblue.
//
// Format and classes of bounces: Transactional webhooks, https://developers.brevo.com/docs/transactional-webhooks
package brevo

import (
	"cmp"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads one event. It has no id: the one in the payload is the webhook's, the same on every event.
func Decode(v jsonvalue.Value, out *payload.Out) {
	name := v.Get("event").Text()
	e, known := start(strings.ToLower(name))
	switch {
	case !known:
		out.Reject(event.UnknownType, "event: %s is no event that Brevo is known to have", payload.Name(name))
		return
	case e.Type == event.Unknown:
		out.Ignore()
		return
	}
	var rejection *event.Rejection
	// Not date, which is the local time of the account.
	e.Time, rejection = payload.Time("ts_epoch", v.Get("ts_epoch"), v.Get("s_epoch"), v.Get("ts_event"), v.Get("ts"))
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	e.Recipient = event.Address(v.Get("email").Text())
	e.MessageID = event.MailID(v.Get("message-id").Text())
	if e.Type != event.Open && e.Type != event.Click { // there it can be the reader's
		e.IP = event.IP(v.Get("sending_ip").Text())
	}
	e.BounceCategory = name
	e.BounceCode = status.Code(v.Get("reason").Text())
	campaign := cmp.Or(v.Get("camp_id").Text(), v.Get("tags").First().Text(), tag(v.Get("tag")))
	payload.ReadLabelsInText(v.Get("X-Mailin-custom")).Or("", campaign, "").Put(&e)
	out.Event(e)
}

// start knows what the name of an event says. Those that are no mail events are known, and of the type Unknown.
func start(name string) (e event.Event, known bool) {
	switch name {
	case "request", "sent":
		e.Type = event.Send
	case "delivered":
		e.Type = event.Delivery
	case "deferred":
		e.Type = event.Deferral
	case "hard_bounce", "invalid_email":
		e.Type, e.BounceClass = event.Bounce, event.Hard
	case "soft_bounce":
		e.Type, e.BounceClass = event.Bounce, event.Soft
	case "blocked", "error":
		e.Type = event.Drop
	case "spam", "complaint":
		e.Type = event.Complaint
	case "unsubscribe", "unsubscribed":
		e.Type = event.Unsubscribe
	case "opened", "unique_opened":
		e.Type = event.Open
	case "proxy_open", "unique_proxy_open":
		e.Type, e.Machine = event.Open, true
	case "click":
		e.Type = event.Click
	case "list_addition", "contact_updated", "contact_deleted":
	default:
		return e, false
	}
	return e, true
}

// tag reads a tag that is a list, a text that holds a list, or a text.
func tag(v jsonvalue.Value) string {
	if list, err := v.Nested(); err == nil && list.IsArray() {
		v = list
	}
	if v.IsArray() {
		return v.First().Text()
	}
	return v.Text()
}
