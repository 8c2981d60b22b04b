package verify

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sendGrid verifies SendGrid's signed event webhook: an ECDSA signature (ASN.1, base64) of SHA-256 over the timestamp's text
// followed by the body, with the key pair that SendGrid made for the webhook.
//
// https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
type sendGrid struct {
	keys   []*ecdsa.PublicKey
	maxAge time.Duration
}

const (
	sendGridSignature = "X-Twilio-Email-Event-Webhook-Signature"
	sendGridTimestamp = "X-Twilio-Email-Event-Webhook-Timestamp"
	// sendGridAge is the default limit: SendGrid tries for 24 hours, and nothing says that it signs anew.
	sendGridAge = 26 * time.Hour
)

// newSendGrid needs as Secret the public key as SendGrid shows it (base64), or in PEM form; several during a rotation.
func newSendGrid(o Options) (Verifier, error) {
	keys, err := publicKeys(o.Secret)
	if err != nil {
		return nil, err
	}
	return &sendGrid{keys, ageOr(o, sendGridAge)}, nil
}

func publicKeys(text string) ([]*ecdsa.PublicKey, error) {
	var ders [][]byte
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		ders = append(ders, block.Bytes)
	}
	if len(ders) == 0 {
		list, err := secrets(text)
		if err != nil {
			return nil, err
		}
		for _, line := range list {
			der, err := base64.StdEncoding.DecodeString(line)
			if err != nil {
				return nil, errors.New("secret: a public key that is not base64; copy the verification key from SendGrid's settings")
			}
			ders = append(ders, der)
		}
	}
	var keys []*ecdsa.PublicKey
	for _, der := range ders {
		parsed, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, fmt.Errorf("secret: not a public key: %w", err)
		}
		key, ok := parsed.(*ecdsa.PublicKey)
		if !ok {
			return nil, fmt.Errorf("secret: a public key of the kind %T; SendGrid's is an ECDSA key", parsed)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (s *sendGrid) Begin(r *Request) error {
	if _, err := only(r.Header, sendGridSignature); err != nil {
		return err
	}
	_, err := only(r.Header, sendGridTimestamp)
	return err
}

func (s *sendGrid) Verify(_ context.Context, r *Request, now time.Time) (Vouched, error) {
	timestamp := r.Header.Get(sendGridTimestamp)
	signature, err := base64.StdEncoding.DecodeString(r.Header.Get(sendGridSignature))
	if err != nil {
		return Vouched{}, refuse(Wrong, "the signature is not base64")
	}
	h := sha256.New()
	h.Write([]byte(timestamp))
	h.Write(r.Body)
	sum := h.Sum(nil)
	good := false
	for _, key := range s.keys {
		good = good || ecdsa.VerifyASN1(key, sum, signature)
	}
	if !good {
		return Vouched{}, refuse(Wrong, "the signature does not fit: compare the public key, and see that nothing on the way changes the body")
	}
	signed, err := unixSeconds(timestamp)
	if err != nil {
		return Vouched{}, err
	}
	if err := checkAge(signed, now, s.maxAge); err != nil {
		return Vouched{}, err
	}
	return Vouched{Payload: r.Body}, nil
}

func unixSeconds(text string) (time.Time, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 || n > 1e11 {
		return time.Time{}, refuse(Wrong, "the signature's timestamp is not a number of seconds")
	}
	return time.Unix(n, 0), nil
}
