package verify

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"
)

const (
	maxCertificates   = 16               // more than a handful of regions, each with a new one now and then
	certificateRetry  = time.Minute      // how long one that could not be had is not asked for again
	certificateMinKey = 2048             // bits
	certificateEvery  = 10 * time.Second // at most one look at a new place so often, after the first few
	certificateBurst  = 8
)

// certificates keeps the signing certificates of SNS. Whoever knows a topic's name can make it look for one that does not
// exist, so that looks are few: one at a time, and no more than the constants above say.
type certificates struct {
	fetch Fetch
	turn  chan struct{} // one look at a time

	mu      sync.Mutex
	known   map[string]*x509.Certificate
	failed  map[string]time.Time
	looks   int       // left
	granted time.Time // when a look was last added
}

func newCertificates(fetch Fetch) *certificates {
	return &certificates{fetch: fetch, turn: make(chan struct{}, 1), known: map[string]*x509.Certificate{},
		failed: map[string]time.Time{}, looks: certificateBurst}
}

// key returns the public key of the certificate at u, which must be a place that is trusted.
func (c *certificates) key(ctx context.Context, u *url.URL, now time.Time) (*rsa.PublicKey, error) {
	if key, done, err := c.kept(u.String(), now); done {
		return key, err
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, refuse(Unavailable, "the signing certificate is being fetched; send it again shortly")
	}
	if key, done, err := c.kept(u.String(), now); done { // somebody else's look has found it meanwhile
		return key, err
	}
	if !c.mayLook(now) {
		return nil, refuse(Unavailable, "too many new signing certificates at once; send it again shortly")
	}
	cert, err := c.get(ctx, u)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		if len(c.failed) >= maxCertificates {
			clear(c.failed)
		}
		c.failed[u.String()] = now
		return nil, &Error{Unavailable, "the signing certificate could not be fetched; send it again shortly", err}
	}
	if len(c.known) >= maxCertificates {
		clear(c.known)
	}
	c.known[u.String()] = cert
	return keyOf(cert, now)
}

// kept looks for what is known already: done says that it is, be it a failure.
func (c *certificates) kept(place string, now time.Time) (key *rsa.PublicKey, done bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cert, ok := c.known[place]; ok {
		key, err := keyOf(cert, now)
		return key, true, err
	}
	if at, ok := c.failed[place]; ok && now.Sub(at) < certificateRetry && !now.Before(at) {
		return nil, true, refuse(Unavailable, "the signing certificate could not be fetched a moment ago")
	}
	return nil, false, nil
}

// mayLook grants a few looks at once and later one now and then.
func (c *certificates) mayLook(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := now.Sub(c.granted) / certificateEvery; n > 0 {
		c.looks = int(min(certificateBurst, int64(c.looks)+int64(n)))
		c.granted = now
	}
	if c.looks == 0 {
		return false
	}
	c.looks--
	return true
}

func (c *certificates) get(ctx context.Context, u *url.URL) (*x509.Certificate, error) {
	text, err := c.fetch(ctx, u)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("not a certificate in PEM form")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < certificateMinKey {
		return nil, fmt.Errorf("not an RSA key of at least %d bits", certificateMinKey)
	}
	return cert, nil
}

// keyOf returns a certificate's key while the certificate is valid. The names in it are not looked at: the host that it came
// from over TLS is the topic's own region, and AWS does not promise them.
func keyOf(cert *x509.Certificate, now time.Time) (*rsa.PublicKey, error) {
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return nil, refuse(Wrong, "the signing certificate is valid from %s to %s only", cert.NotBefore.Format(time.DateOnly), cert.NotAfter.Format(time.DateOnly))
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, refuse(Wrong, "the signing certificate has no RSA key")
	}
	return key, nil
}
