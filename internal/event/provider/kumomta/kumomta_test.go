package kumomta_test

import (
	"strings"
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

const at = `"time":"2026-03-02T08:15:04Z"`

func record(name, fields string) string {
	return `{"type":"` + name + `","id":"k1","event_time":"2026-03-02T08:15:04Z","timestamp":1772439999,"created":1772439300` + fields + `}`
}

// want is the normal form of a record about a message, with the fields behind the message id.
func want(typ, fields string) string {
	sent := `,"sent_at":"2026-03-02T08:15:00Z"`
	if typ == "send" || typ == "drop" {
		sent = ""
	}
	return `{"type":"` + typ + `",` + at + `,"message_id":"k1"` + fields + sent + `}`
}

// wantIncoming is that of a record about an incoming report.
func wantIncoming(typ, fields string) string {
	return `{"type":"` + typ + `",` + at + `,"id":"k1"` + fields + `}`
}

func TestTypes(t *testing.T) {
	bounce := func(fields string) string { return want("bounce", `,"bounce":{"class":`+fields+`}`) }
	providertest.Exercise(t, "kumomta", []providertest.Case{
		{"reception", record("Reception", `,"bounce_classification":"Uncategorized"`), want("send", "")},
		{"delivery", record("Delivery", ``), want("delivery", "")},
		{"transient failure", record("TransientFailure", `,"response":{"code":421}`), want("deferral", "")},
		{"delayed", record("Delayed", ``), want("deferral", "")},
		{"bounce", record("Bounce", ``), bounce(`"undetermined"`)},
		{"out of band", record("OOB", ``), wantIncoming("bounce", `,"bounce":{"class":"undetermined","async":true}`)},
		{"expiration", record("Expiration", `,"bounce_classification":"InvalidRecipient"`), bounce(`"soft","category":"InvalidRecipient"`)},
		{"expiration with an automatic reply", record("Expiration", `,"bounce_classification":"AutoReply"`), bounce(`"soft","category":"AutoReply"`)},
		{"by an administrator", record("AdminBounce", `,"bounce_classification":"Unsubscribe"`), bounce(`"admin","category":"Unsubscribe"`)},
		{"rejection", record("Rejection", ``), want("drop", "")},
		{"feedback", record("Feedback", `,"recipient":"fbl@example.com","sender":"x@reporter.example","feedback_report":{}`), wantIncoming("complaint", `,"complaint":{"kind":"abuse"}`)},
		{"rebind", `{"type":"AdminRebind"}`, "ignored"},
		{"transfer in", `{"type":"XferIn"}`, "ignored"},
		{"transfer out", `{"type":"XferOut"}`, "ignored"},
		{"deferred injection", `{"type":"DeferredInjectionRebind"}`, "ignored"},
		{"log record", `{"type":"Delivery","reception_protocol":"LogRecord"}`, "ignored"},
		{"time as a number", `{"type":"Delivery","timestamp":1772439304}`, `{"type":"delivery",` + at + `}`},
		{"no time", `{"type":"Delivery","created":1772439304}`, "rejected: no_time"},
	})
}

func TestFields(t *testing.T) {
	providertest.Exercise(t, "kumomta", []providertest.Case{
		{"all", record("Delivery", `,"recipient":"Ann@example.org","sender":"b@bounce.example.com","headers":{"From":"News <n@News.example.com>"},"source_address":{"address":"192.0.2.7:53210"},`+
			`"egress_pool":"bulk","queue":"march:acme@example.org","provider_name":"Google","created_time":"2026-03-02T08:15:00Z","meta":{}`),
			strings.Replace(want("delivery", `,"tenant":"acme","ip":"192.0.2.7","pool":"bulk","domain":"news.example.com","campaign":"march","provider":"gmail"`), `,"message_id"`, `,"recipient":"ann@example.org","message_id"`, 1)},
		{"recipients", record("Delivery", `,"recipient":["a@example.org","nobody","B@example.org"]`),
			strings.Replace(want("delivery", ``), `,"message_id"`, `,"recipient":"a@example.org","message_id"`, 1) + "\n" +
				strings.Replace(want("delivery", ``), `,"message_id"`, `,"recipient":"b@example.org","message_id"`, 1)},
		{"labels", record("Delivery", `,"queue":"march:acme@example.org","meta":{"tenant":"t","campaign":"c","stream":"s"}`), want("delivery", `,"tenant":"t","campaign":"c","stream":"s"`)},
		{"one label", record("Delivery", `,"queue":"march:acme@example.org","meta":{"tenant":"t"}`), want("delivery", `,"tenant":"t","campaign":"march"`)},
		{"queue of a tenant", record("Delivery", `,"queue":"acme@example.org"`), want("delivery", `,"tenant":"acme"`)},
		{"queue of a domain", record("Delivery", `,"queue":"example.org"`), want("delivery", ``)},
		{"queue without campaign", record("Delivery", `,"queue":":acme@example.org"`), want("delivery", `,"tenant":"acme"`)},
		{"queue without tenant", record("Delivery", `,"queue":"march:@example.org"`), want("delivery", `,"campaign":"march"`)},
		{"queue with more signs", record("Delivery", `,"queue":"march:a:b@c@example.org"`), want("delivery", `,"tenant":"a:b@c","campaign":"march"`)},
		{"list of From", record("Delivery", `,"headers":{"From":["a@x.example","b@y.example"]}`), want("delivery", `,"domain":"x.example"`)},
		{"sender", record("Delivery", `,"headers":{},"sender":"b@Bounce.example.com"`), want("delivery", `,"domain":"bounce.example.com"`)},
		{"IPv6", record("Delivery", `,"source_address":{"address":"[2001:DB8::1]:25"}`), want("delivery", `,"ip":"2001:db8::1"`)},
		{"no port", record("Delivery", `,"source_address":{"address":"192.0.2.7"}`), want("delivery", `,"ip":"192.0.2.7"`)},
		{"bare IPv6", record("Delivery", `,"source_address":{"address":"2001:db8::1"}`), want("delivery", `,"ip":"2001:db8::1"`)},
		{"no address", record("Delivery", `,"source_address":{"address":"/run/socket"}`), want("delivery", ``)},
		{"out of band", record("OOB", `,"recipient":"b@bounce.example.com","sender":"x@reporter.example","headers":{"From":"a@x.example"},"queue":"march:acme@x","egress_pool":"p","meta":{"campaign":"c"}`),
			wantIncoming("bounce", `,"recipient":"b@bounce.example.com","pool":"p","domain":"reporter.example","campaign":"c","bounce":{"class":"undetermined","async":true}`)},
	})
}

func TestFeedback(t *testing.T) {
	feedback := func(fields string) string {
		return record("Feedback", `,"recipient":"fbl@example.com","sender":"x@reporter.example","queue":"march:acme@x","source_address":{"address":"192.0.2.1:1"},"meta":{"tenant":"t"},"feedback_report":{`+fields+`}`)
	}
	providertest.Exercise(t, "kumomta", []providertest.Case{
		{"all", feedback(`"feedback_type":"Fraud","source_ip":"192.0.2.7","original_rcpto_to":["<Ann@example.org>"],"reported_domain":["Shop.example.com.","x.example"]`),
			wantIncoming("complaint", `,"recipient":"ann@example.org","tenant":"t","ip":"192.0.2.7","domain":"shop.example.com","complaint":{"kind":"fraud"}`)},
		{"several recipients", feedback(`"original_rcpto_to":["a@example.org","b@example.org"]`), wantIncoming("complaint", `,"tenant":"t","complaint":{"kind":"abuse"}`)},
		{"recipient as a text", feedback(`"original_rcpto_to":"a@example.org"`), wantIncoming("complaint", `,"recipient":"a@example.org","tenant":"t","complaint":{"kind":"abuse"}`)},
		{"opt-out", feedback(`"feedback_type":"opt-out"`), wantIncoming("unsubscribe", `,"tenant":"t"`)},
		{"not spam", feedback(`"feedback_type":"not-spam"`), wantIncoming("complaint", `,"tenant":"t","complaint":{"kind":"not-spam"}`)},
	})
}

func TestClassification(t *testing.T) {
	var cases []providertest.Case
	for class, names := range map[string]string{
		"hard":         "InvalidRecipient BadDomain InactiveMailbox",
		"soft":         "DNSFailure TransientFailure BadConnection MessageExpired NoAnswerFromHost ProtocolErrors QuotaIssues RoutingErrors TooManyRecipients",
		"block":        "SpamBlock SpamContent ProhibitedAttachment RelayDenied PolicyRelated ContentRelated InvalidSender RelayingIssues SpamRelated VirusRelated AuthenticationFailed",
		"admin":        "BadConfiguration",
		"undetermined": "MyOwn invalidrecipient",
	} {
		for name := range strings.FieldsSeq(names) {
			fields := `,"bounce":{"class":"` + class + `","category":"` + name + `"`
			cases = append(cases,
				providertest.Case{name, record("Bounce", `,"bounce_classification":"`+name+`"`), want("bounce", fields+"}")},
				providertest.Case{name + " out of band", record("OOB", `,"bounce_classification":"`+name+`"`), wantIncoming("bounce", fields+`,"async":true}`)})
		}
	}
	response := func(response string) string {
		return record("Bounce", `,"bounce_classification":"Uncategorized","response":{`+response+`}`)
	}
	bounce := func(fields string) string { return want("bounce", `,"bounce":{"class":`+fields+`}`) }
	providertest.Exercise(t, "kumomta", append(cases, []providertest.Case{
		{"automatic reply", `{"type":"Bounce","bounce_classification":"AutoReply"}`, "ignored"},
		{"challenge", `{"type":"OOB","bounce_classification":"ChallengeResponse"}`, "ignored"},
		{"subscribe", record("OOB", `,"bounce_classification":"Subscribe"`), wantIncoming("optin", "")},
		{"unsubscribe", record("Bounce", `,"bounce_classification":"Unsubscribe"`), want("unsubscribe", `,"unsubscribe":{"method":"mailto"}`)},
		{"enhanced code", response(`"code":550,"enhanced_code":{"class":5,"subject":1,"detail":1},"content":"5.2.2 full"`), bounce(`"hard","code":"5.1.1"`)},
		{"unspecific code", response(`"enhanced_code":{"class":5,"subject":0,"detail":0},"content":"5.2.2 full"`), bounce(`"soft","code":"5.2.2"`)},
		{"no enhanced code", response(`"code":552,"enhanced_code":null,"content":"550 full"`), bounce(`"soft"`)},
		{"reply in words", response(`"code":250,"content":"550 unknown"`), bounce(`"hard"`)},
		{"own name, by code", record("Bounce", `,"bounce_classification":"MyOwn","response":{"code":550}`), bounce(`"hard","category":"MyOwn"`)},
	}...))
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "kumomta",
		record("Bounce", `,"recipient":["a@b"],"queue":"a:b@c","source_address":{"address":"[::1]:25"},"response":{"code":550,"enhanced_code":{"class":5,"subject":1,"detail":1}}`),
		record("Feedback", `,"feedback_report":{"feedback_type":"opt-out","original_rcpto_to":["a@b"],"reported_domain":["x"]}`))
}
