package mail

import (
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// dsn reads a delivery status notification: one event for each recipient that mail has failed for, or waits for. The first
// group of fields is about the message, each group with an Action about a recipient.
func dsn(r report, out *payload.Out) {
	var message header
	if len(r.status) > 0 {
		message = r.status[0]
	}
	for _, group := range r.status {
		if group.has("Action") {
			recipient(r, message, group, out)
		}
	}
	if out.Outcomes() == 0 {
		out.Ignore()
	}
}

func recipient(r report, message, group header, out *payload.Out) {
	var e event.Event
	switch firstWord(group.get("Action")) {
	case "failed":
		e.Type = event.Bounce
	case "delayed":
		e.Type = event.Deferral
	default: // delivered, relayed, expanded: good news
		out.Ignore()
		return
	}
	var rejection *event.Rejection
	e.Time, rejection = firstDate(group.get("Last-Attempt-Date"), r.header.get("Date"), message.get("Arrival-Date"))
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	about(r.header, r.original, &e)
	e.SentAt, _ = firstDate(r.original.get("Date"), message.get("Arrival-Date"))
	if e.Recipient = typedAddress(group.get("Original-Recipient")); e.Recipient == "" {
		e.Recipient = typedAddress(group.get("Final-Recipient"))
	}
	diagnostic := group.get("Diagnostic-Code")
	e.BounceAsync = true // it comes after the message was taken
	e.BounceCode = status.Code(group.get("Status"), diagnostic)
	e.BounceCategory = group.get("X-PowerMTA-BounceCategory")
	var known bool
	if e.BounceClass, known = status.PowerMTAClass(e.BounceCategory); !known {
		e.BounceClass = status.Class(e.BounceCode, status.Reply(diagnostic))
	}
	out.Event(e)
}

// typedAddress reads "rfc822;ann@example.com": a type of address and what follows its ';'.
func typedAddress(text string) string {
	if _, address, ok := strings.Cut(text, ";"); ok {
		text = address
	}
	return event.Address(text)
}

// firstWord returns the letters that a value begins with, in lower case: "failed" of "Failed (no such user)".
func firstWord(text string) string {
	end := strings.IndexFunc(text, func(r rune) bool { return r|0x20 < 'a' || r|0x20 > 'z' })
	if end >= 0 {
		text = text[:end]
	}
	return strings.ToLower(text)
}
