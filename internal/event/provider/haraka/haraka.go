// Package haraka reads what the outbound-logger plugin of Haraka writes.
package haraka

import (
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads one line of the log.
func Decode(v jsonvalue.Value, out *payload.Out) {
	e := event.Event{}
	switch name := v.Get("type").Text(); strings.ToLower(name) {
	case "delivered":
		e.Type = event.Delivery
	case "deferred":
		e.Type = event.Deferral
	case "bounced":
		e.Type = event.Bounce
	default:
		out.Reject(event.UnknownType, "type: %s is no event that Haraka is known to have", payload.Name(name))
		return
	}
	var rejection *event.Rejection
	if e.Time, rejection = payload.Time("time", v.Get("time")); rejection != nil {
		out.Refuse(rejection)
		return
	}
	reason := v.Get("undelivered_reason").Text()
	e.SentAt = payload.SentAt(v.Get("queue_time"))
	e.MessageID = event.MailID(v.Get("job_id").Text())
	e.Recipient = event.Address(v.Get("recipient").Text())
	e.Domain = event.DomainOf(v.Get("from").Text())
	e.BounceCode = status.Code(v.Get("dsn_status").Text(), reason)
	e.BounceClass = status.Class(e.BounceCode, status.Reply(reason))
	out.Event(e)
}
