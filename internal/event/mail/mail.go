// Package mail reads reports that come as mail: feedback reports (ARF, RFC 5965), Microsoft's older ones (JMRP) and
// delivery status notifications (DSN, RFC 3464). It is no mail reader: it looks for the parts that make a report and guesses
// at nothing else, neither bounces in plain words nor mails that ask to be unsubscribed.
package mail

import (
	"bytes"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider/payload"
)

// The formats of mails, as the configuration and --format write them.
const (
	ARF = "arf" // JMRP too
	DSN = "dsn"
)

// Decode reads a whole mail, with LF or CRLF. The format is ARF or DSN for that one alone; any other takes both.
func Decode(text []byte, format string, out *payload.Out) {
	r := read(text)
	switch is := r.format(); {
	case is == "":
		out.Reject(event.UnknownShape, "value: a mail that has neither a feedback report nor a delivery status")
	case format != is && (format == ARF || format == DSN):
		out.Reject(event.UnknownShape, "value: has the format %s, expected %s", is, format)
	case r.feedback != nil:
		arf(r, out)
	case r.status != nil:
		dsn(r, out)
	default:
		jmrp(r, out)
	}
}

// report is a mail as far as a report needs it.
type report struct {
	header   header // of the report itself
	original header // of the mail that it is about
	feedback header // the fields of message/feedback-report; nil when there is none
	status   []header
	jmrp     header // of the mail in a message/rfc822 part that has a JMRP field; nil when there is none
}

func (r report) format() string {
	switch {
	case r.feedback != nil:
		return ARF
	case r.status != nil:
		return DSN
	case r.jmrp != nil:
		return ARF
	}
	return ""
}

const jmrpRecipient = "X-HmXmrOriginalRecipient"

// read finds the parts of a report. The first of each kind counts.
func read(text []byte) report {
	if bytes.HasPrefix(text, []byte("From ")) { // the line that begins a mail in an mbox
		_, text = cutLine(text)
	}
	var r report
	r.header, _ = readHeader(text)
	leaves(text, func(p part) {
		switch p.mediaType {
		case "message/feedback-report":
			if r.feedback == nil {
				r.feedback = append(header{}, readFields(p.text())...)
			}
		case "message/delivery-status":
			if r.status == nil {
				r.status = append([]header{}, readGroups(p.text())...)
			}
		case "message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers":
			r.addOriginal(p)
		}
	})
	return r
}

func (r *report) addOriginal(p part) {
	mayBeJMRP := r.jmrp == nil && p.mediaType == "message/rfc822"
	if r.original != nil && !mayBeJMRP {
		return
	}
	h := append(header{}, readFields(p.text())...)
	if r.original == nil {
		r.original = h
	}
	if mayBeJMRP && h.has(jmrpRecipient) {
		r.jmrp = h
	}
}

// firstDate reads the first of the dates that is readable. Without one it says what is wrong.
func firstDate(dates ...string) (time.Time, *event.Rejection) {
	rejection := &event.Rejection{Reason: event.NoTime, Detail: "Date: absent, every event needs a time"}
	for _, date := range dates {
		if t, ok := parseDate(date); ok {
			return t, nil
		}
		if date != "" {
			rejection = &event.Rejection{Reason: event.BadTime, Detail: "Date: no date of a mail (RFC 5322)"}
		}
	}
	return time.Time{}, rejection
}

// labels fills the dimensions that the sender has put into headers of the original.
func labels(original header, e *event.Event) {
	e.Tenant = original.get("X-Sendwatch-Tenant")
	e.Campaign = original.get("X-Sendwatch-Campaign")
	e.Stream = original.get("X-Sendwatch-Stream")
}
