package sparkpost_test

import (
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

// inner is an event with these fields besides those that every event has.
func inner(typ, fields string) string {
	return `{"type":"` + typ + `","timestamp":"1772439304","event_id":"92356927693813856","rcpt_to":"Ann@Example.org","message_id":"m1"` +
		fields + `}`
}

func hook(class, typ, fields string) string {
	return `{"msys":{"` + class + `":` + inner(typ, fields) + `}}`
}

func message(typ, fields string) string { return hook("message_event", typ, fields) }

// want is the normal form of such an event, with what its fields add.
func want(typ, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04Z","id":"92356927693813856","recipient":"ann@example.org","message_id":"m1"` +
		fields + `}`
}

func TestDecode(t *testing.T) {
	cases := []providertest.Case{
		{"ping", `{"msys":{}}`, "ignored"},
		{"any class", hook("new_event", "Delivery", ``), want("delivery", ``)},
		{"no object", `{"msys":{"message_event":7}}`, "rejected: unknown_type"},
		{"two classes", `{"msys":{"message_event":` + inner("delivery", ``) + `,"track_event":` + inner("open", ``) + `}}`,
			want("delivery", ``) + "\n" + want("open", ``)},
		{"unknown", message("exploded", ``), "rejected: unknown_type"},
		{"no time", `{"msys":{"message_event":{"type":"delivery"}}}`, "rejected: no_time"},
		{"events api", `{"results":[` + inner("delivery", `,"timestamp":"2026-03-02T08:15:04.000Z"`) + `,{"type":"relay_injection"},` + inner("open", ``) + `,[]]}`,
			want("delivery", ``) + "\n" + want("open", ``) + "\nignored\nrejected: unknown_type"},
		{"no results", `{"results":[]}`, "ignored"},
		{"complaint kind", message("spam_complaint", `,"fbtype":"FRAUD"`), want("complaint", `,"complaint":{"kind":"fraud"}`)},
		{"complaint", message("spam_complaint", ``), want("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"opt-out", message("spam_complaint", `,"fbtype":"opt-out"`), want("unsubscribe", ``)},
		{"list", hook("unsubscribe_event", "list_unsubscribe", ``), want("unsubscribe", `,"unsubscribe":{"method":"one-click"}`)},
		{"link", hook("unsubscribe_event", "link_unsubscribe", ``), want("unsubscribe", `,"unsubscribe":{"method":"link"}`)},
	}
	for typ, names := range map[string][]string{
		"send": {"injection"}, "delivery": {"delivery"}, "deferral": {"delay"}, "click": {"click", "amp_click"},
		"drop": {"policy_rejection", "generation_failure", "generation_rejection"},
		"open": {"open", "initial_open", "amp_open", "amp_initial_open"},
	} {
		for _, name := range names {
			cases = append(cases, providertest.Case{name, message(name, ``), want(typ, ``)})
		}
	}
	for _, name := range []string{"sms_status", "relay_delivery", "ab_test_completed", "ingest_success", "ingested"} {
		cases = append(cases, providertest.Case{name, `{"msys":{"x":{"type":"` + name + `"}}}`, "ignored"})
	}
	for _, class := range []string{"relay_event", "relay_message", "ab_test_event", "ingest_event"} {
		cases = append(cases, providertest.Case{class, `{"msys":{"` + class + `":{}}}`, "ignored"})
	}
	providertest.Exercise(t, "sparkpost", cases)
}

func TestFields(t *testing.T) {
	open := func(fields string) string { return message("open", fields) }
	providertest.Exercise(t, "sparkpost", []providertest.Case{
		{"raw recipient", open(`,"rcpt_to":"","raw_rcpt_to":"ANN@example.org"`), want("open", ``)},
		{"domain", open(`,"friendly_from":"N <n@Shop.example.com>","sending_domain":"b.example"`), want("open", `,"domain":"shop.example.com"`)},
		{"sending domain", open(`,"friendly_from":"","sending_domain":"B.example."`), want("open", `,"domain":"b.example"`)},
		{"ip and pool", open(`,"sending_ip":"203.0.113.7","ip_pool":"bulk","ip_address":"192.0.2.1"`), want("open", `,"ip":"203.0.113.7","pool":"bulk"`)},
		{"no ip", open(`,"ip_address":"192.0.2.1"`), want("open", ``)},
		{"subaccount", open(`,"subaccount_id":101,"customer_id":"7"`), want("open", `,"tenant":"101"`)},
		{"no subaccount", open(`,"subaccount_id":"0","customer_id":7`), want("open", `,"tenant":"7"`)},
		{"subaccount zero", open(`,"subaccount_id":0`), want("open", ``)},
		{"campaign", open(`,"campaign_id":"spring"`), want("open", `,"campaign":"spring"`)},
		{"labels", open(`,"subaccount_id":1,"campaign_id":"c","rcpt_meta":{"tenant":"acme","campaign":"spring","stream":"news"}`),
			want("open", `,"tenant":"acme","campaign":"spring","stream":"news"`)},
		{"no labels", open(`,"rcpt_meta":[]`), want("open", ``)},
		{"provider", open(`,"mailbox_provider":"Hotmail"`), want("open", `,"provider":"outlook"`)},
		{"prefetched", open(`,"user_agent_parsed":{"is_prefetched":true,"is_proxy":true}`), want("open", `,"machine":true`)},
		{"a proxy", open(`,"user_agent_parsed":{"is_prefetched":false,"is_proxy":true}`), want("open", ``)},
		{"sent", open(`,"injection_time":"2026-03-02T08:15:00.000Z"`), want("open", `,"sent_at":"2026-03-02T08:15:00Z"`)},
	})
}

func TestBounceClasses(t *testing.T) {
	var cases []providertest.Case
	add := func(code, want string) {
		cases = append(cases,
			providertest.Case{code, message("bounce", `,"bounce_class":"`+code+`","raw_reason":"550 5.0.0 x","reason":"5.2.3"`), want})
	}
	for class, codes := range map[string][]string{
		"hard": {"10", "30"}, "soft": {"20", "21", "22", "23", "24", "40", "70"}, "block": {"50", "51", "52", "53", "54"},
		"admin": {"25"}, "undetermined": {"1", "99", "010"},
	} {
		for _, code := range codes {
			add(code, want("bounce", `,"bounce":{"class":"`+class+`","category":"`+code+`","code":"5.2.3"}`))
		}
	}
	add("60", "ignored")
	add("100", "ignored")
	add("80", want("optin", ``))
	add("90", want("unsubscribe", `,"unsubscribe":{"method":"mailto"}`))
	cases = append(cases,
		providertest.Case{"absent", message("bounce", ``), want("bounce", `,"bounce":{"class":"undetermined"}`)},
		providertest.Case{"a number", message("bounce", `,"bounce_class":10,"raw_reason":"550-5.1.1 The"`),
			want("bounce", `,"bounce":{"class":"hard","category":"10","code":"5.1.1"}`)},
		providertest.Case{"out of band", message("out_of_band", `,"bounce_class":"22"`), want("bounce", `,"bounce":{"class":"soft","category":"22","async":true}`)},
		providertest.Case{"out of band reply", `{"msys":{"message_event":{"type":"out_of_band","bounce_class":"60"}}}`, "ignored"},
	)
	providertest.Exercise(t, "sparkpost", cases)
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "sparkpost", message("bounce", `,"bounce_class":"10","raw_reason":"550 5.1.1","rcpt_meta":{"tenant":"a"}`),
		`{"results":[`+inner("open", `,"subaccount_id":0`)+`]}`, `{"msys":{}}`, message("spam_complaint", `,"fbtype":"opt-out"`))
}
