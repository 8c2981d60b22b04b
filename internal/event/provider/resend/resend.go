// Package resend reads the events of the webhooks of Resend.
//
// Format and classes of bounces: Event types, https://resend.com/docs/dashboard/webhooks/event-types
package resend

import (
	"cmp"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/provider/ses"
	"sendwatch/internal/event/status"
)

// Decode reads one event. It has no id: that is in a header of the webhook.
func Decode(v jsonvalue.Value, out *payload.Out) {
	name, data := v.Get("type").Text(), v.Get("data")
	t, known := typeOf(strings.ToLower(name), data)
	switch {
	case !known:
		out.Reject(event.UnknownType, "type: %s is no event that Resend is known to have", payload.Name(name))
		return
	case t == event.Unknown:
		out.Ignore()
		return
	}
	when, rejection := payload.Time("created_at", v.Get("created_at"))
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	bounce := data.Get("bounce")
	kind, detail := bounce.Get("type").Text(), bounce.Get("subType").Text()
	e := event.Event{
		Type:           t,
		Time:           when,
		MessageID:      event.MailID(data.Get("email_id").Text()),
		SentAt:         payload.SentAt(data.Get("created_at")),
		Domain:         event.DomainOf(data.Get("from").Text()),
		BounceClass:    ses.BounceClass(kind, detail), // Resend sends through SES and hands on its words
		BounceCategory: ses.BounceCategory(kind, detail),
		BounceCode:     code(bounce),
	}
	labels(data.Get("tags")).Or("", data.Get("broadcast_id").Text(), "").Put(&e)
	recipients := payload.AddressesOfEither(data.Get("to"))
	switch t {
	case event.Complaint, event.Open, event.Click: // the list is everybody who could have done it
		out.One(e, recipients)
	default:
		out.Each(e, recipients)
	}
}

// typeOf knows the type of an event by its name. Those that are no mail events are known, and of the type Unknown.
func typeOf(name string, data jsonvalue.Value) (t event.Type, known bool) {
	switch name {
	case "email.sent":
		return event.Send, true
	case "email.delivered":
		return event.Delivery, true
	case "email.delivery_delayed":
		return event.Deferral, true
	case "email.bounced":
		if isSuppressed(data.Get("bounce")) {
			return event.Drop, true
		}
		return event.Bounce, true
	case "email.failed", "email.suppressed":
		return event.Drop, true
	case "email.complained":
		return event.Complaint, true
	case "email.opened":
		return event.Open, true
	case "email.clicked":
		return event.Click, true
	case "email.scheduled", "email.received":
		return event.Unknown, true
	}
	for _, prefix := range [...]string{"domain.", "contact.", "suppression."} {
		if strings.HasPrefix(name, prefix) {
			return event.Unknown, true
		}
	}
	return event.Unknown, false
}

// isSuppressed reports whether a bounce says that nothing was sent.
func isSuppressed(bounce jsonvalue.Value) bool {
	detail := bounce.Get("subType").Text()
	return strings.EqualFold(detail, "Suppressed") || strings.EqualFold(detail, "OnAccountSuppressionList") ||
		strings.Contains(bounce.Get("message").Text(), "suppressed sending")
}

func code(bounce jsonvalue.Value) string {
	var sources []string
	for diagnostic := range bounce.Get("diagnosticCode").Elements() {
		sources = append(sources, diagnostic.Text())
	}
	return status.Code(append(sources, bounce.Get("message").Text())...)
}

// labels reads tags, which are an object or a list of names and values.
func labels(tags jsonvalue.Value) payload.Labels {
	l := payload.ReadLabels(tags)
	for tag := range tags.Elements() {
		value := tag.Get("value").Text()
		switch tag.Get("name").Exact() {
		case "tenant":
			l.Tenant = cmp.Or(value, l.Tenant)
		case "campaign":
			l.Campaign = cmp.Or(value, l.Campaign)
		case "stream":
			l.Stream = cmp.Or(value, l.Stream)
		}
	}
	return l
}
