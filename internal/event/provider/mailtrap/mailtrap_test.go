package mailtrap_test

import (
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

func element(name, fields string) string {
	return `{"event":"` + name + `","timestamp":1772439304` + fields + `}`
}

func payload(name, fields string) string { return `{"events":[` + element(name, fields) + `]}` }

func want(typ, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04Z"` + fields + `}`
}

func TestEvents(t *testing.T) {
	bounce := func(fields string) string { return want("bounce", `,"bounce":{"class":`+fields+`}`) }
	providertest.Exercise(t, "mailtrap", []providertest.Case{
		{"delivery", payload("delivery", ""), want("delivery", "")},
		{"soft bounce", payload("soft bounce", `,"bounce_category":"hard"`), want("deferral", "")},
		{"soft_bounce", payload("Soft_Bounce", ""), want("deferral", "")},
		{"reject", payload("reject", ""), want("drop", "")},
		{"suspension", payload("suspension", ""), want("drop", "")},
		{"spam", payload("spam", ""), want("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"unsubscribe", payload("unsubscribe", ""), want("unsubscribe", "")},
		{"open", payload("open", ""), want("open", "")},
		{"click", payload("click", ""), want("click", "")},
		{"unknown", payload("exploded", ""), "rejected: unknown_type"},
		{"no time", `{"events":[{"event":"open"}]}`, "rejected: no_time"},
		{"empty", `{"events":[]}`, "ignored"},
		{"in order, one bad", `{"events":[` + element("open", "") + `,"x",` + element("click", "") + `]}`, want("open", "") + "\n" + want("click", "") + "\nrejected: unknown_type"},

		{"bounce: hard", payload("bounce", `,"bounce_category":"hard","response":"552 5.2.2 full"`), bounce(`"hard","category":"hard","code":"5.2.2"`)},
		{"bounce: spam", payload("bounce", `,"bounce_category":"Spam","response_code":550`), bounce(`"block","category":"Spam"`)},
		{"bounce: by code", payload("bounce", `,"bounce_category":"other","response":"550 5.7.1 no"`), bounce(`"block","category":"other","code":"5.7.1"`)},
		{"bounce: by reply code", payload("bounce", `,"response_code":552,"response":"550 5.0.0"`), bounce(`"soft","code":"5.0.0"`)},
		{"bounce: by reply in words", payload("bounce", `,"response":"bounced (421 try later)"`), bounce(`"soft"`)},
		{"bounce: no word why", payload("bounce", ``), bounce(`"hard"`)},
		{"bounce: undetermined", payload("bounce", `,"response_code":554`), bounce(`"hard"`)},

		{"all fields", payload("open", `,"event_id":"i1","email":"Ann@example.org","message_id":"m1","category":"march","sending_stream":"bulk","ip":"192.0.2.1"`),
			want("open", `,"id":"i1","recipient":"ann@example.org","message_id":"m1","campaign":"march","stream":"bulk"`)},
		{"labels", payload("open", `,"category":"march","sending_stream":"bulk","custom_variables":{"tenant":"acme","campaign":"april","stream":"lists"}`),
			want("open", `,"tenant":"acme","campaign":"april","stream":"lists"`)},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "mailtrap", payload("bounce", `,"response_code":554,"response":"5.1.1","custom_variables":{"tenant":"a"}`))
}
