package postmark_test

import (
	"strings"
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

// record has these fields besides those that every record has, and one time of each kind.
func record(kind, fields string) string {
	return `{"RecordType":"` + kind + `","MessageID":"m1","DeliveredAt":"2026-03-02T08:15:01Z","BouncedAt":"2026-03-02T08:15:02.1234567Z",` +
		`"ReceivedAt":"2026-03-02T08:15:03Z","ChangedAt":"2026-03-02T08:15:04Z"` + fields + `}`
}

// want is the normal form of a record at such a second, with what its fields add.
func want(typ, second, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:0` + second + `Z"` + fields + `}`
}

const bounced = "2.1234567"

func TestDecode(t *testing.T) {
	m := `,"message_id":"m1"`
	providertest.Exercise(t, "postmark", []providertest.Case{
		{"delivery", record("Delivery", `,"ID":7,"Recipient":"Ann@example.org"`), want("delivery", "1", `,"recipient":"ann@example.org"`+m)},
		{"spam complaint", record("SpamComplaint", `,"ID":7,"Email":"ann@example.org","Recipient":"bob@example.org"`),
			want("complaint", bounced, `,"id":"7","recipient":"ann@example.org"`+m+`,"complaint":{"kind":"abuse"}`)},
		{"open", record("Open", `,"ID":7,"Email":"nobody","Recipient":"ann@example.org"`), want("open", "3", `,"recipient":"ann@example.org"`+m)},
		{"click", record("click", ``), want("click", "3", m)},
		{"inbound", `{"RecordType":"Inbound"}`, "ignored"},
		{"unknown", record("Exploded", ``), "rejected: unknown_type"},
		{"no time", `{"RecordType":"Delivery","BouncedAt":"2026-03-02T08:15:01Z"}`, "rejected: no_time"},
		{"bad time", `{"RecordType":"Delivery","DeliveredAt":"today"}`, "rejected: bad_time"},
		{"fields", record("Open", `,"From":"N <n@Shop.example.com>","ServerID":23,"Tag":"spring","MessageStream":"broadcasts"`),
			want("open", "3", m+`,"tenant":"23","domain":"shop.example.com","campaign":"spring","stream":"broadcasts"`)},
		{"other spelling", record("Open", `,"ServerId":24`), want("open", "3", m+`,"tenant":"24"`)},
		{"labels", record("Open", `,"ServerID":23,"Tag":"t","MessageStream":"s","Metadata":{"tenant":"acme","campaign":"spring","stream":"news"}`),
			want("open", "3", m+`,"tenant":"acme","campaign":"spring","stream":"news"`)},
		{"control character", record("Open", `,"Tag":"a\u0007b"`), "rejected: bad_value"},
	})
}

func TestBounce(t *testing.T) {
	bounce := func(kind string) string {
		return record("Bounce", `,"ID":7,"Type":"`+kind+`","Details":"smtp;550 5.1.1 unknown"`)
	}
	is := func(typ, fields string) string { return want(typ, bounced, `,"id":"7","message_id":"m1"`+fields) }
	class := func(class, kind string) string {
		return is("bounce", `,"bounce":{"class":"`+class+`","category":"`+kind+`","code":"5.1.1"}`)
	}
	cases := []providertest.Case{
		{"case", bounce("hardbounce"), class("hard", "hardbounce")},
		{"spam notification", bounce("SpamNotification"), strings.Replace(class("block", "SpamNotification"), `1"}`, `1","async":true}`, 1)},
		{"no type", record("Bounce", `,"ID":0`), want("bounce", bounced, `,"message_id":"m1","bounce":{"class":"undetermined"}`)},
		{"complaint", bounce("SpamComplaint"), is("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"unsubscribe", bounce("Unsubscribe"), is("unsubscribe", `,"unsubscribe":{"method":"mailto"}`)},
		{"subscribe", bounce("Subscribe"), is("optin", ``)},
	}
	for class1, kinds := range map[string][]string{
		"hard": {"HardBounce"}, "soft": {"SoftBounce"}, "block": {"Blocked", "DMARCPolicy", "VirusNotification"},
		"undetermined": {"Unknown", "Exploded"},
	} {
		for _, kind := range kinds {
			cases = append(cases, providertest.Case{kind, bounce(kind), class(class1, kind)})
		}
	}
	for _, kind := range []string{"Transient", "DnsError"} {
		cases = append(cases, providertest.Case{kind, bounce(kind), is("deferral", ``)})
	}
	for _, kind := range []string{"BadEmailAddress", "ManuallyDeactivated", "Unconfirmed", "SMTPApiError", "TemplateRenderingFailed"} {
		cases = append(cases, providertest.Case{kind, bounce(kind), is("drop", ``)})
	}
	for _, kind := range []string{"AutoResponder", "AddressChange", "OpenRelayTest", "ChallengeVerification", "InboundError"} {
		cases = append(cases, providertest.Case{kind, `{"RecordType":"Bounce","Type":"` + kind + `"}`, "ignored"})
	}
	providertest.Exercise(t, "postmark", cases)
}

func TestSubscriptionChange(t *testing.T) {
	change := func(fields string) string {
		return record("SubscriptionChange", `,"Recipient":"ann@example.org",`+fields)
	}
	is := func(typ, fields string) string {
		return want(typ, "4", `,"recipient":"ann@example.org","message_id":"m1"`+fields)
	}
	providertest.Exercise(t, "postmark", []providertest.Case{
		{"hard bounce", change(`"SuppressSending":true,"SuppressionReason":"HardBounce","Origin":"Recipient"`), "ignored"},
		{"complaint", change(`"SuppressSending":true,"SuppressionReason":"SpamComplaint","ChangedAt":"never"`), "ignored"},
		{"recipient", change(`"SuppressSending":true,"SuppressionReason":"ManualSuppression","Origin":"Recipient"`), is("unsubscribe", ``)},
		{"customer", change(`"SuppressSending":true,"SuppressionReason":"ManualSuppression","Origin":"Customer"`),
			is("unsubscribe", `,"unsubscribe":{"method":"manual"}`)},
		{"admin", change(`"SuppressSending":true,"Origin":"Admin"`), is("unsubscribe", `,"unsubscribe":{"method":"manual"}`)},
		{"back by the recipient", change(`"SuppressSending":false,"SuppressionReason":null,"Origin":"Recipient"`), is("optin", ``)},
		{"back by an admin", change(`"SuppressSending":false,"Origin":"Admin"`), "ignored"},
		{"back by nobody", `{"RecordType":"SubscriptionChange"}`, "ignored"},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "postmark", record("Bounce", `,"ID":7,"Type":"HardBounce","Details":"5.1.1","Metadata":{"tenant":"a"}`),
		record("SubscriptionChange", `,"SuppressSending":true,"Origin":"Admin"`), record("Open", `,"Email":"a@b.c"`))
}
