package mailersend_test

import (
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

func payload(name, data string) string {
	return `{"type":"` + name + `","created_at":"2026-03-02T09:00:00Z","data":{"created_at":"2026-03-02T08:15:04.000000Z"` + data + `}}`
}

func want(typ, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04Z"` + fields + `}`
}

func TestEvents(t *testing.T) {
	complaint := `,"complaint":{"kind":"abuse"}`
	providertest.Exercise(t, "mailersend", []providertest.Case{
		{"sent", payload("activity.sent", ""), want("send", "")},
		{"delivered", payload("activity.delivered", ""), want("delivery", "")},
		{"deferred", payload("activity.deferred", ""), want("deferral", "")},
		{"hard bounce", payload("activity.hard_bounced", `,"morph":{"reason":"550 5.1.1 unknown"}`), want("bounce", `,"bounce":{"class":"hard","code":"5.1.1"}`)},
		{"soft bounce", payload("activity.soft_bounced", `,"morph":{"reason":"whatever"}`), want("bounce", `,"bounce":{"class":"soft"}`)},
		{"complaint", payload("activity.spam_complaint", ""), want("complaint", complaint)},
		{"unsubscribed", payload("activity.unsubscribed", ""), want("unsubscribe", "")},
		{"opened", payload("activity.opened", ""), want("open", "")},
		{"opened, unique", payload("activity.opened_unique", ""), want("open", "")},
		{"clicked", payload("activity.clicked", ""), want("click", "")},
		{"clicked, unique", payload("activity.clicked_unique", ""), want("click", "")},
		{"no case", payload("activity.Spam_Complaint", ""), want("complaint", complaint)},
		{"survey", payload("activity.survey_opened", ""), "ignored"},
		{"survey, sent", payload("activity.survey_submitted", ""), "ignored"},
		{"sender identity", `{"type":"sender_identity.verified","data":{}}`, "ignored"},
		{"maintenance", `{"type":"maintenance.start","data":{}}`, "ignored"},
		{"inbound forward", `{"type":"inbound_forward.failed","data":{}}`, "ignored"},
		{"single address", `{"type":"email_single.verified","data":{}}`, "ignored"},
		{"bulk", `{"type":"bulk_email.completed","data":{}}`, "ignored"},
		{"unknown", payload("activity.exploded", ""), "rejected: unknown_type"},
		{"no time", `{"type":"activity.sent","data":{}}`, "rejected: no_time"},
		{"other time", `{"type":"activity.sent","created_at":"2026-03-02T08:15:04Z","data":{"created_at":"then"}}`, want("send", "")},
		{"all fields", `{"type":"activity.opened","domain_id":"d1","created_at":"2026-03-02T09:00:00Z","data":{"id":"i1","created_at":"2026-03-02T08:15:04Z",` +
			`"email":{"id":"x","created_at":"2026-03-02T08:00:00Z","from":"N@News.example.com","tags":["march","x"],"message":{"id":"m1"},` +
			`"recipient":{"id":"y","email":"Ann@example.org"}},"morph":{"ip":"192.0.2.1","reason":"5.1.1"}}}`,
			`{"type":"open","time":"2026-03-02T08:15:04Z","id":"i1","recipient":"ann@example.org","message_id":"m1","tenant":"d1","domain":"news.example.com","campaign":"march","sent_at":"2026-03-02T08:00:00Z"}`},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "mailersend", payload("activity.hard_bounced", `,"email":{"tags":["x"],"recipient":{"email":"a@b"}},"morph":{"reason":"5.1.1"}`))
}
