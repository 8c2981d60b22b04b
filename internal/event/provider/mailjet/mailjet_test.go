package mailjet_test

import (
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

// payload is an event with these fields besides those that every event has.
func payload(name, fields string) string {
	return `{"event":"` + name + `","time":1772439304,"email":"Ann@Example.org","MessageID":19421777835146490` + fields + `}`
}

// want is the normal form of such an event, with what its fields add.
func want(typ, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04Z","recipient":"ann@example.org","message_id":"19421777835146490"` + fields + `}`
}

func TestDecode(t *testing.T) {
	soft := `,"bounce":{"class":"soft"}`
	providertest.Exercise(t, "mailjet", []providertest.Case{
		{"sent", payload("sent", `,"ip":"192.0.2.1"`), want("delivery", ``)},
		{"blocked", payload("blocked", `,"error":"preblocked"`), want("drop", ``)},
		{"spam", payload("Spam", ``), want("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"unsub", payload("unsub", `,"agent":"Mozilla"`), want("unsubscribe", ``)},
		{"unsub by header", payload("unsub", `,"agent":"list-unsubscribe"`), want("unsubscribe", `,"unsubscribe":{"method":"one-click"}`)},
		{"open", payload("open", `,"ip":"192.0.2.1","geo":"FR"`), want("open", ``)},
		{"click", payload("click", ``), want("click", ``)},
		{"unknown", payload("exploded", ``), "rejected: unknown_type"},
		{"bad time", payload("open", `,"time":-5`), "rejected: bad_time"},

		{"greylisted", payload("bounce", `,"error":"Greylisted","hard_bounce":false`), want("deferral", ``)},
		{"hard greylisted", payload("bounce", `,"error":"greylisted","hard_bounce":true`), want("bounce", `,"bounce":{"class":"hard","category":"greylisted"}`)},
		{"hard", payload("bounce", `,"error":"spam","hard_bounce":true,"comment":"550 5.1.1 unknown"`),
			want("bounce", `,"bounce":{"class":"hard","category":"spam","code":"5.1.1"}`)},
		{"relay denied", payload("bounce", `,"error":"relay/access denied"`), want("bounce", `,"bounce":{"class":"block","category":"relay/access denied"}`)},
		{"sender blocked", payload("bounce", `,"error":"sender blocked"`), want("bounce", `,"bounce":{"class":"block","category":"sender blocked"}`)},
		{"content blocked", payload("bounce", `,"error":"content blocked"`), want("bounce", `,"bounce":{"class":"block","category":"content blocked"}`)},
		{"policy issue", payload("bounce", `,"error":"policy issue"`), want("bounce", `,"bounce":{"class":"block","category":"policy issue"}`)},
		{"related", payload("bounce", `,"error":"","error_related_to":"Spam"`), want("bounce", `,"bounce":{"class":"block","category":"Spam"}`)},
		{"both", payload("bounce", `,"error":"mailbox full","error_related_to":"spam"`), want("bounce", `,"bounce":{"class":"block","category":"mailbox full"}`)},
		{"soft", payload("bounce", `,"hard_bounce":"true"`), want("bounce", soft)},

		{"no message", payload("open", `,"MessageID":0`), `{"type":"open","time":"2026-03-02T08:15:04Z","recipient":"ann@example.org"}`},
		{"campaign", payload("open", `,"customcampaign":"spring","mj_campaign_id":7`), want("open", `,"campaign":"spring"`)},
		{"campaign id", payload("open", `,"customcampaign":"","mj_campaign_id":7`), want("open", `,"campaign":"7"`)},
		{"no campaign", payload("open", `,"mj_campaign_id":0`), want("open", ``)},
		{"labels", payload("open", `,"customcampaign":"c","Payload":"{\"tenant\":\"acme\",\"campaign\":\"spring\",\"stream\":\"news\"}"`),
			want("open", `,"tenant":"acme","campaign":"spring","stream":"news"`)},
		{"payload without labels", payload("open", `,"Payload":"[1]"`), want("open", ``)},
		{"payload is no json", payload("open", `,"Payload":"order 7"`), want("open", ``)},
		{"payload is no text", payload("open", `,"Payload":{"tenant":"acme"}`), want("open", ``)},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "mailjet", payload("bounce", `,"error":"spam","comment":"5.1.1","Payload":"{\"tenant\":\"a\"}"`),
		"["+payload("unsub", `,"agent":"List-Unsubscribe"`)+"]")
}
