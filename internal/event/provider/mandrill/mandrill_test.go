package mandrill_test

import (
	"strconv"
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

func payload(name, msg string) string {
	return `{"event":"` + name + `","ts":1772439304,"_id":"m0","msg":{"_id":"m1"` + msg + `}}`
}

func want(typ, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04Z","message_id":"m1"` + fields + `}`
}

func TestEvents(t *testing.T) {
	batch := `[` + payload("send", "") + `,{"type":"blacklist","action":"add"},` + payload("open", "") + `]`
	batched := want("send", "") + "\n" + want("open", "") + "\nignored"
	providertest.Exercise(t, "mandrill", []providertest.Case{
		{"send", payload("send", ""), want("send", "")},
		{"delivered", payload("delivered", ""), want("delivery", "")},
		{"deferral", payload("deferral", ""), want("deferral", "")},
		{"hard bounce", payload("hard_bounce", `,"bounce_description":"bad_mailbox","diag":"smtp;550 5.1.1 unknown"`),
			want("bounce", `,"bounce":{"class":"hard","category":"bad_mailbox","code":"5.1.1"}`)},
		{"soft bounce", payload("soft_bounce", `,"diag":null`), want("bounce", `,"bounce":{"class":"soft"}`)},
		{"reject", payload("reject", ""), want("drop", "")},
		{"spam", payload("spam", ""), want("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"unsub", payload("unsub", ""), want("unsubscribe", "")},
		{"open", payload("open", ""), want("open", "")},
		{"click", payload("Click", ""), want("click", "")},
		{"inbound", `{"event":"inbound","msg":{}}`, "ignored"},
		{"unknown", payload("exploded", ""), "rejected: unknown_type"},
		{"no time", `{"event":"send","msg":{"ts":1772439304}}`, "rejected: no_time"},
		{"blacklist", `{"type":"blacklist","action":"add","reject":{}}`, "ignored"},
		{"whitelist", `{"type":"whitelist","action":"remove"}`, "ignored"},
		{"all fields", payload("open", `,"email":"Ann@example.org","ts":1772439300,"sender":"n@News.example.com","subaccount":"sub","tags":["march"],"metadata":[]`),
			`{"type":"open","time":"2026-03-02T08:15:04Z","recipient":"ann@example.org","message_id":"m1","tenant":"sub","domain":"news.example.com","campaign":"march","sent_at":"2026-03-02T08:15:00Z"}`},
		{"labels", payload("open", `,"subaccount":"sub","tags":["march"],"metadata":{"tenant":"acme","campaign":"april","stream":"lists"}`),
			want("open", `,"tenant":"acme","campaign":"april","stream":"lists"`)},
		{"id of the event", `{"event":"open","ts":1772439304,"_id":"m0","msg":{}}`, `{"type":"open","time":"2026-03-02T08:15:04Z","message_id":"m0"}`},
		{"batch", `{"mandrill_events":` + batch + `}`, batched},
		{"batch in a text", `{"mandrill_events":` + strconv.Quote(batch) + `}`, batched},
		{"empty batch", `{"mandrill_events":[]}`, "ignored"},
		{"empty batch in a text", `{"mandrill_events":"[]"}`, "ignored"},
		{"broken text", `{"mandrill_events":"[{"}`, "rejected: bad_payload"},
		{"text that is no list", `{"mandrill_events":"{}"}`, "rejected: bad_payload"},
		{"bad element", `{"mandrill_events":[7,` + payload("open", "") + `]}`, want("open", "") + "\nrejected: unknown_type"},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "mandrill", payload("hard_bounce", `,"diag":"5.1.1"`), `{"mandrill_events":"[{\"event\":\"send\",\"ts\":1}]"}`)
}
