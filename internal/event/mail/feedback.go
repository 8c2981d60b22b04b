package mail

import (
	"cmp"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// arf reads a feedback report as one event: several recipients are everybody who could have complained.
func arf(r report, out *payload.Out) {
	when, rejection := firstDate(r.header.get("Date"), r.feedback.get("Arrival-Date"), r.feedback.get("Received-Date"))
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	e := event.Event{Type: event.Complaint, Time: when}
	recipients := addresses(r.feedback.all("Original-Rcpt-To"))
	var optOut bool
	if e.ComplaintKind, optOut = status.Kind(r.feedback.get("Feedback-Type")); optOut {
		e.Type = event.Unsubscribe
		if leaving := addresses(r.feedback.all("Removal-Recipient")); len(leaving) > 0 {
			recipients = leaving
		}
	}
	about(r.header, r.original, &e)
	e.Domain = cmp.Or(e.Domain, event.Domain(r.feedback.get("Reported-Domain")))
	e.IP = event.IP(r.feedback.get("Source-IP"))
	e.SentAt, _ = firstDate(r.original.get("Date"), r.feedback.get("Arrival-Date"), r.feedback.get("Received-Date"))
	out.One(e, recipients)
}

// jmrp reads a report of Microsoft's older feedback loop: a complaint whose recipient stands in the original.
func jmrp(r report, out *payload.Out) {
	when, rejection := firstDate(r.header.get("Date"))
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	e := event.Event{Type: event.Complaint, Time: when}
	about(r.header, r.jmrp, &e)
	e.SentAt, _ = firstDate(r.jmrp.get("Date"))
	out.One(e, addresses([]string{r.jmrp.get(jmrpRecipient)}))
}

// about fills what both headers say: the id of the report, and which message of whom it is about.
func about(reported, original header, e *event.Event) {
	e.ID = event.MailID(reported.get("Message-ID"))
	e.MessageID = event.MailID(original.get("Message-ID"))
	e.Domain = event.DomainOf(original.get("From"))
	labels(original, e)
}

func addresses(texts []string) []string {
	var r payload.Recipients
	for _, text := range texts {
		r.Add(text)
	}
	return r.List()
}
