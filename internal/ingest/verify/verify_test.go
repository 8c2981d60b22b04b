package verify_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/ingest/verify"
	"sendwatch/internal/ingest/verifytest"
	"sendwatch/internal/testparts"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

const (
	secret      = "a-secret-of-good-length"
	otherSecret = "another-secret-of-good-length"
	hookURL     = "https://hooks.example.com/ingest/mandrill?x=1"
	svixSecret  = "whsec_c2VuZHdhdGNoLXNpZ25pbmcta2V5LTAx"
)

func now() time.Time { return time.Date(2026, 3, 2, 8, 15, 4, 0, time.UTC) }

// way is a kind of proof, with how a webhook is sent by it.
type way struct {
	options verify.Options
	rotated func(o *verify.Options)                         // puts another secret before the good one
	send    func(body []byte, at time.Time) *verify.Request // signed at a time
	tamper  func(r *verify.Request)                         // changes what the signature is over; nil = nothing is
	timed   time.Duration                                   // the default limit of age; 0 = no time is signed
	strip   func(r *verify.Request)                         // takes the proof away
}

func form(values url.Values) *verify.Request {
	return &verify.Request{Header: http.Header{}, Body: []byte(values.Encode()), Form: values}
}

func ways(t *testing.T) map[string]way {
	key, other := verifytest.NewKey(t), verifytest.NewKey(t)
	headers := func(h http.Header, body []byte) *verify.Request { return &verify.Request{Header: h, Body: body} }
	noHeaders := func(r *verify.Request) { r.Header = http.Header{} }
	otherBody := func(r *verify.Request) { r.Body = []byte(`{"other":1}`) }
	secondLine := func(o *verify.Options) { o.Secret = "# rotated in March\n" + otherSecret + "\n\n" + o.Secret + "\n" }
	sns := verifytest.NewSNS(t, now())
	hexHMAC := func(kind, header string) way {
		return way{options: verify.Options{Kind: kind, Secret: secret}, rotated: secondLine, strip: noHeaders, tamper: otherBody,
			send: func(body []byte, _ time.Time) *verify.Request {
				return headers(http.Header{header: {verifytest.HexHMAC(secret, body)}}, body)
			}}
	}
	return map[string]way{
		"sendgrid": {options: verify.Options{Kind: verify.SendGrid, Secret: key.Public()}, strip: noHeaders, tamper: otherBody, timed: 26 * time.Hour,
			rotated: func(o *verify.Options) { o.Secret = other.Public() + "\n" + o.Secret },
			send:    func(body []byte, at time.Time) *verify.Request { return headers(key.SendGrid(body, at), body) }},
		"mailgun": {options: verify.Options{Kind: verify.Mailgun, Secret: secret}, rotated: secondLine, timed: 12 * time.Hour,
			strip: func(r *verify.Request) { r.Body = []byte(`{"event-data":{}}`) },
			send: func(body []byte, at time.Time) *verify.Request {
				return headers(http.Header{}, verifytest.Mailgun(string(body), secret, "token-1", at))
			}},
		"mailgun's forms": {options: verify.Options{Kind: verify.Mailgun, Secret: secret}, rotated: secondLine, timed: 12 * time.Hour,
			strip: func(r *verify.Request) { r.Form.Del("signature") },
			send: func(_ []byte, at time.Time) *verify.Request {
				// A variable of the sender's own may be called token: the signature's stands last.
				return form(verifytest.MailgunForm(url.Values{"event": {"opened"}, "token": {"mine"}}, secret, "token-1", at))
			}},
		"svix": {options: verify.Options{Kind: verify.Svix, Secret: svixSecret}, strip: noHeaders, tamper: otherBody, timed: 5 * time.Minute,
			rotated: func(o *verify.Options) {
				o.Secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(otherSecret)) + "\n" + o.Secret
			},
			send: func(body []byte, at time.Time) *verify.Request {
				return headers(verifytest.Svix("Svix-", svixSecret, "msg_1", body, at), body)
			}},
		"mandrill": {options: verify.Options{Kind: verify.Mandrill, Secret: secret, URL: hookURL}, rotated: secondLine, strip: noHeaders,
			tamper: func(r *verify.Request) { r.Form.Set("mandrill_events", "[{}]") },
			send: func(body []byte, _ time.Time) *verify.Request {
				r := form(url.Values{"mandrill_events": {string(body)}})
				r.Header = verifytest.Mandrill(hookURL, secret, r.Form)
				return r
			}},
		"mailtrap":   hexHMAC(verify.Mailtrap, "Mailtrap-Signature"),
		"mailersend": hexHMAC(verify.MailerSend, "Signature"),
		"sns": {options: verify.Options{Kind: verify.SNS, Topics: []string{sns.Topic("mail")}, Fetch: sns.Fetch}, timed: 24 * time.Hour,
			strip: func(r *verify.Request) {
				r.Body = []byte(strings.Replace(string(r.Body), `"Signature"`, `"Segnature"`, 1))
			},
			tamper: func(r *verify.Request) {
				r.Body = []byte(strings.Replace(string(r.Body), `"Message":"`, `"Message":" `, 1))
			},
			send: func(body []byte, at time.Time) *verify.Request {
				return headers(http.Header{}, sns.Sign(sns.Notification(sns.Topic("mail"), string(body), at), "2"))
			}},
		"basic": {options: verify.Options{Kind: verify.Basic, Username: "hooks", Secret: secret}, rotated: secondLine, strip: noHeaders,
			send: func(body []byte, _ time.Time) *verify.Request {
				r := &http.Request{Header: http.Header{}}
				r.SetBasicAuth("hooks", secret)
				return headers(r.Header, body)
			}},
		"bearer": {options: verify.Options{Kind: verify.Token, Secret: secret}, rotated: secondLine, strip: noHeaders,
			send: func(body []byte, _ time.Time) *verify.Request {
				return headers(http.Header{"Authorization": {"bearer " + secret}}, body)
			}},
		"header": {options: verify.Options{Kind: verify.Token, Secret: secret, Header: "X-Hook-Token"}, rotated: secondLine, strip: noHeaders,
			send: func(body []byte, _ time.Time) *verify.Request {
				return headers(http.Header{"X-Hook-Token": {secret}}, body)
			}},
		"path": {options: verify.Options{Kind: verify.Token, Secret: secret}, rotated: secondLine, strip: func(r *verify.Request) { r.Token = "" },
			send: func(body []byte, _ time.Time) *verify.Request {
				return &verify.Request{Header: http.Header{}, Token: secret, Body: body}
			}},
	}
}

func verifier(t *testing.T, o verify.Options) verify.Verifier {
	t.Helper()
	v, err := verify.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// decide asks a verifier as a receiver does. The reason is "" when the request is let through.
func decide(t *testing.T, v verify.Verifier, r *verify.Request, at time.Time) (verify.Vouched, verify.Reason) {
	t.Helper()
	err := v.Begin(r)
	var vouched verify.Vouched
	if err == nil {
		vouched, err = v.Verify(t.Context(), r, at)
	}
	if err == nil {
		return vouched, ""
	}
	refused, ok := errors.AsType[*verify.Error](err)
	if !ok {
		t.Fatalf("error %v of another kind", err)
	}
	if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), otherSecret) {
		t.Errorf("a secret is in the message: %s", err)
	}
	if vouched.Payload != nil || vouched.Confirm != nil {
		t.Errorf("refused (%s), but vouched for", err)
	}
	return vouched, refused.Reason
}

func TestEveryWay(t *testing.T) {
	body := []byte(`[{"event":"open","email":"ann@example.org"}]`)
	for name, w := range ways(t) {
		t.Run(name, func(t *testing.T) {
			v := verifier(t, w.options)
			expect := func(what string, v verify.Verifier, r *verify.Request, at time.Time, want verify.Reason) {
				t.Helper()
				vouched, got := decide(t, v, r, at)
				if got != want {
					t.Errorf("%s: %q, want %q", what, got, want)
				}
				if got == "" && vouched.Payload == nil {
					t.Errorf("%s: nothing to publish", what)
				}
			}
			expect("signed", v, w.send(body, now()), now(), "")
			r := w.send(body, now())
			w.strip(r)
			expect("without a proof", v, r, now(), verify.Absent)
			if w.tamper != nil {
				r = w.send(body, now())
				w.tamper(r)
				expect("changed on the way", v, r, now(), verify.Wrong)
			}
			if w.timed > 0 {
				expect("just in time", v, w.send(body, now().Add(-w.timed)), now(), "")
				expect("too old", v, w.send(body, now().Add(-w.timed-time.Second)), now(), verify.Expired)
				expect("clocks differ", v, w.send(body, now().Add(5*time.Minute)), now(), "")
				expect("ahead of the clock", v, w.send(body, now().Add(6*time.Minute)), now(), verify.Expired)
				o := w.options
				o.MaxAge = time.Hour
				expect("older than one's own limit", verifier(t, o), w.send(body, now().Add(-61*time.Minute)), now(), verify.Expired)
			}
			if w.rotated != nil {
				o := w.options
				w.rotated(&o)
				expect("by the second of two secrets", verifier(t, o), w.send(body, now()), now(), "")
				if o.Secret = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(o.Secret), w.options.Secret)); o.Secret != "" {
					expect("by another secret", verifier(t, o), w.send(body, now()), now(), verify.Wrong)
				}
			}
		})
	}
}

func TestMistakesInOptions(t *testing.T) {
	tests := map[string]struct {
		o    verify.Options
		want string
	}{
		"unknown":               {verify.Options{Kind: "magic"}, "allowed: sendgrid"},
		"no secret":             {verify.Options{Kind: verify.Mailgun}, "secret: none"},
		"only a comment":        {verify.Options{Kind: verify.Mailgun, Secret: "# key\n"}, "secret: none"},
		"short":                 {verify.Options{Kind: verify.Token, Secret: "short"}, "5 characters; at least 16"},
		"token with a slash":    {verify.Options{Kind: verify.Token, Secret: "a/" + secret}, "a slash"},
		"no user name":          {verify.Options{Kind: verify.Basic, Secret: secret}, "username"},
		"colon in user name":    {verify.Options{Kind: verify.Basic, Secret: secret, Username: "a:b"}, "username"},
		"no password":           {verify.Options{Kind: verify.Basic, Username: "hooks"}, "secret: none"},
		"key not base64":        {verify.Options{Kind: verify.SendGrid, Secret: "!!!!!!!!!!!!!!!!!!!!"}, "not base64"},
		"key of something else": {verify.Options{Kind: verify.SendGrid, Secret: "c2VuZHdhdGNoLXNpZ25pbmcta2V5"}, "not a public key"},
		"svix not base64":       {verify.Options{Kind: verify.Svix, Secret: "whsec_????????????????"}, "whsec_ and base64"},
		"no URL":                {verify.Options{Kind: verify.Mandrill, Secret: secret}, "url"},
		"no topics":             {verify.Options{Kind: verify.SNS}, "topic_arns: none"},
		"no ARN":                {verify.Options{Kind: verify.SNS, Topics: []string{"arn:aws:sns:eu-west-1.evil.example/:123456789012:x"}}, "an ARN such as"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := verify.New(tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one about %q", err, tt.want)
			}
		})
	}
	for _, kind := range verify.Kinds() {
		if _, err := verify.New(verify.Options{Kind: kind}); (err == nil) != (kind == verify.None) {
			t.Errorf("%s without anything: %v", kind, err)
		}
	}
}
