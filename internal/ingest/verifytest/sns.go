package verifytest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // signature version 1
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"sync"
	"testing"
	"time"
)

// SNS stands for Amazon SNS in one region: it signs messages, and has the certificate and the confirmations that are fetched.
type SNS struct {
	Host string // of the region
	key  *rsa.PrivateKey
	pem  []byte

	mu        sync.Mutex
	away      bool
	fetched   []string // paths of certificates
	confirmed []string // tokens
}

// NewSNS makes one for eu-west-1, whose certificate is valid for a day around now.
func NewSNS(t testing.TB, now time.Time) *SNS {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"},
		NotBefore: now.Add(-12 * time.Hour), NotAfter: now.Add(12 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &SNS{Host: "sns.eu-west-1.amazonaws.com", key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// Topic is the ARN of a topic of the region.
func (s *SNS) Topic(name string) string { return "arn:aws:sns:eu-west-1:123456789012:" + name }

// CertificateURL is where the certificate is.
func (s *SNS) CertificateURL() string {
	return "https://" + s.Host + "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
}

// SetAway lets fetching fail, or work again.
func (s *SNS) SetAway(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// Fetch is what verifiers get certificates with, and receivers confirm with.
func (s *SNS) Fetch(_ context.Context, u *url.URL) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case u.Scheme != "https" || u.Host != s.Host:
		return nil, errors.New("fetched from elsewhere: " + u.String())
	case s.away:
		return nil, errors.New("away")
	case u.String() == s.CertificateURL():
		s.fetched = append(s.fetched, u.Path)
		return s.pem, nil
	case u.Query().Get("Action") == "ConfirmSubscription":
		s.confirmed = append(s.confirmed, u.Query().Get("Token"))
		return []byte("<ConfirmSubscriptionResponse/>"), nil
	}
	s.fetched = append(s.fetched, u.Path)
	return nil, errors.New("not found")
}

// Fetched are the paths of the certificates that were fetched, found or not.
func (s *SNS) Fetched() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.fetched...)
}

// Confirmed are the tokens of the subscriptions that were confirmed.
func (s *SNS) Confirmed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.confirmed...)
}

// Notification is a message with this text, not yet signed.
func (s *SNS) Notification(topic, text string, at time.Time) map[string]string {
	return map[string]string{"Type": "Notification", "MessageId": "m-" + text[:min(len(text), 8)], "TopicArn": topic, "Message": text,
		"Timestamp": at.UTC().Format("2006-01-02T15:04:05.000Z")}
}

// Subscription is the message that asks to confirm a subscription, not yet signed.
func (s *SNS) Subscription(topic, token string, at time.Time) map[string]string {
	return map[string]string{"Type": "SubscriptionConfirmation", "MessageId": "s-" + token, "TopicArn": topic, "Message": "You have chosen to subscribe.",
		"Token": token, "SubscribeURL": "https://" + s.Host + "/?Action=ConfirmSubscription&TopicArn=" + topic + "&Token=" + token,
		"Timestamp": at.UTC().Format("2006-01-02T15:04:05.000Z")}
}

// Sign signs a message by a version of the signature and returns it as it is sent.
func (s *SNS) Sign(message map[string]string, version string) []byte {
	fields := []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	if message["Type"] != "Notification" {
		fields = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	text := ""
	for _, f := range fields {
		if v, ok := message[f]; ok {
			text += f + "\n" + v + "\n"
		}
	}
	hash, sum := crypto.SHA1, sha1sum(text)
	if version == "2" {
		d := sha256.Sum256([]byte(text))
		hash, sum = crypto.SHA256, d[:]
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, hash, sum)
	if err != nil {
		panic(err)
	}
	message["SignatureVersion"] = version
	message["Signature"] = base64.StdEncoding.EncodeToString(signature)
	if message["SigningCertURL"] == "" {
		message["SigningCertURL"] = s.CertificateURL()
	}
	body, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return body
}

func sha1sum(text string) []byte {
	d := sha1.Sum([]byte(text))
	return d[:]
}
