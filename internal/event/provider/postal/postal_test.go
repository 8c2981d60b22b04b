package postal_test

import (
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

const message = `{"to":"Ann <Ann@example.org>","from":"n@News.example.com","message_id":"<m1@x>","timestamp":1772439300.5,"tag":"march","direction":"outgoing"}`

func payload(name, inner string) string {
	return `{"event":"` + name + `","timestamp":1772440000,"uuid":"u1","payload":{` + inner + `}}`
}

func sent(name, more string) string {
	return payload(name, `"timestamp":1772439304.1234567,"message":`+message+more)
}

func want(typ, fields string) string {
	sent := `,"sent_at":"2026-03-02T08:15:00.5Z"`
	if typ == "drop" {
		sent = ""
	}
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04.1234567Z","id":"u1","recipient":"ann@example.org","message_id":"m1@x","domain":"news.example.com","campaign":"march"` + fields + sent + `}`
}

func TestEvents(t *testing.T) {
	bounce := func(fields string) string { return want("bounce", `,"bounce":{"class":`+fields+`}`) }
	returned := `"timestamp":1772439304.1234567,"original_message":` + message + `,"bounce":{"id":1}`
	providertest.Exercise(t, "postal", []providertest.Case{
		{"sent", sent("MessageSent", `,"status":"Sent"`), want("delivery", "")},
		{"delayed", sent("messagedelayed", ""), want("deferral", "")},
		{"held", sent("MessageHeld", ""), want("drop", "")},
		{"loaded", sent("MessageLoaded", `,"ip_address":"192.0.2.1"`), want("open", "")},
		{"clicked", sent("MessageLinkClicked", ""), want("click", "")},
		{"failed, by code", sent("MessageDeliveryFailed", `,"status":"HardFail","output":"550 5.7.1 no","details":"5.1.1"`), bounce(`"block","category":"HardFail","code":"5.7.1"`)},
		{"failed, code in details", sent("MessageDeliveryFailed", `,"status":"HardFail","output":"550 5.0.0 no","details":"5.2.2 full"`), bounce(`"soft","category":"HardFail","code":"5.2.2"`)},
		{"failed, by reply code", sent("MessageDeliveryFailed", `,"status":"HardFail","output":"552 full"`), bounce(`"soft","category":"HardFail"`)},
		{"failed, hard", sent("MessageDeliveryFailed", `,"status":"hardfail","output":"554 no"`), bounce(`"hard","category":"hardfail"`)},
		{"failed, soft", sent("MessageDeliveryFailed", `,"status":"SoftFail","output":"554 no"`), bounce(`"undetermined","category":"SoftFail"`)},
		{"bounced", payload("MessageBounced", returned), bounce(`"undetermined","async":true`)},
		{"bounced under another name", payload("MessageDeliveryFailed", returned), bounce(`"undetermined","async":true`)},
		{"bounced under no known name", payload("Whatever", returned), bounce(`"undetermined","async":true`)},
		{"bounced under a name that is no mail", payload("SendLimitExceeded", returned), bounce(`"undetermined","async":true`)},
		{"DNS", payload("DomainDNSError", ``), "ignored"},
		{"limit near", payload("SendLimitApproaching", ``), "ignored"},
		{"limit reached", payload("SendLimitExceeded", ``), "ignored"},
		{"incoming", payload("MessageSent", `"message":{"direction":"incoming"}`), "ignored"},
		{"incoming original", payload("MessageBounced", `"original_message":{"direction":"Incoming"},"bounce":{}`), "ignored"},
		{"unknown", sent("Exploded", ""), "rejected: unknown_type"},
		{"time of the envelope", payload("MessageSent", `"message":{}`), `{"type":"delivery","time":"2026-03-02T08:26:40Z","id":"u1"}`},
		{"no time", `{"event":"MessageSent","uuid":"u1","payload":{"message":` + message + `}}`, "rejected: no_time"},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "postal", sent("MessageDeliveryFailed", `,"status":"HardFail","output":"550 5.7.1"`), payload("x", `"original_message":{"to":"a@b"},"bounce":{"id":1}`))
}
