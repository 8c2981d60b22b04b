package brevo_test

import (
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

// payload is an event with these fields besides those that every event has.
func payload(name, fields string) string {
	return `{"event":"` + name + `","id":26224,"email":"Ann@Example.org","message-id":"<m1@relay.example>","ts_epoch":1772439304250,` +
		`"date":"2026-03-02 09:15:04"` + fields + `}`
}

// want is the normal form of such an event, with what its fields add.
func want(typ, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04.25Z","recipient":"ann@example.org","message_id":"m1@relay.example"` + fields + `}`
}

func TestDecode(t *testing.T) {
	ip := `,"sending_ip":"203.0.113.7"`
	wantIP := `,"ip":"203.0.113.7"`
	providertest.Exercise(t, "brevo", []providertest.Case{
		{"request", payload("request", ip), want("send", wantIP)},
		{"sent", payload("Sent", ip), want("send", wantIP)},
		{"delivered", payload("delivered", ip), want("delivery", wantIP)},
		{"deferred", payload("deferred", ip+`,"reason":"450 4.2.1"`), want("deferral", wantIP)},
		{"hard", payload("hard_bounce", `,"reason":"550 5.1.1 unknown"`), want("bounce", `,"bounce":{"class":"hard","category":"hard_bounce","code":"5.1.1"}`)},
		{"invalid", payload("invalid_email", ``), want("bounce", `,"bounce":{"class":"hard","category":"invalid_email"}`)},
		{"soft", payload("soft_bounce", ip), want("bounce", wantIP+`,"bounce":{"class":"soft","category":"soft_bounce"}`)},
		{"blocked", payload("blocked", ``), want("drop", ``)},
		{"error", payload("error", ``), want("drop", ``)},
		{"spam", payload("spam", ``), want("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"complaint", payload("complaint", ``), want("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"unsubscribe", payload("unsubscribe", ip), want("unsubscribe", wantIP)},
		{"unsubscribed", payload("unsubscribed", ``), want("unsubscribe", ``)},
		{"opened", payload("opened", ip), want("open", ``)},
		{"unique opened", payload("unique_opened", ip), want("open", ``)},
		{"proxy open", payload("proxy_open", ``), want("open", `,"machine":true`)},
		{"unique proxy open", payload("unique_proxy_open", ``), want("open", `,"machine":true`)},
		{"click", payload("click", ip), want("click", ``)},
		{"list addition", `{"event":"list_addition","email":"ann@example.org"}`, "ignored"},
		{"contact updated", payload("contact_updated", ``), "ignored"},
		{"contact deleted", payload("contact_deleted", ``), "ignored"},
		{"unknown", payload("exploded", ``), "rejected: unknown_type"},
		{"no time but the local one", payload("opened", `,"ts_epoch":null`), "rejected: no_time"},
		{"s_epoch", payload("opened", `,"ts_epoch":null,"s_epoch":"1772439304.25","ts_event":1`), want("open", ``)},
		{"ts_event", payload("opened", `,"ts_epoch":"","ts_event":1772439304.25,"ts":1`), want("open", ``)},
		{"ts", payload("opened", `,"ts_epoch":null,"ts":1772439304250`), want("open", ``)},

		{"campaign id", payload("opened", `,"camp_id":7,"tags":["a"],"tag":"b"`), want("open", `,"campaign":"7"`)},
		{"tags", payload("opened", `,"tags":["a","c"],"tag":"b"`), want("open", `,"campaign":"a"`)},
		{"tag", payload("opened", `,"tags":[],"tag":"b"`), want("open", `,"campaign":"b"`)},
		{"tag list", payload("opened", `,"tag":["b","c"]`), want("open", `,"campaign":"b"`)},
		{"tag list in a text", payload("opened", `,"tag":"[\"b\",\"c\"]"`), want("open", `,"campaign":"b"`)},
		{"empty tag list in a text", payload("opened", `,"tag":"[]"`), want("open", ``)},
		{"tag that looks like a list", payload("opened", `,"tag":"[b]"`), want("open", `,"campaign":"[b]"`)},
		{"labels", payload("opened", `,"camp_id":7,"X-Mailin-custom":"{\"tenant\":\"acme\",\"campaign\":\"spring\",\"stream\":\"news\"}"`),
			want("open", `,"tenant":"acme","campaign":"spring","stream":"news"`)},
		{"custom header without labels", payload("opened", `,"X-Mailin-custom":"tenant:acme"`), want("open", ``)},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "brevo", payload("hard_bounce", `,"reason":"5.1.1","tag":"[\"a\"]","X-Mailin-custom":"{\"tenant\":\"a\"}"`),
		"["+payload("proxy_open", `,"tags":["x"]`)+"]")
}
