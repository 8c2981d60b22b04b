package verify

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// basic verifies HTTP basic authentication (RFC 7617), which most providers can be given as a part of the webhook's URL.
//
// Postmark: https://postmarkapp.com/developer/webhooks/webhooks-overview#protecting-your-webhook
// Mailjet: https://documentation.mailjet.com/hc/en-us/articles/360043578154-Event-Tracking-API
// Brevo: https://developers.brevo.com/docs/secured-webhooks
// Amazon SNS, which is first answered 401: https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html
type basic struct {
	username  string
	passwords digests
}

// newBasic needs Username and, as Secret, the password.
func newBasic(o Options) (Verifier, error) {
	if o.Username == "" || strings.Contains(o.Username, ":") {
		return nil, fmt.Errorf("username: %q; a name without a colon is needed for basic authentication", o.Username)
	}
	list, err := secrets(o.Secret)
	if err != nil {
		return nil, err
	}
	return &basic{o.Username, digestsOf(list)}, nil
}

func (b *basic) Begin(r *Request) error {
	username, password, ok := (&http.Request{Header: r.Header}).BasicAuth()
	if !ok {
		return refuse(Absent, "no basic authentication: put the user name and the password into the webhook's URL, https://USER:PASSWORD@…")
	}
	// Both are looked at, so that time does not tell which of them is wrong.
	good := b.passwords.have(password)
	good = subtle.ConstantTimeCompare([]byte(username), []byte(b.username)) == 1 && good
	if !good {
		return refuse(Wrong, "the user name or the password is wrong")
	}
	return nil
}

func (b *basic) Verify(_ context.Context, r *Request, _ time.Time) (Vouched, error) {
	return Vouched{Payload: r.Body}, nil
}

// token verifies a shared secret: a bearer token (RFC 6750), a header of one's own, or the last part of the path for
// providers that can do neither.
//
// Brevo (bearer tokens and own headers): https://developers.brevo.com/docs/secured-webhooks
// Mailjet has nothing but the URL: https://documentation.mailjet.com/hc/en-us/articles/360043578154-Event-Tracking-API
type token struct {
	header string
	tokens digests
}

// newToken needs Secret; Header says which header carries it, besides Authorization and the path.
func newToken(o Options) (Verifier, error) {
	list, err := secrets(o.Secret)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }) {
			return nil, errors.New("secret: a token with a space, a slash or a character that is not printable ASCII")
		}
	}
	return &token{o.Header, digestsOf(list)}, nil
}

func (t *token) Begin(r *Request) error {
	sent := r.Token
	if scheme, bearer, ok := strings.Cut(r.Header.Get("Authorization"), " "); sent == "" && ok && strings.EqualFold(scheme, "Bearer") {
		sent = strings.TrimSpace(bearer)
	}
	if sent == "" && t.header != "" {
		sent = r.Header.Get(t.header)
	}
	switch {
	case sent == "":
		return refuse(Absent, "no token: send it as Authorization: Bearer TOKEN, or as the last part of the path")
	case !t.tokens.have(sent):
		return refuse(Wrong, "the token is wrong")
	}
	return nil
}

func (t *token) Verify(_ context.Context, r *Request, _ time.Time) (Vouched, error) {
	return Vouched{Payload: r.Body}, nil
}

// digests are those of secrets: of one length, whatever the secrets' is.
type digests [][sha256.Size]byte

func digestsOf(list []string) digests {
	var d digests
	for _, s := range list {
		d = append(d, sha256.Sum256([]byte(s)))
	}
	return d
}

func (d digests) have(s string) bool {
	sum := sha256.Sum256([]byte(s))
	found := 0
	for i := range d {
		found |= subtle.ConstantTimeCompare(sum[:], d[i][:])
	}
	return found == 1
}
