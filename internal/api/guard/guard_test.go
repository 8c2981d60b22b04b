package guard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const token = "0123456789abcdef01234567"

func TestTokens(t *testing.T) {
	var tokens Tokens
	if err := tokens.Parse("# for the dashboard\n\n  " + token + "  \r\nanother-token-of-good-length\n"); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		set  func(*http.Request)
		want bool
	}{
		"none":              {func(*http.Request) {}, false},
		"bearer":            {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }, true},
		"the second":        {func(r *http.Request) { r.Header.Set("Authorization", "bearer another-token-of-good-length") }, true},
		"password":          {func(r *http.Request) { r.SetBasicAuth("anybody", token) }, true},
		"user name":         {func(r *http.Request) { r.SetBasicAuth(token, "") }, false},
		"a prefix":          {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token[:23]) }, false},
		"with more":         {func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token+"x") }, false},
		"the comment":       {func(r *http.Request) { r.Header.Set("Authorization", "Bearer # for the dashboard") }, false},
		"empty":             {func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") }, false},
		"another scheme":    {func(r *http.Request) { r.Header.Set("Authorization", "Digest "+token) }, false},
		"without a scheme":  {func(r *http.Request) { r.Header.Set("Authorization", token) }, false},
		"in the query only": {func(r *http.Request) { r.URL.RawQuery = "access_token=" + token }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", nil)
			if err != nil {
				t.Fatal(err)
			}
			tt.set(r)
			if got := tokens.Accepts(r); got != tt.want {
				t.Errorf("accepted: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTokenFileMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "no token",
		"# only a comment\n":       "no token",
		token + "\nshort\n":        "line 2 has 5 characters",
		strings.Repeat("a b ", 20): "line 1 has a space",
	} {
		var tokens Tokens
		err := tokens.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one about %q", text, err, want)
		}
	}
	if _, err := LoadTokens(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent file was accepted")
	}
}

func TestABadTokenFileLeavesTheOldTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write(t, path, []byte(token))
	tokens, err := LoadTokens(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, []byte("short"))
	if err := tokens.Reload(path); err == nil {
		t.Error("no error")
	}
	if !tokens.has(token) {
		t.Error("the old token is no longer accepted")
	}
	write(t, path, []byte("a-new-token-that-is-long-enough"))
	if err := tokens.Reload(path); err != nil {
		t.Fatal(err)
	}
	if tokens.has(token) || !tokens.has("a-new-token-that-is-long-enough") {
		t.Error("the new file did not replace the old one")
	}
}

func TestLocalHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8225": true, "LOCALHOST.:1": true, "app.localhost": true, "127.0.0.1:8225": true,
		"[::1]:8225": true, "::1": true, "10.0.0.1": true, "": false, "example.com": false, "localhost.example.com": false,
		"127.0.0.1.example.com:8225": false, "notlocalhost": false,
	} {
		if got := LocalHost(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

func TestTLSFiles(t *testing.T) {
	dir := t.TempDir()
	files := TLSFiles{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	if _, err := files.Config(); err == nil {
		t.Error("absent files were accepted")
	}
	if _, err := (TLSFiles{Cert: files.Cert}).Config(); err == nil {
		t.Error("a certificate without its key was accepted")
	}
	writePair(t, files, 1)
	config, err := files.Config()
	if err != nil {
		t.Fatal(err)
	}
	if n := serial(t, config); n != 1 {
		t.Fatalf("serial %d, want 1", n)
	}

	writePair(t, files, 2)
	later := time.Now().Add(time.Hour)
	for _, f := range []string{files.Cert, files.Key} {
		if err := os.Chtimes(f, later, later); err != nil {
			t.Fatal(err)
		}
	}
	if n := serial(t, config); n != 2 {
		t.Errorf("serial %d after renewal, want 2", n)
	}
	write(t, files.Cert, []byte("half-written"))
	if n := serial(t, config); n != 2 {
		t.Errorf("serial %d with a broken file, want the old one, 2", n)
	}

	files.ClientCA = files.Key
	writePair(t, files, 3)
	if _, err := files.Config(); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("a key as client CA: %v", err)
	}
	files.ClientCA = files.Cert
	config, err = files.Config()
	if err != nil || config.ClientAuth != tls.RequireAndVerifyClientCert {
		t.Errorf("client certificates are not required: %v", err)
	}
}

func serial(t *testing.T, c *tls.Config) int64 {
	t.Helper()
	cert, err := c.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	return leaf.SerialNumber.Int64()
}

func writePair(t *testing.T, files TLSFiles, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	write(t, files.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
