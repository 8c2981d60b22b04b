// Package sparkpost reads the events of SparkPost, also called Bird: its webhooks and pages of its Events API.
//
// Format and classes of bounces: Bounce Classification Codes, https://support.sparkpost.com/docs/deliverability/bounce-classification-codes
package sparkpost

import (
	"cmp"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads one payload: an element of a webhook's batch, or a page of the Events API.
func Decode(v jsonvalue.Value, out *payload.Out) {
	if !v.Get("msys").IsObject() {
		for result := range v.Get("results").Elements() {
			decode(result, out)
		}
		return
	}
	for class, inner := range v.Get("msys").Members() { // none: a ping
		switch strings.ToLower(class) {
		case "relay_event", "relay_message", "ab_test_event", "ingest_event":
			out.Ignore()
		default:
			decode(inner, out)
		}
	}
}

func decode(v jsonvalue.Value, out *payload.Out) {
	name := v.Get("type").Text()
	e, known := start(v, strings.ToLower(name))
	switch {
	case !known:
		out.Reject(event.UnknownType, "type: %s is no event that SparkPost is known to have", payload.Name(name))
		return
	case e.Type == event.Unknown:
		out.Ignore()
		return
	}
	var rejection *event.Rejection
	if e.Time, rejection = payload.Time("timestamp", v.Get("timestamp")); rejection != nil {
		out.Refuse(rejection)
		return
	}
	e.ID = v.Get("event_id").Text()
	e.Recipient = cmp.Or(event.Address(v.Get("rcpt_to").Text()), event.Address(v.Get("raw_rcpt_to").Text()))
	e.MessageID = event.MailID(v.Get("message_id").Text())
	e.Domain = cmp.Or(event.DomainOf(v.Get("friendly_from").Text()), event.Domain(v.Get("sending_domain").Text()))
	e.IP = event.IP(v.Get("sending_ip").Text()) // ip_address is the receiving host, or the reader
	e.Pool = v.Get("ip_pool").Text()
	e.Provider = status.MailboxProvider(v.Get("mailbox_provider").Text())
	e.SentAt = payload.SentAt(v.Get("injection_time"))
	e.Machine = v.Get("user_agent_parsed", "is_prefetched").IsTrue()
	e.BounceCategory = v.Get("bounce_class").Text()
	e.BounceCode = status.Code(v.Get("raw_reason").Text(), v.Get("reason").Text())
	account := cmp.Or(payload.UnlessZero(v.Get("subaccount_id")), v.Get("customer_id").Text())
	payload.ReadLabels(v.Get("rcpt_meta")).Or(account, v.Get("campaign_id").Text(), "").Put(&e)
	out.Event(e)
}

// start knows the type of an event by its name, and what follows from the name. Those that are no mail events are known,
// and of the type Unknown.
func start(v jsonvalue.Value, name string) (e event.Event, known bool) {
	switch name {
	case "injection":
		e.Type = event.Send
	case "delivery":
		e.Type = event.Delivery
	case "delay":
		e.Type = event.Deferral
	case "bounce", "out_of_band":
		e = FromBounceClass(v.Get("bounce_class").Text())
		e.BounceAsync = name == "out_of_band"
	case "policy_rejection", "generation_failure", "generation_rejection":
		e.Type = event.Drop
	case "spam_complaint":
		e.Type = event.Complaint
		var optOut bool
		if e.ComplaintKind, optOut = status.Kind(v.Get("fbtype").Text()); optOut {
			e.Type = event.Unsubscribe
		}
	case "list_unsubscribe":
		e.Type, e.UnsubscribeMethod = event.Unsubscribe, event.OneClick
	case "link_unsubscribe":
		e.Type, e.UnsubscribeMethod = event.Unsubscribe, event.Link
	case "open", "initial_open", "amp_open", "amp_initial_open":
		e.Type = event.Open
	case "click", "amp_click":
		e.Type = event.Click
	case "sms_status":
	default:
		return e, strings.HasPrefix(name, "relay_") || strings.HasPrefix(name, "ab_test_") || strings.HasPrefix(name, "ingest")
	}
	return e, true
}

// FromBounceClass returns an event with what the bounce class of Momentum, SparkPost's engine, says about it: its type, and
// its own class when it is a bounce. The type is Unknown for automatic replies, which are no events.
func FromBounceClass(code string) event.Event {
	bounce := func(c event.BounceClass) event.Event { return event.Event{Type: event.Bounce, BounceClass: c} }
	switch code {
	case "10", "30": // invalid recipient, no recipient
		return bounce(event.Hard)
	case "20", "21", "22", "23", "24", "40", "70": // soft, DNS, mailbox full, too large, time-out, generic, transient
		return bounce(event.Soft)
	case "50", "51", "52", "53", "54": // blocked, spam source, spam content, attachment, relaying
		return bounce(event.Block)
	case "25":
		return bounce(event.Admin)
	case "60", "100": // automatic reply, challenge
		return event.Event{}
	case "80":
		return event.Event{Type: event.OptIn}
	case "90":
		return event.Event{Type: event.Unsubscribe, UnsubscribeMethod: event.Mailto}
	}
	return bounce(event.Undetermined)
}
