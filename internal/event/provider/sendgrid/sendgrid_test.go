package sendgrid_test

import (
	"strings"
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

// payload is an event with these fields besides those that every event has.
func payload(name, fields string) string {
	return `{"event":"` + name + `","sg_event_id":"e1","sg_message_id":"m1.filter-1","timestamp":1772439304,"email":"Ann@Example.org"` +
		fields + `}`
}

// want is the normal form of such an event, with what its fields add.
func want(typ, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04Z","id":"e1","recipient":"ann@example.org","message_id":"m1.filter-1"` +
		fields + `}`
}

func TestDecode(t *testing.T) {
	hard := `,"bounce":{"class":"hard"}`
	providertest.Exercise(t, "sendgrid", []providertest.Case{
		{"processed", payload("processed", `,"ip":"203.0.113.7","send_at":1772439300`), want("send", `,"ip":"203.0.113.7"`)},
		{"deferred", payload("deferred", `,"ip":"203.0.113.7","reason":"450 4.2.1 later"`), want("deferral", `,"ip":"203.0.113.7"`)},
		{"delivered", payload("delivered", `,"ip":"203.0.113.7"`), want("delivery", `,"ip":"203.0.113.7"`)},
		{"dropped", payload("dropped", `,"ip":"203.0.113.7","reason":"Bounced Address"`), want("drop", `,"ip":"203.0.113.7"`)},
		{"open, with the reader's ip", payload("open", `,"ip":"203.0.113.7"`), want("open", ``)},
		{"machine open", payload("open", `,"sg_machine_open":true`), want("open", `,"machine":true`)},
		{"no machine open", payload("open", `,"sg_machine_open":"true"`), want("open", ``)},
		{"machines do not click", payload("click", `,"sg_machine_open":true,"ip":"203.0.113.7"`), want("click", ``)},
		{"spamreport", payload("spamreport", ``), want("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"unsubscribe", payload("unsubscribe", ``), want("unsubscribe", ``)},
		{"group_unsubscribe", payload("group_unsubscribe", ``), want("unsubscribe", ``)},
		{"group_resubscribe", payload("group_resubscribe", ``), want("optin", ``)},
		{"names have no case", payload("Delivered", ``), want("delivery", ``)},
		{"account_status_change", payload("account_status_change", `,"timestamp":"never"`), "ignored"},
		{"unknown event", payload("exploded", ``), "rejected: unknown_type"},
		{"no time", payload("open", `,"timestamp":null`), "rejected: no_time"},
		{"bad time", payload("open", `,"timestamp":"soon"`), "rejected: bad_time"},
		{"milliseconds in a text", payload("open", `,"timestamp":"1772439304000"`), want("open", ``)},
		{"pool, domain, sent", payload("open", `,"pool":{"id":7,"name":"bulk"},"from":"N <n@Shop.example.com>","send_at":"1772439300000"`),
			want("open", `,"pool":"bulk","domain":"shop.example.com","sent_at":"2026-03-02T08:15:00Z"`)},
		{"labels", payload("open", `,"tenant":"acme","campaign":" spring ","stream":5,"category":"c","singlesend_id":"s"`),
			want("open", `,"tenant":"acme","campaign":"spring","stream":"5"`)},
		{"single send", payload("open", `,"singlesend_id":"s","marketing_campaign_id":7,"category":"c"`), want("open", `,"campaign":"s"`)},
		{"marketing campaign", payload("open", `,"marketing_campaign_id":7,"category":"c"`), want("open", `,"campaign":"7"`)},
		{"category text", payload("open", `,"category":"c"`), want("open", `,"campaign":"c"`)},
		{"category list", payload("open", `,"category":["c","d"]`), want("open", `,"campaign":"c"`)},
		{"category empty", payload("open", `,"category":[]`), want("open", ``)},
		{"long category", payload("open", `,"category":"`+strings.Repeat("c", 201)+`"`), "rejected: bad_value"},

		{"bounce", payload("bounce", `,"type":"bounce","status":"5.0.0","reason":"550 5.1.1 The mailbox"`),
			want("bounce", `,"bounce":{"class":"hard","category":"bounce","code":"5.1.1"}`)},
		{"blocked", payload("bounce", `,"type":"blocked","bounce_classification":"Invalid Address"`),
			want("bounce", `,"bounce":{"class":"block","category":"Invalid Address"}`)},
		{"mailbox unavailable", payload("bounce", `,"bounce_classification":"mailbox unavailable"`),
			want("bounce", `,"bounce":{"class":"soft","category":"mailbox unavailable"}`)},
		{"technical failure", payload("bounce", `,"bounce_classification":"Technical Failure"`),
			want("bounce", `,"bounce":{"class":"soft","category":"Technical Failure"}`)},
		{"content", payload("bounce", `,"bounce_classification":"Content"`), want("bounce", `,"bounce":{"class":"block","category":"Content"}`)},
		{"reputation", payload("bounce", `,"bounce_classification":"Reputation"`),
			want("bounce", `,"bounce":{"class":"block","category":"Reputation"}`)},
		{"frequency", payload("bounce", `,"bounce_classification":"Frequency or Volume Too High"`),
			want("bounce", `,"bounce":{"class":"block","category":"Frequency or Volume Too High"}`)},
		{"invalid address", payload("bounce", `,"bounce_classification":"Invalid Address"`),
			want("bounce", `,"bounce":{"class":"hard","category":"Invalid Address"}`)},
		{"unclassified", payload("bounce", `,"bounce_classification":"Unclassified"`),
			want("bounce", `,"bounce":{"class":"hard","category":"Unclassified"}`)},
		{"no classification", payload("bounce", ``), want("bounce", hard)},
		{"without an ip but with a message", payload("bounce", `,"ip":""`), want("bounce", hard)},
		{"asynchronous", payload("bounce", `,"sg_message_id":null`),
			`{"type":"bounce","time":"2026-03-02T08:15:04Z","id":"e1","recipient":"ann@example.org","bounce":{"class":"hard","async":true}}`},
		{"with an ip but without a message", payload("bounce", `,"sg_message_id":"","ip":"203.0.113.7"`),
			`{"type":"bounce","time":"2026-03-02T08:15:04Z","id":"e1","recipient":"ann@example.org","ip":"203.0.113.7","bounce":{"class":"hard"}}`},
		{"without an event id", `{"event":"open","email":"ann@example.org","timestamp":1772439304}`,
			`{"type":"open","time":"2026-03-02T08:15:04Z","recipient":"ann@example.org"}`},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "sendgrid",
		payload("bounce", `,"type":"blocked","status":"5.7.1","category":["a"],"pool":{"name":"p"}`), "["+payload("open", ``)+"]")
}
