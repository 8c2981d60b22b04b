package ses

import (
	"cmp"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// kindOf is the kind of event. The two keys are those of event publishing and of feedback notifications.
func kindOf(v jsonvalue.Value) string {
	return cmp.Or(v.Get("eventType").Text(), v.Get("notificationType").Text())
}

// decode reads an event without its envelope.
func decode(v jsonvalue.Value, around envelope, out *payload.Out) {
	destination := v.Get("mail", "destination")
	switch kind := kindOf(v); strings.ToLower(kind) {
	case "send":
		each(v, around, event.Send, "mail", payload.AddressesOf(destination), out)
	case "reject", "rendering failure":
		each(v, around, event.Drop, "mail", payload.AddressesOf(destination), out)
	case "delivery":
		each(v, around, event.Delivery, "delivery", payload.AddressesOf(v.Get("delivery", "recipients")), out)
	case "deliverydelay":
		delayed := v.Get("deliveryDelay", "delayedRecipients")
		each(v, around, event.Deferral, "deliveryDelay", payload.AddressesOf(delayed, "emailAddress"), out)
	case "bounce":
		bounce(v, around, out)
	case "complaint":
		complaint(v, around, out)
	case "open":
		one(v, around, event.Open, "open", payload.AddressesOf(destination), out)
	case "click":
		one(v, around, event.Click, "click", payload.AddressesOf(destination), out)
	case "subscription":
		subscription(v, around, out)
	case "received", "amazonsnssubscriptionsucceeded":
		out.Ignore()
	default:
		out.Reject(event.UnknownType, "eventType: %s is no kind of event that SES is known to have", payload.Name(kind))
	}
}

func each(v jsonvalue.Value, around envelope, t event.Type, about string, recipients []string, out *payload.Out) {
	if e, ok := start(v, around, t, about, out); ok {
		out.Each(e, recipients)
	}
}

func one(v jsonvalue.Value, around envelope, t event.Type, about string, recipients []string, out *payload.Out) {
	if e, ok := start(v, around, t, about, out); ok {
		out.One(e, recipients)
	}
}

// start reads what all events have. The object that an event is about has its time.
func start(v jsonvalue.Value, around envelope, t event.Type, about string, out *payload.Out) (event.Event, bool) {
	mail := v.Get("mail")
	when, rejection := payload.Time(about+".timestamp", v.Get(about, "timestamp"))
	if rejection != nil {
		out.Refuse(rejection)
		return event.Event{}, false
	}
	e := event.Event{
		Type:      t,
		Time:      when,
		ID:        cmp.Or(v.Get("bounce", "feedbackId").Text(), v.Get("complaint", "feedbackId").Text(), around.id),
		MessageID: event.MailID(mail.Get("messageId").Text()),
		SentAt:    payload.SentAt(mail.Get("timestamp")),
		IP:        event.IP(tag(mail, "ses:outgoing-ip")), // ses:source-ip and sourceIp are the submitting client
		Domain: cmp.Or(
			event.Domain(tag(mail, "ses:from-domain")),
			event.DomainOf(mail.Get("commonHeaders", "from").First().Text()),
			event.DomainOf(mail.Get("source").Text()),
		),
	}
	labels := payload.Labels{Tenant: tag(mail, "tenant"), Campaign: tag(mail, "campaign"), Stream: tag(mail, "stream")}
	account := cmp.Or(mail.Get("sendingAccountId").Text(), around.account)
	labels.Or(account, "", tag(mail, "ses:configuration-set")).Put(&e)
	return e, true
}

// tag returns a tag of the message. The values of a tag are a list, of which the first counts.
func tag(mail jsonvalue.Value, name string) string { return mail.Get("tags", name).First().Text() }

func bounce(v jsonvalue.Value, around envelope, out *payload.Out) {
	about := v.Get("bounce")
	kind, detail := about.Get("bounceType").Text(), about.Get("bounceSubType").Text()
	t := event.Bounce
	switch strings.ToLower(detail) {
	case "suppressed", "onaccountsuppressionlist", "unsubscribedrecipient": // nothing was sent
		t = event.Drop
	}
	e, ok := start(v, around, t, "bounce", out)
	if !ok {
		return
	}
	e.BounceClass, e.BounceCategory = BounceClass(kind, detail), BounceCategory(kind, detail)
	var seen payload.Recipients
	for recipient := range about.Get("bouncedRecipients").Elements() {
		if !seen.Add(recipient.Get("emailAddress").Text()) {
			continue
		}
		e.BounceCode = status.Code(recipient.Get("status").Text(), recipient.Get("diagnosticCode").Text())
		e.Recipient = seen.Last()
		out.Event(e)
	}
	if len(seen.List()) == 0 {
		out.Event(e)
	}
}

// BounceClass returns the class of a bounceType and bounceSubType, which other services have taken over from SES.
func BounceClass(kind, detail string) event.BounceClass {
	switch strings.ToLower(kind) {
	case "permanent":
		return event.Hard
	case "transient": // SES has given up: it retries before it says so
		switch strings.ToLower(detail) {
		case "contentrejected", "attachmentrejected":
			return event.Block
		}
		return event.Soft
	}
	return event.Undetermined
}

// BounceCategory writes a bounceType and bounceSubType as one text.
func BounceCategory(kind, detail string) string {
	if kind != "" && detail != "" {
		return kind + "/" + detail
	}
	return kind + detail
}

// complaint reads a complaint as one event: the list names everybody who could have complained.
func complaint(v jsonvalue.Value, around envelope, out *payload.Out) {
	about := v.Get("complaint")
	recipients := payload.AddressesOf(about.Get("complainedRecipients"), "emailAddress")
	if strings.EqualFold(about.Get("complaintSubType").Text(), "OnAccountSuppressionList") {
		each(v, around, event.Drop, "complaint", recipients, out)
		return
	}
	if e, ok := start(v, around, event.Complaint, "complaint", out); ok {
		e.ComplaintKind, _ = status.Kind(about.Get("complaintFeedbackType").Text())
		out.One(e, recipients)
	}
}
