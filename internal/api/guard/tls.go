package guard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// TLSFiles names the files of the server's side of TLS.
type TLSFiles struct {
	Cert     string // PEM, the chain with the leaf first
	Key      string // PEM
	ClientCA string // PEM; when set, clients must show a certificate signed by one of these
}

// Config reads the files and returns a configuration for TLS 1.2 and up. The certificate is read again when its files
// change, so that a renewed one needs no restart; a pair that cannot be read leaves the old one in use.
func (f TLSFiles) Config() (*tls.Config, error) {
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("tls: both cert_file and key_file are needed")
	}
	pair := &reloadingPair{files: f}
	if _, err := pair.get(nil); err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get, NextProtos: []string{"h2", "http/1.1"}}
	if f.ClientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("tls: client_ca_file: %w", err)
	}
	c.ClientCAs = x509.NewCertPool()
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls: client_ca_file %s: no certificate in PEM form in it", f.ClientCA)
	}
	c.ClientAuth = tls.RequireAndVerifyClientCert
	return c, nil
}

type reloadingPair struct {
	files TLSFiles

	mu       sync.Mutex
	cert     *tls.Certificate
	modified [2]time.Time
}

// get is called at each handshake: two stat calls are small beside its cryptography.
func (p *reloadingPair) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	modified := [2]time.Time{modTime(p.files.Cert), modTime(p.files.Key)}
	if p.cert != nil && modified == p.modified {
		return p.cert, nil
	}
	cert, err := tls.LoadX509KeyPair(p.files.Cert, p.files.Key)
	if err != nil {
		if p.cert != nil {
			return p.cert, nil // half-written: the next handshake looks again
		}
		return nil, fmt.Errorf("tls: %w", err)
	}
	p.cert, p.modified = &cert, modified
	return p.cert, nil
}

func modTime(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
