package verify_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/ingest/verify"
	"sendwatch/internal/ingest/verifytest"
)

func TestSendGridTakesKeysInPEMForm(t *testing.T) {
	key := verifytest.NewKey(t)
	der, err := base64.StdEncoding.DecodeString(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	v := verifier(t, verify.Options{Kind: verify.SendGrid, Secret: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))})
	if _, reason := decide(t, v, &verify.Request{Header: key.SendGrid([]byte("x"), now()), Body: []byte("x")}, now()); reason != "" {
		t.Error(reason)
	}
}

func TestHeadersThatStandTwiceAreRefused(t *testing.T) {
	key := verifytest.NewKey(t)
	v := verifier(t, verify.Options{Kind: verify.SendGrid, Secret: key.Public()})
	h := key.SendGrid([]byte("x"), now())
	h.Add("X-Twilio-Email-Event-Webhook-Timestamp", "1")
	if _, reason := decide(t, v, &verify.Request{Header: h, Body: []byte("x")}, now()); reason != verify.Wrong {
		t.Error(reason)
	}
}

func TestSvixHeaders(t *testing.T) {
	v := verifier(t, verify.Options{Kind: verify.Svix, Secret: svixSecret})
	body := []byte(`{"type":"email.opened"}`)
	white := verifytest.Svix("Webhook-", svixSecret, "msg_1", body, now())
	if _, reason := decide(t, v, &verify.Request{Header: white, Body: body}, now()); reason != "" {
		t.Errorf("webhook- headers: %s", reason)
	}
	h := verifytest.Svix("Svix-", svixSecret, "msg_1", body, now())
	good := h.Get("Svix-Signature")
	for signature, want := range map[string]verify.Reason{
		"v1,bm90aGluZw== v2,x " + good:         "",
		strings.Replace(good, "v1,", "v2,", 1): verify.Wrong,
		strings.TrimPrefix(good, "v1,"):        verify.Wrong,
		"v1,":                                  verify.Wrong,
		"v1,????":                              verify.Wrong,
	} {
		h.Set("Svix-Signature", signature)
		if _, reason := decide(t, v, &verify.Request{Header: h, Body: body}, now()); reason != want {
			t.Errorf("%q: %q, want %q", signature, reason, want)
		}
	}
	h.Set("Svix-Signature", good)
	h.Set("Svix-Id", "msg_2")
	if _, reason := decide(t, v, &verify.Request{Header: h, Body: body}, now()); reason != verify.Wrong {
		t.Errorf("another id: %q", reason)
	}
}

func TestMailgunTokensServeOnePayload(t *testing.T) {
	v := verifier(t, verify.Options{Kind: verify.Mailgun, Secret: secret})
	send := func(event string) (verify.Vouched, verify.Reason) {
		return decide(t, v, &verify.Request{Header: http.Header{}, Body: verifytest.Mailgun(event, secret, "t1", now())}, now())
	}
	// What was not acknowledged is sent again, perhaps written differently.
	if _, reason := send(`{"event":"opened"}`); reason != "" {
		t.Fatal(reason)
	}
	vouched, reason := send(`{"event" : "opened"}`)
	if reason != "" {
		t.Fatal("again, after an attempt that failed:", reason)
	}
	vouched.Acknowledged()
	if _, reason := send(`{"event" : "opened"}`); reason != "" {
		t.Error("the same again:", reason)
	}
	if _, reason := send(`{"event":"complained"}`); reason != verify.Replayed {
		t.Errorf("another payload: %q", reason)
	}
	// The signature is cut in two elsewhere: the same signature, and the same token for us.
	moved := strings.NewReplacer(fmt.Sprintf(`"timestamp":"%d"`, now().Unix()), fmt.Sprintf(`"timestamp":"%d"`, now().Unix()/10),
		`"token":"t1"`, fmt.Sprintf(`"token":"%dt1"`, now().Unix()%10)).Replace(string(verifytest.Mailgun(`{}`, secret, "t1", now())))
	if _, reason := decide(t, v, &verify.Request{Header: http.Header{}, Body: []byte(moved)}, now()); reason == "" {
		t.Error("a timestamp that was moved into the token is taken")
	}
}

func TestMailgunSubaccountsAreSignedByTheirParent(t *testing.T) {
	v := verifier(t, verify.Options{Kind: verify.Mailgun, Secret: secret})
	body := strings.Replace(string(verifytest.Mailgun(`{}`, secret, "t1", now())), `"signature":"`, `"signature":"00","parent-signature":"`, 1)
	if _, reason := decide(t, v, &verify.Request{Header: http.Header{}, Body: []byte(body)}, now()); reason != "" {
		t.Error(reason)
	}
}

func TestMandrillsTestOfAURL(t *testing.T) {
	v := verifier(t, verify.Options{Kind: verify.Mandrill, Secret: secret, URL: hookURL})
	send := func(events string, more url.Values) (verify.Vouched, verify.Reason) {
		values := url.Values{"mandrill_events": {events}}
		for k, vs := range more {
			values[k] = vs
		}
		r := form(values)
		r.Header = verifytest.Mandrill(hookURL, "test-webhook", values)
		return decide(t, v, r, now())
	}
	if vouched, reason := send("[]", nil); reason != "" || vouched.Payload != nil {
		t.Errorf("an empty batch signed by the generic key: %q, %s", reason, vouched.Payload)
	}
	if _, reason := send(`[{"event":"spam"}]`, nil); reason != verify.Wrong {
		t.Errorf("events signed by the generic key: %q", reason)
	}
	if _, reason := send(`[]`, url.Values{"event": {"spam"}}); reason != verify.Wrong {
		t.Errorf("more than an empty batch: %q", reason)
	}
}

func TestTokensInTwoPlaces(t *testing.T) {
	v := verifier(t, verify.Options{Kind: verify.Token, Secret: secret, Header: "X-Hook-Token"})
	for name, tt := range map[string]struct {
		r    verify.Request
		want verify.Reason
	}{
		"a wrong path is not made good by a header": {verify.Request{Token: "x", Header: http.Header{"X-Hook-Token": {secret}}}, verify.Wrong},
		"another scheme":   {verify.Request{Header: http.Header{"Authorization": {"Digest " + secret}}}, verify.Absent},
		"a prefix":         {verify.Request{Token: secret[:20], Header: http.Header{}}, verify.Wrong},
		"another's header": {verify.Request{Header: http.Header{"X-Token": {secret}}}, verify.Absent},
	} {
		if _, reason := decide(t, v, &tt.r, now()); reason != tt.want {
			t.Errorf("%s: %q, want %q", name, reason, tt.want)
		}
	}
}

func snsVerifier(t *testing.T) (*verifytest.SNS, verify.Verifier) {
	sns := verifytest.NewSNS(t, now())
	return sns, verifier(t, verify.Options{Kind: verify.SNS, Topics: []string{sns.Topic("mail")}, Fetch: sns.Fetch})
}

func raw(body []byte) *verify.Request { return &verify.Request{Header: http.Header{}, Body: body} }

func TestSNSVersionsAndSubjects(t *testing.T) {
	sns, v := snsVerifier(t)
	for _, version := range []string{"1", "2"} {
		m := sns.Notification(sns.Topic("mail"), `{"eventType":"Send"}`, now())
		m["Subject"] = "Amazon SES Email Event\nNotification"
		if _, reason := decide(t, v, raw(sns.Sign(m, version)), now()); reason != "" {
			t.Errorf("version %s: %s", version, reason)
		}
	}
	if n := len(sns.Fetched()); n != 1 {
		t.Errorf("the certificate was fetched %d times", n)
	}
	m := sns.Notification(sns.Topic("mail"), "x", now())
	if _, reason := decide(t, v, raw(sns.Sign(m, "3")), now()); reason != verify.Wrong {
		t.Errorf("version 3: %q", reason)
	}
}

func TestSNSLooksNowhereElse(t *testing.T) {
	sns, v := snsVerifier(t)
	for _, place := range []string{
		"http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
		"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem",
		"https://sns.eu-west-1.amazonaws.com.example.org/SimpleNotificationService-0123.pem",
		"https://sns.eu-west-1.amazonaws.com@example.org/SimpleNotificationService-0123.pem",
		"https://example.org@sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem",
		"https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0123.pem",
		"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem?x=1",
		"https://sns.eu-west-1.amazonaws.com/a/../SimpleNotificationService-0123.pem",
		"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
		"https://s3.amazonaws.com/bucket/SimpleNotificationService-0123.pem",
		"https://127.0.0.1/SimpleNotificationService-0123.pem",
		"//sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem", "%", "",
	} {
		m := sns.Notification(sns.Topic("mail"), "x", now())
		m["SigningCertURL"] = place
		body := sns.Sign(m, "2")
		if place == "" {
			body = []byte(strings.Replace(string(body), "SigningCertURL", "SigningCertUrl", 1))
		}
		if _, reason := decide(t, v, raw(body), now()); reason != verify.NotAllowed {
			t.Errorf("%s: %q", place, reason)
		}
	}
	if _, reason := decide(t, v, raw(sns.Sign(sns.Notification(sns.Topic("other"), "x", now()), "2")), now()); reason != verify.NotAllowed {
		t.Errorf("another topic: %q", reason)
	}
	if f := sns.Fetched(); len(f) != 0 {
		t.Errorf("fetched %v", f)
	}
	if _, reason := decide(t, v, &verify.Request{Header: http.Header{"X-Amz-Sns-Rawdelivery": {"true"}}}, now()); reason != verify.Absent {
		t.Errorf("raw delivery: %q", reason)
	}
	for _, body := range []string{"", "[]", "null", "{", `"x"`} {
		if _, reason := decide(t, v, raw([]byte(body)), now()); reason == "" {
			t.Errorf("%q is taken", body)
		}
	}
}

func TestSNSConfirmsOnlyWhatItWasAskedTo(t *testing.T) {
	sns, v := snsVerifier(t)
	vouched, reason := decide(t, v, raw(sns.Sign(sns.Subscription(sns.Topic("mail"), "tok", now()), "1")), now())
	if reason != "" || vouched.Confirm == nil || vouched.Confirm.Host != sns.Host || vouched.Payload != nil {
		t.Errorf("a subscription: %q, %+v", reason, vouched)
	}
	if _, reason := decide(t, v, raw(sns.Sign(sns.Subscription(sns.Topic("other"), "tok", now()), "1")), now()); reason != verify.NotAllowed {
		t.Errorf("another topic's: %q", reason)
	}
	for _, u := range []string{
		"https://example.org/?Action=ConfirmSubscription&TopicArn=" + sns.Topic("mail"),
		"http://" + sns.Host + "/?Action=ConfirmSubscription&TopicArn=" + sns.Topic("mail"),
		"https://" + sns.Host + "/?Action=DeleteTopic&TopicArn=" + sns.Topic("mail"),
		"https://" + sns.Host + "/?Action=ConfirmSubscription&Action=x&TopicArn=" + sns.Topic("mail"),
		"https://" + sns.Host + "/?Action=ConfirmSubscription&TopicArn=" + sns.Topic("other"),
	} {
		m := sns.Subscription(sns.Topic("mail"), "tok", now())
		m["SubscribeURL"] = u
		if _, reason := decide(t, v, raw(sns.Sign(m, "1")), now()); reason != verify.NotAllowed {
			t.Errorf("%s: %q", u, reason)
		}
	}
	m := sns.Subscription(sns.Topic("mail"), "tok", now())
	m["Type"] = "UnsubscribeConfirmation"
	if vouched, reason := decide(t, v, raw(sns.Sign(m, "2")), now()); reason != "" || vouched.Confirm != nil || vouched.Payload != nil {
		t.Errorf("an end of a subscription: %q, %+v", reason, vouched)
	}
	m = sns.Notification(sns.Topic("mail"), "x", now())
	m["Type"] = "Something"
	if _, reason := decide(t, v, raw(sns.Sign(m, "2")), now()); reason != verify.Wrong {
		t.Errorf("another type: %q", reason)
	}
}

// A signature covers some fields only. Whoever adds others must not make the message something else, and whoever writes a
// key twice must not have one verified and the other read.
func TestSNSPublishesWhatIsSigned(t *testing.T) {
	sns, v := snsVerifier(t)
	d, err := provider.NewDecoder(provider.Auto, provider.Options{})
	if err != nil {
		t.Fatal(err)
	}
	message := `{"eventType":"Open","mail":{"timestamp":"2026-03-02T08:00:00Z","messageId":"m1","destination":["ann@example.org"]},"open":{"timestamp":"2026-03-02T08:01:00Z"}}`
	forged := strings.NewReplacer("Open", "Complaint", "open", "complaint", "ann@", "bob@").Replace(message)
	quoted, _ := json.Marshal(forged)
	signed := string(sns.Sign(sns.Notification(sns.Topic("mail"), message, now()), "2"))
	for name, body := range map[string]string{
		"as it is":               signed,
		"a mark of SendGrid's":   strings.Replace(signed, "{", `{"sg_event_id":"x","event":"spamreport","timestamp":1772439304,"email":"bob@example.org",`, 1),
		"a key that stood twice": strings.Replace(signed, "{", `{"Message":`+string(quoted)+`,`, 1),
		"a key in another case":  strings.TrimSuffix(signed, "}") + `,"message":` + string(quoted) + `}`,
		"a list of records":      strings.TrimSuffix(signed, "}") + `,"Records":[{"Sns":{"Message":` + string(quoted) + `}}]}`,
	} {
		vouched, reason := decide(t, v, raw([]byte(body)), now())
		if reason != "" {
			t.Errorf("%s: %s", name, reason)
			continue
		}
		r := d.Decode(vouched.Payload, now())
		if len(r.Events) != 1 || r.Events[0].Type != event.Open || r.Events[0].Recipient != "ann@example.org" || r.Events[0].ID == "" {
			t.Errorf("%s: read as %+v %v", name, r.Events, r.Rejected)
		}
	}
	for name, body := range map[string]string{
		"last of two":     strings.TrimSuffix(signed, "}") + `,"Message":` + string(quoted) + `}`,
		"another message": strings.Replace(signed, `"Message":"`, `"Message":"x`, 1),
	} {
		if _, reason := decide(t, v, raw([]byte(body)), now()); reason != verify.Wrong {
			t.Errorf("%s: %q", name, reason)
		}
	}
}

func TestSNSCertificates(t *testing.T) {
	sns, v := snsVerifier(t)
	body := sns.Sign(sns.Notification(sns.Topic("mail"), "x", now()), "2")
	sns.SetAway(true)
	if _, reason := decide(t, v, raw(body), now()); reason != verify.Unavailable {
		t.Errorf("cannot be had: %q", reason)
	}
	sns.SetAway(false)
	if _, reason := decide(t, v, raw(body), now().Add(time.Second)); reason != verify.Unavailable {
		t.Errorf("a moment later: %q", reason)
	}
	if n := len(sns.Fetched()); n != 0 {
		t.Errorf("asked for again at once, %d times", n)
	}
	if _, reason := decide(t, v, raw(body), now().Add(2*time.Minute)); reason != "" {
		t.Errorf("two minutes later: %q", reason)
	}
	if _, reason := decide(t, v, raw(body), now().Add(13*time.Hour)); reason != verify.Wrong {
		t.Errorf("once the certificate has expired: %q", reason)
	}
}

func TestSNSLooksForFewCertificates(t *testing.T) {
	sns, v := snsVerifier(t)
	look := func(n int, at time.Time) verify.Reason {
		m := sns.Notification(sns.Topic("mail"), "x", now())
		m["SigningCertURL"] = fmt.Sprintf("https://%s/SimpleNotificationService-%d.pem", sns.Host, n)
		_, reason := decide(t, v, raw(sns.Sign(m, "2")), at)
		return reason
	}
	for n := range 100 {
		if reason := look(n, now()); reason != verify.Unavailable {
			t.Fatal(reason)
		}
	}
	if n := len(sns.Fetched()); n == 0 || n > 10 {
		t.Errorf("%d looks at places that a stranger made up", n)
	}
	good := raw(sns.Sign(sns.Notification(sns.Topic("mail"), "x", now()), "2"))
	if _, reason := decide(t, v, good, now().Add(20*time.Second)); reason != "" {
		t.Errorf("a real one a while later: %q", reason)
	}
}
