// Package kumomta reads the log records of KumoMTA, a mail server.
//
// Format and classes of bounces: Log Record, https://docs.kumomta.com/reference/log_record/
package kumomta

import (
	"cmp"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// Decode reads one log record. Names of KumoMTA have a case.
func Decode(v jsonvalue.Value, out *payload.Out) {
	name := v.Get("type").Text()
	if v.Get("reception_protocol").Text() == "LogRecord" { // the message carries a log record
		out.Ignore()
		return
	}
	e, known := start(v, name)
	switch {
	case !known:
		out.Reject(event.UnknownType, "type: %s is no log record that KumoMTA is known to have", payload.Name(name))
		return
	case e.Type == event.Unknown:
		out.Ignore()
		return
	}
	var rejection *event.Rejection
	if e.Time, rejection = payload.Time("event_time", v.Get("event_time"), v.Get("timestamp")); rejection != nil {
		out.Refuse(rejection)
		return
	}
	e.Pool = v.Get("egress_pool").Text()
	e.Provider = status.MailboxProvider(v.Get("provider_name").Text())
	e.IP = withoutPort(v.Get("source_address", "address").Text())
	tenant, campaign := "", ""
	if name == "OOB" || name == "Feedback" { // the record is about the incoming report
		e.ID = v.Get("id").Text()
	} else {
		e.MessageID = event.MailID(v.Get("id").Text())
		e.SentAt = payload.SentAt(v.Get("created_time"), v.Get("created"))
		e.Domain = event.DomainOf(from(v))
		tenant, campaign = parseQueue(v.Get("queue").Text())
	}
	payload.ReadLabels(v.Get("meta")).Or(tenant, campaign, "").Put(&e)
	if name == "Feedback" {
		feedback(e, v.Get("feedback_report"), out)
		return
	}
	e.Domain = cmp.Or(e.Domain, event.DomainOf(v.Get("sender").Text()))
	out.Each(e, payload.AddressesOfEither(v.Get("recipient")))
}

// start knows what the type of a record says, and of a bounce what its classification does. Those that are no mail events
// are known, and of the type Unknown.
func start(v jsonvalue.Value, name string) (e event.Event, known bool) {
	switch name {
	case "Reception":
		e.Type = event.Send
	case "Delivery":
		e.Type = event.Delivery
	case "TransientFailure", "Delayed":
		e.Type = event.Deferral
	case "Bounce", "OOB":
		e = bounce(v)
		e.BounceAsync = name == "OOB"
	case "Expiration":
		e = bounce(v)
		e.Type, e.BounceClass = event.Bounce, event.Soft
	case "AdminBounce":
		e = bounce(v)
		e.Type, e.BounceClass = event.Bounce, event.Admin
	case "Rejection":
		e.Type = event.Drop
	case "Feedback":
		e.Type = event.Complaint
		var optOut bool
		if e.ComplaintKind, optOut = status.Kind(v.Get("feedback_report", "feedback_type").Text()); optOut {
			e.Type = event.Unsubscribe
		}
	case "AdminRebind", "XferIn", "XferOut", "DeferredInjectionRebind":
	default:
		return e, false
	}
	return e, true
}

// bounce reads what a record says about a failure: its category and code, and by its classification the type and class.
func bounce(v jsonvalue.Value) event.Event {
	response := v.Get("response")
	content := response.Get("content").Text()
	e := event.Event{Type: event.Bounce, BounceCode: status.Code(enhanced(response.Get("enhanced_code")), content)}
	classification := v.Get("bounce_classification").Text()
	if classification != "Uncategorized" {
		e.BounceCategory = classification
	}
	switch classification {
	case "InvalidRecipient", "BadDomain", "InactiveMailbox":
		e.BounceClass = event.Hard
	case "DNSFailure", "TransientFailure", "BadConnection", "MessageExpired", "NoAnswerFromHost", "ProtocolErrors", "QuotaIssues",
		"RoutingErrors", "TooManyRecipients":
		e.BounceClass = event.Soft
	case "SpamBlock", "SpamContent", "ProhibitedAttachment", "RelayDenied", "PolicyRelated", "ContentRelated", "InvalidSender",
		"RelayingIssues", "SpamRelated", "VirusRelated", "AuthenticationFailed":
		e.BounceClass = event.Block
	case "BadConfiguration":
		e.BounceClass = event.Admin
	case "AutoReply", "ChallengeResponse":
		e.Type = event.Unknown
	case "Subscribe":
		e.Type = event.OptIn
	case "Unsubscribe":
		e.Type, e.UnsubscribeMethod = event.Unsubscribe, event.Mailto
	default: // not classified, or by rules of the user's own
		e.BounceClass = status.Class(e.BounceCode, status.Reply(response.Get("code").Text(), content))
	}
	return e
}

// enhanced writes a status code that comes in its three numbers.
func enhanced(code jsonvalue.Value) string {
	if !code.IsObject() {
		return ""
	}
	return code.Get("class").Text() + "." + code.Get("subject").Text() + "." + code.Get("detail").Text()
}

// feedback completes an event with what the report says that came in. Its recipients are everybody who could have
// complained.
func feedback(e event.Event, report jsonvalue.Value, out *payload.Out) {
	e.Domain = event.Domain(report.Get("reported_domain").First().Text())
	e.IP = event.IP(report.Get("source_ip").Text())
	out.One(e, payload.AddressesOfEither(report.Get("original_rcpto_to")))
}

// from returns the From header, which is a text or a list of them.
func from(v jsonvalue.Value) string {
	header := v.Get("headers", "From")
	if header.IsArray() {
		header = header.First()
	}
	return header.Text()
}

// parseQueue takes tenant and campaign out of the name of a queue: campaign:tenant@domain, tenant@domain or domain.
func parseQueue(name string) (tenant, campaign string) {
	at := strings.LastIndexByte(name, '@')
	if at < 0 {
		return "", ""
	}
	name = name[:at]
	if before, after, ok := strings.Cut(name, ":"); ok {
		return strings.TrimSpace(after), strings.TrimSpace(before)
	}
	return strings.TrimSpace(name), ""
}

// withoutPort reads an address as in 192.0.2.1:53210 and [2001:db8::1]:25.
func withoutPort(address string) string {
	if ip := event.IP(address); ip != "" {
		return ip
	}
	if inner, ok := strings.CutPrefix(address, "["); ok {
		inner, _, _ = strings.Cut(inner, "]")
		return event.IP(inner)
	}
	return event.IP(address[:max(strings.LastIndexByte(address, ':'), 0)])
}
