// Package acs reads the events of Azure Communication Services: the reports on deliveries and engagement that Event Grid
// sends, in its own schema or as CloudEvents.
//
// Format and classes of bounces: Email events, https://learn.microsoft.com/azure/event-grid/communication-services-email-events
package acs

import (
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// report is what an event is about, wherever that stands.
type report struct {
	kind     kind
	id       string
	resource string // the path of the resource that sent the mail
	data     jsonvalue.Value
	time     jsonvalue.Value // of the envelope
}

type kind uint8

const (
	other kind = iota
	delivery
	engagement
)

// Decode reads an event in the schema of Event Grid.
func Decode(v jsonvalue.Value, out *payload.Out) {
	decode(report{
		kind:     kindOf(v.Get("eventType").Text()),
		id:       v.Get("id").Text(),
		resource: v.Get("topic").Text(),
		data:     v.Get("data"),
		time:     v.Get("eventTime"),
	}, out)
}

// DecodeCloudEvent reads what a CloudEvent carries. Its type tells what that is; a CloudEvent that was wrapped once more on
// its way has a type of another kind, and the data has to tell.
func DecodeCloudEvent(envelope, data jsonvalue.Value, out *payload.Out) {
	name := envelope.Get("type").Text()
	is := kindOf(name)
	if !strings.HasPrefix(name, "Microsoft.") {
		if is = engagement; data.Get("deliveryAttemptTimeStamp").IsPresent() {
			is = delivery
		}
	}
	decode(report{
		kind:     is,
		id:       envelope.Get("id").Text(),
		resource: envelope.Get("source").Text(),
		data:     data,
		time:     envelope.Get("time"),
	}, out)
}

func kindOf(name string) kind {
	switch strings.ToLower(name) {
	case "microsoft.communication.emaildeliveryreportreceived":
		return delivery
	case "microsoft.communication.emailengagementtrackingreportreceived":
		return engagement
	}
	return other
}

func decode(r report, out *payload.Out) {
	field, name, times := "status", r.data.Get("status").Text(), [2]string{"deliveryAttemptTimeStamp", "userActionTimeStamp"}
	typeOf := typeOfDelivery
	switch r.kind {
	case other:
		out.Ignore()
		return
	case engagement:
		field, name, times = "engagementType", r.data.Get("engagementType").Text(), [2]string{times[1], times[0]}
		typeOf = typeOfEngagement
	}
	e, known := typeOf(strings.ToLower(name))
	switch {
	case !known:
		out.Reject(event.UnknownType, "data.%s: %s is none that Azure Communication Services are known to have", field, payload.Name(name))
		return
	case e.Type == event.Unknown:
		out.Ignore()
		return
	}
	var rejection *event.Rejection
	e.Time, rejection = payload.Time("data."+times[0], r.data.Get(times[0]), r.data.Get(times[1]), r.time)
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	e.ID = r.id
	e.Recipient = event.Address(r.data.Get("recipient").Text())
	e.MessageID = event.MailID(r.data.Get("messageId").Text())
	e.Domain = event.DomainOf(r.data.Get("sender").Text())
	e.Tenant = resourceName(r.resource)
	message := r.data.Get("deliveryStatusDetails", "statusMessage").Text()
	e.BounceCategory = name
	e.BounceCode = status.Code(message)
	if strings.EqualFold(name, "Failed") {
		e.BounceClass = status.Class(e.BounceCode, status.Reply(message))
	}
	out.Event(e)
}

// typeOfDelivery knows what a status says. Those that are no mail events are known, and of the type Unknown.
func typeOfDelivery(name string) (e event.Event, known bool) {
	switch name {
	case "delivered":
		e.Type = event.Delivery
	case "bounced":
		e.Type, e.BounceClass = event.Bounce, event.Hard
	case "failed":
		e.Type = event.Bounce
	case "filteredspam", "quarantined":
		e.Type, e.BounceClass = event.Bounce, event.Block
	case "suppressed":
		e.Type = event.Drop
	case "expanded", "outfordelivery":
	default:
		return e, false
	}
	return e, true
}

func typeOfEngagement(name string) (e event.Event, known bool) {
	switch name {
	case "view":
		return event.Event{Type: event.Open}, true
	case "click":
		return event.Event{Type: event.Click}, true
	}
	return e, false
}

// resourceName returns the last segment of a path of a resource of Communication Services: the name that the customer gave
// to it.
func resourceName(path string) string {
	path = strings.TrimRight(path, "/")
	if !strings.Contains(strings.ToLower(path), "/communicationservices/") {
		return ""
	}
	return strings.TrimSpace(path[strings.LastIndexByte(path, '/')+1:])
}
