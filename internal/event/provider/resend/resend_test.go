package resend_test

import (
	"strings"
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

const stamp = `"time":"2026-03-02T08:15:04.5Z"`

// payload is an event with further fields of data.
func payload(name, data string) string {
	return `{"type":"` + name + `","created_at":"2026-03-02T08:15:04.500Z","data":{"created_at":"2026-03-02T08:15:00Z","email_id":"e1"` + data + `}}`
}

// want is the normal form of an event, with the fields behind the message id.
func want(typ, recipient, fields string) string {
	if recipient != "" {
		recipient = `,"recipient":"` + recipient + `"`
	}
	sent := `,"sent_at":"2026-03-02T08:15:00Z"`
	if typ == "send" || typ == "drop" {
		sent = ""
	}
	return `{"type":"` + typ + `",` + stamp + recipient + `,"message_id":"e1"` + fields + sent + `}`
}

const two = `,"to":["Ann <Ann@example.org>","bob@example.org","nobody","ann@example.org"]`

func TestEvents(t *testing.T) {
	both := func(typ, fields string) string {
		return want(typ, "ann@example.org", fields) + "\n" + want(typ, "bob@example.org", fields)
	}
	undetermined := `,"bounce":{"class":"undetermined"}`
	bounce := func(fields string) string {
		return payload("email.bounced", `,"to":"ann@example.org","bounce":{`+fields+`}`)
	}
	bounced := func(fields string) string { return want("bounce", "ann@example.org", `,"bounce":{"class":`+fields+`}`) }
	providertest.Exercise(t, "resend", []providertest.Case{
		{"sent", payload("email.sent", two), both("send", "")},
		{"delivered", payload("email.delivered", two), both("delivery", "")},
		{"delayed", payload("email.delivery_delayed", two), both("deferral", "")},
		{"bounced", payload("email.bounced", two), both("bounce", undetermined)},
		{"failed", payload("email.failed", two), both("drop", "")},
		{"suppressed", payload("email.suppressed", two), both("drop", "")},
		{"complained", payload("email.complained", two), want("complaint", "", `,"complaint":{"kind":"abuse"}`)},
		{"complained, one", payload("email.complained", `,"to":["ann@example.org"]`), want("complaint", "ann@example.org", `,"complaint":{"kind":"abuse"}`)},
		{"opened", payload("email.opened", two), want("open", "", "")},
		{"clicked", payload("email.clicked", `,"to":"ann@example.org"`), want("click", "ann@example.org", "")},
		{"names have no case", payload("email.Sent", two), both("send", "")},
		{"to nobody", payload("email.sent", `,"to":[]`), want("send", "", "")},
		{"scheduled", payload("email.scheduled", ""), "ignored"},
		{"received", payload("email.received", ""), "ignored"},
		{"domain", `{"type":"domain.created","data":{}}`, "ignored"},
		{"contact", `{"type":"contact.updated","data":{}}`, "ignored"},
		{"suppression", `{"type":"suppression.added","data":{}}`, "ignored"},
		{"unknown", payload("email.exploded", ""), "rejected: unknown_type"},
		{"no time", `{"type":"email.sent","data":{"created_at":"2026-03-02T08:15:00Z"}}`, "rejected: no_time"},
		{"unreadable time", `{"type":"email.sent","created_at":"2026-03-02 08:15:04+00","data":{}}`, "rejected: bad_time"},
		{"unreadable sent_at", strings.Replace(payload("email.opened", ""), "2026-03-02T08:15:00Z", "2026-03-02 08:15:00+00", 1),
			`{"type":"open",` + stamp + `,"message_id":"e1"}`},

		{"permanent", bounce(`"type":"Permanent","subType":"General","message":"no"`), bounced(`"hard","category":"Permanent/General"`)},
		{"transient", bounce(`"type":"transient","diagnosticCode":["smtp; 452 4.0.0","smtp; 452 4.2.2 full"]`), bounced(`"soft","category":"transient","code":"4.2.2"`)},
		{"content", bounce(`"type":"Transient","subType":"ContentRejected","message":"smtp; 554 5.6.0"`), bounced(`"block","category":"Transient/ContentRejected","code":"5.6.0"`)},
		{"attachment", bounce(`"type":"Transient","subType":"AttachmentRejected"`), bounced(`"block","category":"Transient/AttachmentRejected"`)},
		{"other", bounce(`"type":"Undetermined","subType":"Undetermined"`), bounced(`"undetermined","category":"Undetermined/Undetermined"`)},
		{"diagnostic before message", bounce(`"message":"550 5.1.1","diagnosticCode":["550 5.2.1"]`), bounced(`"undetermined","code":"5.2.1"`)},
		{"diagnostic as text", bounce(`"message":"550 5.1.1","diagnosticCode":"550 5.2.1"`), bounced(`"undetermined","code":"5.1.1"`)},
		{"bounced: suppressed", bounce(`"subType":"Suppressed"`), want("drop", "ann@example.org", "")},
		{"bounced: suppression list", bounce(`"subType":"onaccountsuppressionlist"`), want("drop", "ann@example.org", "")},
		{"bounced: suppressed in words", bounce(`"message":"Resend has suppressed sending to this address"`), want("drop", "ann@example.org", "")},

		{"sender, broadcast", payload("email.opened", `,"from":"News <n@News.Example.com>","broadcast_id":"b1"`), want("open", "", `,"domain":"news.example.com","campaign":"b1"`)},
		{"tags", payload("email.opened", `,"broadcast_id":"b1","tags":{"tenant":"acme","campaign":"march","stream":7,"Tenant":"x"}`),
			want("open", "", `,"tenant":"acme","campaign":"march","stream":"7"`)},
		{"tags as a list", payload("email.opened", `,"tags":[{"name":"x","value":"y"},{"name":"tenant","value":"acme"},{"name":"campaign","value":"march"},{"name":"stream","value":"lists"}]`),
			want("open", "", `,"tenant":"acme","campaign":"march","stream":"lists"`)},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "resend", payload("email.bounced", two+`,"bounce":{"type":"Transient","diagnosticCode":["5.1.1"]},"tags":[{"name":"tenant","value":"a"}]`))
}
