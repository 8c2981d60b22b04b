// Package verify decides whether a webhook comes from the provider that it says it comes from. There is one small verifier
// for each way in which providers prove that; the doc comment of each names the provider's own description of it. It
// compares secrets in constant time, keeps none of them in messages, and knows neither events nor Kafka.
package verify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Request is what a verifier looks at.
type Request struct {
	Header http.Header
	Token  string     // what stands behind the source's name in the path, "" for nothing
	Body   []byte     // as it was sent; nil before it was read
	Form   url.Values // the fields of a form-encoded body; nil for another one
}

// Vouched is what a verified request brings.
type Vouched struct {
	// Payload is what the provider vouches for, nil when there is nothing to publish. A form is still to be converted.
	Payload []byte
	// Confirm has to be fetched before the request is answered: it confirms a subscription.
	Confirm *url.URL
	// Acknowledged is to be called once the payload is safe; nil = nobody waits for it.
	Acknowledged func()
}

// Verifier decides about the requests of one source. It is safe for use by several goroutines. Its errors are *Error.
type Verifier interface {
	// Begin looks at what stands in the head of a request, so that nobody's body is read who has no credentials.
	Begin(r *Request) error
	// Verify looks at all of a request that Begin has let through.
	Verify(ctx context.Context, r *Request, now time.Time) (Vouched, error)
}

// Reason is why a request was refused: a small closed set, fit for a metric label.
type Reason string

// The reasons.
const (
	Absent      Reason = "absent"      // no signature or credentials
	Wrong       Reason = "wrong"       // they do not fit
	Expired     Reason = "expired"     // they fit, but are too old or too far ahead of the clock
	Replayed    Reason = "replayed"    // they were used for another payload before
	NotAllowed  Reason = "not_allowed" // a topic or host that the configuration does not name
	Unavailable Reason = "unavailable" // what is needed to decide cannot be had at the moment
)

// Error says why a request was refused and what to look at. It never carries a secret or an address.
type Error struct {
	Reason Reason
	Detail string // for the caller
	Cause  error  // for the log; nil = the detail says it all
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Detail + ": " + e.Cause.Error()
	}
	return e.Detail
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

func refuse(reason Reason, format string, args ...any) error {
	return &Error{Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// Fetch gets what is behind an https URL: small, within seconds, without following redirects.
type Fetch func(ctx context.Context, u *url.URL) ([]byte, error)

// Options of a verifier. What each kind needs is said at its constructor.
type Options struct {
	Kind     string
	Secret   string // the text of the secret: keys, tokens or passwords, one a line; all of them are accepted
	Username string
	Header   string // which header carries the token
	URL      string // the webhook's URL as the provider knows it
	Topics   []string
	MaxAge   time.Duration // how old a signature may be; 0 = the kind's default
	Fetch    Fetch
}

// The kinds of proof.
const (
	SendGrid   = "sendgrid"
	Mailgun    = "mailgun"
	SNS        = "sns"
	Svix       = "svix"
	Mandrill   = "mandrill"
	Mailtrap   = "mailtrap"
	MailerSend = "mailersend"
	Basic      = "basic"
	Token      = "token"
	None       = "none"
)

// Kinds lists the kinds of proof.
func Kinds() []string {
	return []string{SendGrid, Mailgun, SNS, Svix, Mandrill, Mailtrap, MailerSend, Basic, Token, None}
}

// DefaultKind is how the provider of a format signs, "" when it does not: then it has to be said.
func DefaultKind(format string) string {
	switch format {
	case "sendgrid", "mailgun", "mandrill", "mailtrap", "mailersend":
		return format
	case "ses":
		return SNS
	case "resend":
		return Svix
	}
	return ""
}

// maxAhead is how far a signature's time may be ahead of the clock, for clocks that differ.
const maxAhead = 5 * time.Minute

// New makes a verifier. The error says what is missing or unreadable.
func New(o Options) (Verifier, error) {
	switch o.Kind {
	case SendGrid:
		return newSendGrid(o)
	case Mailgun:
		return newMailgun(o)
	case SNS:
		return newSNS(o)
	case Svix:
		return newSvix(o)
	case Mandrill:
		return newMandrill(o)
	case Mailtrap:
		return newBodyHMAC(o, "Mailtrap-Signature")
	case MailerSend:
		return newBodyHMAC(o, "Signature")
	case Basic:
		return newBasic(o)
	case Token:
		return newToken(o)
	case None:
		return nobody{}, nil
	}
	return nil, fmt.Errorf("verify: %q; allowed: %s", o.Kind, strings.Join(Kinds(), ", "))
}

// minSecret is the shortest secret that is taken: one that could be guessed is none.
const minSecret = 16

// secrets cuts the text of a secret into its lines. Blank ones and those that begin with # are skipped.
func secrets(text string) ([]string, error) {
	var list []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < minSecret {
			return nil, fmt.Errorf("secret: one of %d characters; at least %d are needed", len(line), minSecret)
		}
		list = append(list, line)
	}
	if len(list) == 0 {
		return nil, errors.New("secret: none; write one a line")
	}
	return list, nil
}

// keys are the secrets as bytes.
func keys(text string) ([][]byte, error) {
	list, err := secrets(text)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for _, s := range list {
		out = append(out, []byte(s))
	}
	return out, nil
}

// anyMatches compares what was sent with what each key gives. All are compared, so that time tells nothing about which.
func anyMatches(keys [][]byte, sent []byte, expected func(key []byte) []byte) bool {
	found := false
	for _, key := range keys {
		found = hmac.Equal(sent, expected(key)) || found
	}
	return found
}

func sum256(key []byte, parts ...[]byte) []byte {
	m := hmac.New(sha256.New, key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// checkAge refuses what was signed too long ago, or in the future.
func checkAge(signed, now time.Time, maxAge time.Duration) error {
	switch age := now.Sub(signed); {
	case age > maxAge:
		return refuse(Expired, "the signature is %s old, at most %s are allowed (max_age)", age.Round(time.Second), maxAge)
	case age < -maxAhead:
		return refuse(Expired, "the signature's time is %s ahead of the clock: compare the clocks", (-age).Round(time.Second))
	}
	return nil
}

func ageOr(o Options, standard time.Duration) time.Duration {
	if o.MaxAge > 0 {
		return o.MaxAge
	}
	return standard
}

// nobody verifies nothing: whoever reaches the receiver may send.
type nobody struct{}

var _ Verifier = nobody{}

func (nobody) Begin(*Request) error { return nil }

func (nobody) Verify(_ context.Context, r *Request, _ time.Time) (Vouched, error) {
	return Vouched{Payload: r.Body}, nil
}

// only is the value of a header that may stand once. Twice, nobody can say which of them others have looked at.
func only(h http.Header, name string) (string, error) {
	switch values := h.Values(name); {
	case len(values) > 1:
		return "", refuse(Wrong, "the header %s stands %d times", name, len(values))
	case len(values) == 0 || values[0] == "":
		return "", refuse(Absent, "the header %s is absent", name)
	default:
		return values[0], nil
	}
}
