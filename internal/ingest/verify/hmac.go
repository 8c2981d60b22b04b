package verify

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what Mandrill signs with; as HMAC it still holds
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// bodyHMAC verifies a signature that is nothing but the HMAC-SHA-256 of the body, in hexadecimal digits, in a header. There is
// no time in it, so that nothing expires.
//
// Mailtrap: https://mailtrap.github.io/mailtrap-dotnet/api/Mailtrap.Webhooks.WebhookSignature.html
// MailerSend: https://developers.mailersend.com/api/v1/webhooks.html
type bodyHMAC struct {
	header string
	keys   [][]byte
}

// newBodyHMAC needs as Secret the webhook's signing secret.
func newBodyHMAC(o Options, header string) (Verifier, error) {
	k, err := keys(o.Secret)
	if err != nil {
		return nil, err
	}
	return &bodyHMAC{header, k}, nil
}

func (b *bodyHMAC) Begin(r *Request) error {
	_, err := only(r.Header, b.header)
	return err
}

func (b *bodyHMAC) Verify(_ context.Context, r *Request, _ time.Time) (Vouched, error) {
	sent, err := hex.DecodeString(r.Header.Get(b.header))
	if err != nil || !anyMatches(b.keys, sent, func(key []byte) []byte { return sum256(key, r.Body) }) {
		return Vouched{}, refuse(Wrong, "the signature in %s does not fit: compare the signing secret, and see that nothing on the way changes the body", b.header)
	}
	return Vouched{Payload: r.Body}, nil
}

// svix verifies the signatures of Svix, through which Resend sends: base64 of HMAC-SHA-256 over "ID.TIMESTAMP.BODY", any of
// those in the header that are of version 1. Headers may begin with webhook- instead of svix-.
//
// Svix: https://docs.svix.com/receiving/verifying-payloads/how-manual
// Resend: https://resend.com/docs/webhooks/verify-webhooks-requests
type svix struct {
	keys   [][]byte
	maxAge time.Duration
}

// svixAge is the tolerance of Svix's own libraries. Attempts are signed anew.
const svixAge = 5 * time.Minute

// newSvix needs as Secret the signing secret, whsec_ and base64.
func newSvix(o Options) (Verifier, error) {
	list, err := secrets(o.Secret)
	if err != nil {
		return nil, err
	}
	v := &svix{maxAge: ageOr(o, svixAge)}
	for _, s := range list {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		if err != nil {
			return nil, fmt.Errorf("secret: a signing secret that is not whsec_ and base64; copy it whole from the webhook's page")
		}
		v.keys = append(v.keys, key)
	}
	return v, nil
}

// fields are the three headers, by either prefix.
func (v *svix) fields(h http.Header) (id, timestamp, signatures string, err error) {
	for _, prefix := range []string{"Svix-", "Webhook-"} {
		if id, err = only(h, prefix+"Id"); err != nil {
			continue
		}
		if timestamp, err = only(h, prefix+"Timestamp"); err != nil {
			continue
		}
		if signatures, err = only(h, prefix+"Signature"); err == nil {
			return id, timestamp, signatures, nil
		}
	}
	return "", "", "", refuse(Absent, "the headers svix-id, svix-timestamp and svix-signature are needed, each once")
}

func (v *svix) Begin(r *Request) error {
	_, _, _, err := v.fields(r.Header)
	return err
}

func (v *svix) Verify(_ context.Context, r *Request, now time.Time) (Vouched, error) {
	id, timestamp, signatures, err := v.fields(r.Header)
	if err != nil {
		return Vouched{}, err
	}
	head := []byte(id + "." + timestamp + ".")
	good := false
	for _, s := range strings.Fields(signatures) {
		encoded, ok := strings.CutPrefix(s, "v1,")
		if !ok {
			continue // another version
		}
		if sent, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			good = anyMatches(v.keys, sent, func(key []byte) []byte { return sum256(key, head, r.Body) }) || good
		}
	}
	if !good {
		return Vouched{}, refuse(Wrong, "no signature fits: compare the signing secret, and see that nothing on the way changes the body")
	}
	signed, err := unixSeconds(timestamp)
	if err != nil {
		return Vouched{}, err
	}
	if err := checkAge(signed, now, v.maxAge); err != nil {
		return Vouched{}, err
	}
	return Vouched{Payload: r.Body}, nil
}

// mandrill verifies the signatures of Mandrill (Mailchimp Transactional): base64 of HMAC-SHA-1 over the webhook's URL exactly as
// it was entered, followed by the names and values of the form's fields, sorted by name. There is no time in it.
//
// https://mandrill.zendesk.com/hc/en-us/articles/360039232513-How-to-Authenticate-Webhook-Requests
type mandrill struct {
	url  string
	keys [][]byte
}

const (
	mandrillSignature = "X-Mandrill-Signature"
	mandrillEvents    = "mandrill_events"
	// mandrillTest is the key by which Mandrill signs the empty batch that asks whether a URL takes webhooks.
	// https://mandrill.zendesk.com/hc/en-us/articles/360038740014-Why-can-t-my-webhook-or-inbound-route-URL-be-verified
	mandrillTest = "test-webhook"
)

// newMandrill needs URL and, as Secret, the webhook's key.
func newMandrill(o Options) (Verifier, error) {
	if u, err := url.Parse(o.URL); err != nil || u.Host == "" {
		return nil, fmt.Errorf("url: %q; Mandrill signs the webhook's URL, so it is needed exactly as it was entered there", o.URL)
	}
	k, err := keys(o.Secret)
	if err != nil {
		return nil, err
	}
	return &mandrill{o.URL, k}, nil
}

func (m *mandrill) Begin(r *Request) error {
	_, err := only(r.Header, mandrillSignature)
	return err
}

func (m *mandrill) Verify(_ context.Context, r *Request, _ time.Time) (Vouched, error) {
	sent, err := base64.StdEncoding.DecodeString(r.Header.Get(mandrillSignature))
	if err != nil {
		return Vouched{}, refuse(Wrong, "the signature is not base64")
	}
	expected := func(key []byte) []byte { return m.sum(key, r.Form) }
	if strings.TrimSpace(r.Form.Get(mandrillEvents)) == "[]" && len(r.Form) == 1 && hmac.Equal(sent, expected([]byte(mandrillTest))) {
		return Vouched{}, nil
	}
	if r.Form == nil || !anyMatches(m.keys, sent, expected) {
		return Vouched{}, refuse(Wrong, "the signature does not fit: compare the webhook's key, and its URL to the letter")
	}
	return Vouched{Payload: r.Body}, nil
}

func (m *mandrill) sum(key []byte, form url.Values) []byte {
	h := hmac.New(sha1.New, key)
	h.Write([]byte(m.url))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		h.Write([]byte(name))
		for _, value := range form[name] {
			h.Write([]byte(value))
		}
	}
	return h.Sum(nil)
}
