// Package mailersend reads the events of the webhooks of MailerSend.
//
// Format and classes of bounces: Webhooks, https://developers.mailersend.com/api/v1/webhooks.html
package mailersend

import (
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads one event.
func Decode(v jsonvalue.Value, out *payload.Out) {
	name, data := v.Get("type").Text(), v.Get("data")
	e, known := start(strings.ToLower(name))
	switch {
	case !known:
		out.Reject(event.UnknownType, "type: %s is no event that MailerSend is known to have", payload.Name(name))
		return
	case e.Type == event.Unknown:
		out.Ignore()
		return
	}
	var rejection *event.Rejection
	if e.Time, rejection = payload.Time("data.created_at", data.Get("created_at"), v.Get("created_at")); rejection != nil {
		out.Refuse(rejection)
		return
	}
	email := data.Get("email")
	e.ID = data.Get("id").Text()
	e.Recipient = event.Address(email.Get("recipient", "email").Text())
	e.MessageID = event.MailID(email.Get("message", "id").Text())
	e.SentAt = payload.SentAt(email.Get("created_at"))
	e.Domain = event.DomainOf(email.Get("from").Text())
	e.Tenant = v.Get("domain_id").Text()
	e.Campaign = email.Get("tags").First().Text()
	e.BounceCode = status.Code(data.Get("morph", "reason").Text())
	out.Event(e)
}

// start knows what the name of an event says. Those that are no mail events are known, and of the type Unknown.
func start(name string) (e event.Event, known bool) {
	switch name {
	case "activity.sent":
		e.Type = event.Send
	case "activity.delivered":
		e.Type = event.Delivery
	case "activity.deferred":
		e.Type = event.Deferral
	case "activity.hard_bounced":
		e.Type, e.BounceClass = event.Bounce, event.Hard
	case "activity.soft_bounced":
		e.Type, e.BounceClass = event.Bounce, event.Soft
	case "activity.spam_complaint":
		e.Type = event.Complaint
	case "activity.unsubscribed":
		e.Type = event.Unsubscribe
	case "activity.opened", "activity.opened_unique":
		e.Type = event.Open
	case "activity.clicked", "activity.clicked_unique":
		e.Type = event.Click
	case "activity.survey_opened", "activity.survey_submitted":
	default:
		return e, isAccount(name)
	}
	return e, true
}

// isAccount knows the events that are about the account and its lists.
func isAccount(name string) bool {
	for _, prefix := range [...]string{"sender_identity.", "maintenance.", "inbound_forward.", "email_single.", "bulk_email."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
