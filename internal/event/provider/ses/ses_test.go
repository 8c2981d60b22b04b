package ses_test

import (
	"fmt"
	"strings"
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

const sent, sentNormal = `"timestamp":"2026-03-02T08:15:00.250Z"`, `,"sent_at":"2026-03-02T08:15:00.25Z"`

// at is the time of what an event is about.
const at = `"timestamp":"2026-03-02T08:15:04.000Z"`

// raw is an event of a mail to two people.
func raw(name, about string) string {
	return mailed(name, about, `,"destination":["Ann <Ann@Example.org>","bob@example.org"]`)
}

// mailed is an event whose mail has these fields.
func mailed(name, about, mail string) string {
	return `{"eventType":"` + name + `","mail":{` + sent + `,"messageId":"m1"` + mail + `}` + about + `}`
}

// want is the normal form of an event, with the fields between message id and sent_at.
func want(typ, recipient, fields string) string {
	if recipient != "" {
		recipient = `,"recipient":"` + recipient + `"`
	}
	tail := sentNormal
	when := "2026-03-02T08:15:04Z"
	switch typ {
	case "send":
		when, tail = "2026-03-02T08:15:00.25Z", ""
	case "drop":
		tail = ""
	}
	return `{"type":"` + typ + `","time":"` + when + `"` + recipient + `,"message_id":"m1"` + fields + tail + `}`
}

func lines(l ...string) string { return strings.Join(l, "\n") }

func withID(line, id string) string {
	return strings.Replace(line, `","recipient"`, `","id":"`+id+`","recipient"`, 1)
}

func TestEvents(t *testing.T) {
	rejected := strings.Replace(want("drop", "%s", ""), "08:15:04Z", "08:15:00.25Z", 1)
	both := func(typ string) string {
		return lines(want(typ, "ann@example.org", ""), want(typ, "bob@example.org", ""))
	}
	hard := `,"bounce":{"class":"hard","category":"Permanent/General"}`
	providertest.Exercise(t, "ses", []providertest.Case{
		{"send", raw("Send", `,"send":{}`), both("send")},
		{"reject", raw("Reject", `,"reject":{"reason":"Bad content"}`),
			lines(fmt.Sprintf(rejected, "ann@example.org"), fmt.Sprintf(rejected, "bob@example.org"))},
		{"rendering failure", mailed("Rendering Failure", `,"failure":{}`, ``), strings.Replace(want("drop", "", ""), "08:15:04Z", "08:15:00.25Z", 1)},
		{"names have no case", raw("SEND", ``), both("send")},
		{"delivery", raw("Delivery", `,"delivery":{`+at+`,"recipients":["bob@example.org","nobody","BOB@example.org"]}`),
			want("delivery", "bob@example.org", "")},
		{"delivery to nobody", raw("Delivery", `,"delivery":{`+at+`}`), want("delivery", "", "")},
		{"delivery to a text", raw("Delivery", `,"delivery":{`+at+`,"recipients":"ann@example.org"}`), want("delivery", "", "")},
		{"delay", raw("DeliveryDelay", `,"deliveryDelay":{`+at+`,"delayedRecipients":[{"emailAddress":"bob@example.org","status":"4.4.1"}]}`),
			want("deferral", "bob@example.org", "")},
		{"open", raw("Open", `,"open":{`+at+`,"ipAddress":"192.0.2.1"}`), want("open", "", "")},
		{"open by one", mailed("Open", `,"open":{`+at+`}`, `,"destination":["ann@example.org"]`), want("open", "ann@example.org", "")},
		{"click", mailed("Click", `,"click":{`+at+`,"link":"https://example.org"}`, `,"destination":["ann@example.org","Ann@example.org"]`),
			want("click", "ann@example.org", "")},
		{"received", `{"notificationType":"Received"}`, "ignored"},
		{"topic", `{"notificationType":"AmazonSnsSubscriptionSucceeded"}`, "ignored"},
		{"unknown", raw("Exploded", ``), "rejected: unknown_type"},

		{"two bounces", raw("Bounce", `,"bounce":{`+at+`,"bounceType":"Permanent","bounceSubType":"General","feedbackId":"f1","bouncedRecipients":[`+
			`{"emailAddress":"ann@example.org","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 unknown"},`+
			`{"emailAddress":"<bob@example.org>","status":"5.0.0","diagnosticCode":"smtp; 550-5.2.1 off"},`+
			`{"emailAddress":"ann@example.org","status":"5.7.1"},{"emailAddress":"nobody"}]}`),
			lines(withID(want("bounce", "ann@example.org", `,"bounce":{"class":"hard","category":"Permanent/General","code":"5.1.1"}`), "f1"),
				withID(want("bounce", "bob@example.org", `,"bounce":{"class":"hard","category":"Permanent/General","code":"5.2.1"}`), "f1"))},
		{"bounce of nobody", raw("Bounce", `,"bounce":{`+at+`,"bounceType":"Permanent","bounceSubType":"General"}`), want("bounce", "", hard)},
		{"transient", raw("Bounce", `,"bounce":{`+at+`,"bounceType":"Transient","bounceSubType":"MailboxFull"}`),
			want("bounce", "", `,"bounce":{"class":"soft","category":"Transient/MailboxFull"}`)},
		{"content", raw("Bounce", `,"bounce":{`+at+`,"bounceType":"Transient","bounceSubType":"ContentRejected"}`),
			want("bounce", "", `,"bounce":{"class":"block","category":"Transient/ContentRejected"}`)},
		{"attachment", raw("Bounce", `,"bounce":{`+at+`,"bounceType":"transient","bounceSubType":"attachmentrejected"}`),
			want("bounce", "", `,"bounce":{"class":"block","category":"transient/attachmentrejected"}`)},
		{"undetermined", raw("Bounce", `,"bounce":{`+at+`,"bounceType":"Undetermined"}`),
			want("bounce", "", `,"bounce":{"class":"undetermined","category":"Undetermined"}`)},
		{"only a subtype", raw("Bounce", `,"bounce":{`+at+`,"bounceSubType":"General"}`),
			want("bounce", "", `,"bounce":{"class":"undetermined","category":"General"}`)},
		{"suppressed", raw("Bounce", `,"bounce":{`+at+`,"bounceType":"Permanent","bounceSubType":"Suppressed","bouncedRecipients":[{"emailAddress":"ann@example.org","status":"5.1.1"}]}`),
			want("drop", "ann@example.org", "")},
		{"on the account's list", raw("Bounce", `,"bounce":{`+at+`,"bounceType":"Permanent","bounceSubType":"OnAccountSuppressionList"}`), want("drop", "", "")},
		{"unsubscribed", raw("Bounce", `,"bounce":{`+at+`,"bounceType":"Permanent","bounceSubType":"UnsubscribedRecipient"}`), want("drop", "", "")},

		{"complaint of one of two", raw("Complaint", `,"complaint":{`+at+`,"feedbackId":"f2","complaintFeedbackType":"not-spam","complainedRecipients":[{"emailAddress":"ann@example.org"},{"emailAddress":"bob@example.org"}]}`),
			`{"type":"complaint","time":"2026-03-02T08:15:04Z","id":"f2","message_id":"m1","complaint":{"kind":"not-spam"}` + sentNormal + `}`},
		{"complaint of one", raw("Complaint", `,"complaint":{`+at+`,"complainedRecipients":[{"emailAddress":"Ann@example.org"}]}`),
			want("complaint", "ann@example.org", `,"complaint":{"kind":"abuse"}`)},
		{"opt-out is no kind of SES", raw("Complaint", `,"complaint":{`+at+`,"complaintFeedbackType":"opt-out"}`),
			want("complaint", "", `,"complaint":{"kind":"other"}`)},
		{"complaint on the account's list", raw("Complaint", `,"complaint":{`+at+`,"complaintSubType":"OnAccountSuppressionList","complainedRecipients":[{"emailAddress":"ann@example.org"},{"emailAddress":"bob@example.org"}]}`),
			both("drop")},

		{"no time of its own", raw("Delivery", `,"delivery":{}`), "rejected: no_time"},
		{"no time of the mail", `{"eventType":"Send","mail":{}}`, "rejected: no_time"},
		{"bad time", raw("Open", `,"open":{"timestamp":"today"}`), "rejected: bad_time"},
		{"notificationType", strings.Replace(raw("Send", ``), "eventType", "notificationType", 1), both("send")},
	})
}

func TestFields(t *testing.T) {
	open := func(mail string) string { return mailed("Open", `,"open":{`+at+`}`, mail) }
	providertest.Exercise(t, "ses", []providertest.Case{
		{"account", open(`,"sendingAccountId":123456789012`), want("open", "", `,"tenant":"123456789012"`)},
		{"labels", open(`,"sendingAccountId":"1","tags":{"tenant":["acme","b"],"campaign":["spring"],"stream":[7]}`),
			want("open", "", `,"tenant":"acme","campaign":"spring","stream":"7"`)},
		{"a tag that is no list", open(`,"tags":{"tenant":"acme"}`), want("open", "", ``)},
		{"configuration set", open(`,"tags":{"ses:configuration-set":["bulk"]}`), want("open", "", `,"stream":"bulk"`)},
		{"outgoing ip", open(`,"sourceIp":"192.0.2.1","tags":{"ses:source-ip":["192.0.2.2"],"ses:outgoing-ip":["203.0.113.7"]}`),
			want("open", "", `,"ip":"203.0.113.7"`)},
		{"no outgoing ip", open(`,"sourceIp":"192.0.2.1","tags":{"ses:source-ip":["192.0.2.2"],"ses:outgoing-ip":["none"]}`), want("open", "", ``)},
		{"domain of the tag", open(`,"source":"a@c.example","commonHeaders":{"from":["a@b.example"]},"tags":{"ses:from-domain":["A.example."]}`),
			want("open", "", `,"domain":"a.example"`)},
		{"domain of the header", open(`,"source":"a@c.example","commonHeaders":{"from":["A <a@B.example>","a@x.example"]},"tags":{"ses:from-domain":[]}`),
			want("open", "", `,"domain":"b.example"`)},
		{"domain of the source", open(`,"source":"a@c.example","commonHeaders":{"from":["nobody"]}`), want("open", "", `,"domain":"c.example"`)},
		{"long account", open(`,"sendingAccountId":"` + strings.Repeat("1", 201) + `"`), "rejected: bad_value"},
	})
}

func TestSubscription(t *testing.T) {
	change := func(before, after string) string {
		return mailed("Subscription", `,"subscription":{`+at+`,"source":"UnsubscribeHeader","newTopicPreferences":{`+after+`},"oldTopicPreferences":{`+before+`}}`,
			`,"destination":["ann@example.org"]`)
	}
	topics := func(topics ...string) string {
		var list []string
		for _, topic := range topics {
			name, status, _ := strings.Cut(topic, "=")
			list = append(list, `{"topicName":"`+name+`","subscriptionStatus":"`+status+`"}`)
		}
		return `"topicSubscriptionStatus":[` + strings.Join(list, ",") + `]`
	}
	left := want("unsubscribe", "ann@example.org", `,"unsubscribe":{"method":"one-click"}`)
	joined := want("optin", "ann@example.org", "")
	providertest.Exercise(t, "ses", []providertest.Case{
		{"left all", change(`"unsubscribeAll":false`, `"unsubscribeAll":true`), left},
		{"left all, nothing before", change(``, `"unsubscribeAll":true`), left},
		{"left a topic", change(topics("A=OptIn", "B=OptIn"), topics("A=OptIn", "B=OptOut")), left},
		{"left a topic and joined another", change(topics("A=OptOut", "B=OptIn"), topics("A=OptIn", "B=optout")), left},
		{"left a topic while joining all", change(`"unsubscribeAll":true,`+topics("A=OptIn"), topics("A=OptOut")), left},
		{"joined all", change(`"unsubscribeAll":true`, `"unsubscribeAll":false`), joined},
		{"joined all, nothing after", change(`"unsubscribeAll":true`, ``), joined},
		{"joined a topic", change(topics("A=OptOut"), topics("A=OptIn")), joined},
		{"joined a new topic", change(``, topics("A=OptIn")), joined},
		{"nothing changed", change(`"unsubscribeAll":true,`+topics("A=OptOut"), `"unsubscribeAll":true,`+topics("A=OptOut")), "ignored"},
		{"nothing changed, no time", `{"eventType":"Subscription","mail":{},"subscription":{}}`, "ignored"},
		{"link", strings.Replace(change(``, `"unsubscribeAll":true`), "UnsubscribeHeader", "UnsubscribeLink", 1),
			want("unsubscribe", "ann@example.org", `,"unsubscribe":{"method":"link"}`)},
		{"preference page", strings.Replace(change(``, `"unsubscribeAll":true`), "UnsubscribeHeader", "PreferencePage", 1),
			want("unsubscribe", "ann@example.org", ``)},
		{"no time", strings.Replace(change(``, `"unsubscribeAll":true`), at, `"timestamp":""`, 1), "rejected: no_time"},
	})
}

func TestEnvelopes(t *testing.T) {
	quoted := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
	sns := func(message string) string {
		return `{"Type":"Notification","MessageId":"s1","Message":` + message + `}`
	}
	lambda := func(records ...string) string {
		return `{"Records":[{"EventSource":"aws:sns","Sns":` + strings.Join(records, `},{"Sns":`) + `}]}`
	}
	bridge := func(detail string) string {
		return `{"source":"aws.ses","id":"b1","account":"42","time":"2026-01-01T00:00:00Z","detail":` + detail + `}`
	}
	open := mailed("Open", `,"open":{`+at+`}`, `,"destination":["ann@example.org"]`)
	opened := want("open", "ann@example.org", "")
	bounce := mailed("Bounce", `,"bounce":{`+at+`,"feedbackId":"f1","bounceType":"Permanent","bouncedRecipients":[{"emailAddress":"ann@example.org"}]}`, ``)
	bounced := withID(want("bounce", "ann@example.org", `,"bounce":{"class":"hard","category":"Permanent"}`), "f1")
	providertest.Exercise(t, "ses", []providertest.Case{
		{"sns", sns(quoted(open)), withID(opened, "s1")},
		{"sns, its own id first", sns(quoted(bounce)), bounced},
		{"sns, several", sns(quoted("[" + open + "," + bounce + "]")), lines(withID(opened, "s1"), bounced)},
		{"sns, none", sns(`"[]"`), "ignored"},
		{"sns, a bad one among several", sns(quoted("[" + open + ",7," + bounce + "]")), lines(withID(opened, "s1"), bounced, "rejected: bad_payload")},
		{"sns, no json", sns(`"hello"`), "rejected: bad_payload"},
		{"sns, no event of ses", sns(`"{\"a\":1}"`), "rejected: bad_payload"},
		{"sns, validation", sns(`" Successfully validated SNS topic for Amazon SES event publishing."`), "ignored"},
		{"sns, subscription", `{"Type":"SubscriptionConfirmation","Message":"You have chosen"}`, "ignored"},
		{"sns, unsubscription", `{"Type":"UnsubscribeConfirmation","Message":"You have chosen"}`, "ignored"},
		{"lambda", lambda(sns(quoted(open)), strings.Replace(sns(quoted(bounce)), "Notification", "Other", 1), `{"Message":"Successfully validated SNS topic"}`),
			lines(withID(opened, "s1"), bounced, "ignored")},
		{"lambda, bad ones", lambda(`{}`, sns(quoted(open)), sns(`"{"`)), lines(withID(opened, "s1"), "rejected: bad_payload")},
		{"lambda, none", `{"Records":[]}`, "ignored"},
		{"bridge", bridge(open), withID(strings.Replace(opened, `"m1"`, `"m1","tenant":"42"`, 1), "b1")},
		{"bridge, its own account first", bridge(mailed("Open", `,"open":{`+at+`}`, `,"sendingAccountId":"7","destination":["ann@example.org"]`)),
			withID(strings.Replace(opened, `"m1"`, `"m1","tenant":"7"`, 1), "b1")},
		{"bridge, other news", bridge(`{"version":"1.0","data":{}}`), "ignored"},
		{"bridge, no time", bridge(`{"eventType":"Open","mail":{}}`), "rejected: no_time"},
	})
}

func FuzzDecode(f *testing.F) {
	open := mailed("Open", `,"open":{`+at+`}`, `,"destination":["ann@example.org"],"tags":{"ses:outgoing-ip":["203.0.113.7"]}`)
	providertest.Fuzz(f, "ses", open, raw("Bounce", `,"bounce":{`+at+`,"bounceType":"Permanent","bouncedRecipients":[{"emailAddress":"a@b.c","status":"5.1.1"}]}`),
		`{"Type":"Notification","MessageId":"s1","Message":"`+strings.ReplaceAll(open, `"`, `\"`)+`"}`,
		`{"source":"aws.ses","id":"b1","detail":`+open+`}`,
		mailed("Subscription", `,"subscription":{`+at+`,"newTopicPreferences":{"unsubscribeAll":true}}`, ``))
}
