// Package ses reads the events of Amazon SES: raw as Firehose and raw message delivery write them, in SNS notifications,
// in the form in which Lambda functions get these, and from EventBridge.
package ses

import (
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
)

// envelope is what stands around an event and belongs to it.
type envelope struct{ id, account string }

// Decode reads one payload, in whichever envelope it is.
func Decode(v jsonvalue.Value, out *payload.Out) {
	switch {
	case v.Get("Type").IsString() && v.Get("Message").IsString():
		if v.Get("Type").Exact() != "Notification" {
			out.Ignore() // a subscription being confirmed
			return
		}
		notification(v, out)
	case v.Get("Records").IsArray():
		for record := range v.Get("Records").Elements() {
			notification(record.Get("Sns"), out)
		}
	case v.Get("detail").IsObject():
		detail := v.Get("detail")
		if kindOf(detail) == "" {
			out.Ignore()
			return
		}
		decode(detail, envelope{id: v.Get("id").Text(), account: v.Get("account").Text()}, out)
	default:
		decode(v, envelope{}, out)
	}
}

// notification reads an SNS notification: its message holds the event, or several, as a text.
func notification(v jsonvalue.Value, out *payload.Out) {
	if strings.HasPrefix(v.Get("Message").Text(), "Successfully validated SNS topic") {
		out.Ignore()
		return
	}
	message, err := v.Get("Message").Nested()
	if err != nil {
		out.Reject(event.BadPayload, "Message: not JSON: %s", err)
		return
	}
	around := envelope{id: v.Get("MessageId").Text()}
	if message.IsArray() {
		for element := range message.Elements() {
			inMessage(element, around, out)
		}
		return
	}
	inMessage(message, around, out)
}

func inMessage(v jsonvalue.Value, around envelope, out *payload.Out) {
	if !Is(v) {
		out.Reject(event.BadPayload, "Message: not an SES event")
		return
	}
	decode(v, around, out)
}

// Is reports whether an object is an event of SES without an envelope.
func Is(v jsonvalue.Value) bool {
	for _, key := range [...]string{"eventType", "notificationType"} {
		if name := v.Get(key).Exact(); name != "" &&
			(v.Get("mail").IsObject() || name == "Received" || name == "AmazonSnsSubscriptionSucceeded") {
			return true
		}
	}
	return false
}
