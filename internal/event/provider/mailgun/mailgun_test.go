package mailgun_test

import (
	"strings"
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

// bare is an event with these fields besides those that every event has.
func bare(name, fields string) string {
	return `{"event":"` + name + `","timestamp":1772439304.250001,"id":"e1","recipient":"Ann@Example.org"` + fields + `}`
}

// hook is the same in the envelope of a webhook.
func hook(name, fields string) string {
	return `{"signature":{"timestamp":"1"},"event-data":` + bare(name, fields) + `}`
}

// want is the normal form of such an event, with what its fields add.
func want(typ, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04.250001Z","id":"e1","recipient":"ann@example.org"` + fields + `}`
}

func TestDecode(t *testing.T) {
	providertest.Exercise(t, "mailgun", []providertest.Case{
		{"accepted", hook("accepted", ``), want("send", ``)},
		{"delivered", hook("Delivered", ``), want("delivery", ``)},
		{"rejected", hook("rejected", ``), want("drop", ``)},
		{"opened", hook("opened", ``), want("open", ``)},
		{"clicked", hook("clicked", ``), want("click", ``)},
		{"complained", hook("complained", ``), want("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"unsubscribed", hook("unsubscribed", ``), want("unsubscribe", ``)},
		{"stored", hook("stored", ``), "ignored"},
		{"list member", `{"event":"list_member_uploaded","timestamp":"never"}`, "ignored"},
		{"list member error", hook("list_member_upload_error", ``), "ignored"},
		{"list", hook("list_uploaded", ``), "ignored"},
		{"test mode", hook("exploded", `,"flags":{"is-test-mode":true}`), "ignored"},
		{"no test mode", hook("opened", `,"flags":{"is-test-mode":"true"}`), want("open", ``)},
		{"unknown", hook("exploded", ``), "rejected: unknown_type"},
		{"no event", `{"event-data":{}}`, "rejected: unknown_type"},
		{"no time", `{"event-data":{"event":"opened"}}`, "rejected: no_time"},
		{"bare", bare("opened", ``), want("open", ``)},
		{"items", `{"items":[` + bare("opened", ``) + `,7,` + bare("stored", ``) + `,` + bare("clicked", ``) + `],"paging":{}}`,
			want("open", ``) + "\n" + want("click", ``) + "\nignored\nrejected: unknown_type"},
		{"no items", `{"items":[]}`, "ignored"},

		{"temporary", hook("failed", `,"severity":"Temporary","reason":"suppress-bounce"`), want("deferral", ``)},
		{"605", hook("failed", `,"severity":"permanent","delivery-status":{"code":605}`), want("drop", ``)},
		{"606", hook("failed", `,"delivery-status":{"code":"606"}`), want("drop", ``)},
		{"607", hook("failed", `,"delivery-status":{"code":607}`), want("drop", ``)},
		{"suppressed", hook("failed", `,"reason":"suppress-complaint"`), want("drop", ``)},
		{"bounce", hook("failed", `,"reason":"bounce","delivery-status":{"code":550,"enhanced-code":"5.1.1","message":"5.2.2 full"}`),
			want("bounce", `,"bounce":{"class":"hard","category":"bounce","code":"5.1.1"}`)},
		{"bounce code", hook("failed", `,"delivery-status":{"enhanced-code":"","bounce-code":"5.2.2","message":"5.1.1"}`),
			want("bounce", `,"bounce":{"class":"soft","code":"5.2.2"}`)},
		{"message code", hook("failed", `,"delivery-status":{"bounce-code":"5.0.0","message":"550 5.7.1 spam"}`),
			want("bounce", `,"bounce":{"class":"block","code":"5.7.1"}`)},
		{"reply code", hook("failed", `,"delivery-status":{"code":498,"message":"550 no such user"}`), want("bounce", `,"bounce":{"class":"soft"}`)},
		{"reply code of the message", hook("failed", `,"delivery-status":{"code":600,"message":"550 no such user"}`),
			want("bounce", `,"bounce":{"class":"hard"}`)},
		{"no codes", hook("failed", `,"delivery-status":null`), want("bounce", `,"bounce":{"class":"undetermined"}`)},
		{"old", hook("failed", `,"reason":"old","delivery-status":{"enhanced-code":"5.1.1"}`),
			want("bounce", `,"bounce":{"class":"soft","category":"old","code":"5.1.1"}`)},
		{"espblock", hook("failed", `,"reason":"espblock","delivery-status":{"code":550}`),
			want("bounce", `,"bounce":{"class":"block","category":"espblock"}`)},
		{"asynchronous", hook("failed", `,"flags":{"is-delayed-bounce":true},"delivery-status":{"code":552}`),
			want("bounce", `,"bounce":{"class":"soft","async":true}`)},
	})
}

func TestFields(t *testing.T) {
	nobody := func(fields string) string {
		return strings.Replace(hook("opened", fields), `,"recipient":"Ann@Example.org"`, ``, 1)
	}
	wantNobody := strings.Replace(want("open", ``), `,"recipient":"ann@example.org"`, ``, 1)
	providertest.Exercise(t, "mailgun", []providertest.Case{
		{"recipient of the header", nobody(`,"message":{"headers":{"to":"Ann <ann@example.org>"}}`), want("open", ``)},
		{"recipients of the header", nobody(`,"message":{"headers":{"to":"ann@example.org, bob@example.org"}}`), wantNobody},
		{"message id", hook("opened", `,"message":{"headers":{"message-id":"<m1@x>"}}`), want("open", `,"message_id":"m1@x"`)},
		{"ip", hook("opened", `,"envelope":{"sending-ip":"203.0.113.7"},"ip":"192.0.2.1"`), want("open", `,"ip":"203.0.113.7"`)},
		{"pool", hook("opened", `,"envelope":{"i-ip-pool-name":"bulk","i-ip-pool-id":"p1"}`), want("open", `,"pool":"bulk"`)},
		{"pool id", hook("opened", `,"envelope":{"i-ip-pool-name":"","i-ip-pool-id":"p1"}`), want("open", `,"pool":"p1"`)},
		{"from", hook("opened", `,"message":{"headers":{"from":"N <n@A.example>"}},"envelope":{"sender":"b@b.example"},"domain":{"name":"c.example"}`),
			want("open", `,"domain":"a.example"`)},
		{"sender", hook("opened", `,"message":{"headers":{"from":"nobody"}},"envelope":{"sender":"b@b.example"},"domain":{"name":"c.example"}`),
			want("open", `,"domain":"b.example"`)},
		{"domain", hook("opened", `,"domain":{"name":"C.example."}`), want("open", `,"domain":"c.example"`)},
		{"labels", hook("opened", `,"user-variables":{"tenant":"acme","campaign":"spring","stream":"news"},"account":{"id":"a1"},"tags":["t"]`),
			want("open", `,"tenant":"acme","campaign":"spring","stream":"news"`)},
		{"truncated labels", hook("opened", `,"user-variables":"{\"tenant\":\"ac","account":{"id":"a1"}`), want("open", `,"tenant":"a1"`)},
		{"campaign", hook("opened", `,"campaigns":[{"id":"c1","name":"n"}],"tags":["t"]`), want("open", `,"campaign":"c1"`)},
		{"tag", hook("opened", `,"campaigns":[],"tags":["t","u"]`), want("open", `,"campaign":"t"`)},
		{"provider", hook("opened", `,"recipient-provider":"Gmail"`), want("open", `,"provider":"gmail"`)},
		{"other provider", hook("opened", `,"recipient-provider":"Other"`), want("open", ``)},
		{"bot", hook("opened", `,"client-info":{"bot":"apple"}`), want("open", `,"machine":true`)},
		{"a bot clicks", hook("clicked", `,"client-info":{"bot":true}`), want("click", `,"machine":true`)},
		{"no bot", hook("clicked", `,"client-info":{"bot":""}`), want("click", ``)},
		{"a bot complains", hook("complained", `,"client-info":{"bot":"x"}`), want("complaint", `,"complaint":{"kind":"abuse"}`)},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "mailgun", hook("failed", `,"delivery-status":{"code":550,"message":"5.1.1"},"user-variables":{"tenant":"a"}`),
		bare("opened", `,"client-info":{"bot":"x"}`), `{"items":[`+bare("clicked", ``)+`]}`)
}
