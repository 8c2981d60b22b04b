// Package mailjet reads the events of Mailjet's Event API.
//
// Format and classes of bounces: Webhooks, https://dev.mailjet.com/email/guides/webhooks/
package mailjet

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
	name := v.Get("event").Text()
	e := event.Event{}
	switch strings.ToLower(name) {
	case "sent": // delivered, at Mailjet alone
		e.Type = event.Delivery
	case "bounce":
		e = bounce(v)
	case "blocked":
		e.Type = event.Drop
	case "spam":
		e.Type = event.Complaint
	case "unsub":
		e.Type = event.Unsubscribe
		if strings.EqualFold(v.Get("agent").Text(), "List-Unsubscribe") {
			e.UnsubscribeMethod = event.OneClick
		}
	case "open":
		e.Type = event.Open
	case "click":
		e.Type = event.Click
	default:
		out.Reject(event.UnknownType, "event: %s is no event that Mailjet is known to have", payload.Name(name))
		return
	}
	var rejection *event.Rejection
	if e.Time, rejection = payload.Time("time", v.Get("time")); rejection != nil {
		out.Refuse(rejection)
		return
	}
	e.Recipient = event.Address(v.Get("email").Text())
	e.MessageID = event.MailID(payload.UnlessZero(v.Get("MessageID")))
	campaign := cmp.Or(v.Get("customcampaign").Text(), payload.UnlessZero(v.Get("mj_campaign_id")))
	payload.ReadLabelsInText(v.Get("Payload")).Or("", campaign, "").Put(&e)
	out.Event(e)
}

// bounce reads a failure. Greylisting is one too, although the message is tried again.
func bounce(v jsonvalue.Value) event.Event {
	reason, related := v.Get("error").Text(), v.Get("error_related_to").Text()
	e := event.Event{
		Type:           event.Bounce,
		BounceClass:    event.Soft,
		BounceCategory: cmp.Or(reason, related),
		BounceCode:     status.Code(v.Get("comment").Text()),
	}
	switch {
	case v.Get("hard_bounce").IsTrue():
		e.BounceClass = event.Hard
	case strings.EqualFold(reason, "greylisted"):
		e.Type = event.Deferral
	case isBlock(reason) || isBlock(related):
		e.BounceClass = event.Block
	}
	return e
}

func isBlock(reason string) bool {
	switch strings.ToLower(reason) {
	case "relay/access denied", "sender blocked", "content blocked", "policy issue", "spam":
		return true
	}
	return false
}
