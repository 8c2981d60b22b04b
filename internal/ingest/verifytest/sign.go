// Package verifytest signs webhooks as the providers do, with keys made on the spot, for the tests of those who verify them. It
// shares no code with the verifiers: both are written from the providers' descriptions.
package verifytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what Mandrill signs with
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"testing"
	"time"
)

// Key is a key pair of SendGrid.
type Key struct{ private *ecdsa.PrivateKey }

// NewKey makes one.
func NewKey(t testing.TB) *Key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &Key{k}
}

// Public is the verification key as SendGrid shows it.
func (k *Key) Public() string {
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// SendGrid signs a body.
func (k *Key) SendGrid(body []byte, at time.Time) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	sum := sha256.Sum256(append([]byte(timestamp), body...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		panic(err)
	}
	return http.Header{"X-Twilio-Email-Event-Webhook-Signature": {base64.StdEncoding.EncodeToString(signature)},
		"X-Twilio-Email-Event-Webhook-Timestamp": {timestamp}}
}

func mac256(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// HexHMAC is the signature of a body as Mailtrap and MailerSend write it.
func HexHMAC(secret string, body []byte) string {
	return hex.EncodeToString(mac256([]byte(secret), string(body)))
}

// Svix signs a body, with headers that begin with prefix ("Svix-" or "Webhook-").
func Svix(prefix, secret, id string, body []byte, at time.Time) http.Header {
	key, err := base64.StdEncoding.DecodeString(secret[len("whsec_"):])
	if err != nil {
		panic(err)
	}
	text := fmt.Sprintf("%s.%d.%s", id, at.Unix(), body)
	return http.Header{prefix + "Id": {id}, prefix + "Timestamp": {strconv.FormatInt(at.Unix(), 10)},
		prefix + "Signature": {"v1," + base64.StdEncoding.EncodeToString(mac256(key, text))}}
}

// MailgunForm adds the signature's fields to a form.
func MailgunForm(form url.Values, key, token string, at time.Time) url.Values {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	form.Add("timestamp", timestamp)
	form.Add("token", token)
	form.Add("signature", hex.EncodeToString(mac256([]byte(key), timestamp+token)))
	return form
}

// Mailgun wraps an event in a signed webhook.
func Mailgun(event, key, token string, at time.Time) []byte {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signature, err := json.Marshal(map[string]string{"timestamp": timestamp, "token": token,
		"signature": hex.EncodeToString(mac256([]byte(key), timestamp+token))})
	if err != nil {
		panic(err)
	}
	return fmt.Appendf(nil, `{"signature":%s,"event-data":%s}`, signature, event)
}

// Mandrill signs a form that is sent to a URL.
func Mandrill(url, key string, form url.Values) http.Header {
	m := hmac.New(sha1.New, []byte(key))
	text := url
	var names []string
	for name := range form {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		text += name + form.Get(name)
	}
	m.Write([]byte(text))
	return http.Header{"X-Mandrill-Signature": {base64.StdEncoding.EncodeToString(m.Sum(nil))},
		"Content-Type": {"application/x-www-form-urlencoded"}}
}
