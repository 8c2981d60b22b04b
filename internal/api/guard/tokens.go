// Package guard holds what stands in front of the handlers: bearer tokens, TLS, the check of the Host header and the
// security headers. It knows nothing of rates and alerts.
package guard

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
)

// MinTokenLength is the shortest token that a file may hold, in bytes. 24 characters of base64 carry 144 bits.
const MinTokenLength = 24

// Tokens is a set of accepted bearer tokens. The zero value accepts none. It is safe for concurrent use.
type Tokens struct {
	sums atomic.Pointer[[][sha256.Size]byte]
}

// LoadTokens reads a token file: one token a line; blank lines and lines that start with # are skipped.
func LoadTokens(path string) (*Tokens, error) {
	t := &Tokens{}
	return t, t.Reload(path)
}

// Reload replaces the set by the file's. When the file is wrong the set stays as it was.
func (t *Tokens) Reload(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	return t.Parse(string(text))
}

// Parse replaces the set by the tokens of a file's text. Messages name lines, never tokens.
func (t *Tokens) Parse(text string) error {
	var sums [][sha256.Size]byte
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(line) < MinTokenLength {
			return fmt.Errorf("token file: line %d has %d characters, at least %d are needed", n, len(line), MinTokenLength)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return fmt.Errorf("token file: line %d has a space or a character that is not printable ASCII; a token is one word", n)
		}
		sums = append(sums, sha256.Sum256([]byte(line)))
	}
	if len(sums) == 0 {
		return errors.New("token file: no token in it; write one a line")
	}
	t.sums.Store(&sums)
	return nil
}

// Accepts says whether the request carries one of the tokens: as a bearer token, or as the password of HTTP basic
// authentication, which is what browsers can do (any user name).
func (t *Tokens) Accepts(r *http.Request) bool {
	token, ok := bearer(r.Header.Get("Authorization"))
	if !ok {
		_, token, ok = r.BasicAuth()
	}
	return ok && t.has(token)
}

// has compares digests with all tokens in constant time, so that neither a prefix nor the position of a token can be timed.
func (t *Tokens) has(token string) bool {
	sums := t.sums.Load()
	if sums == nil {
		return false
	}
	sum := sha256.Sum256([]byte(token))
	found := 0
	for i := range *sums {
		found |= subtle.ConstantTimeCompare(sum[:], (*sums)[i][:])
	}
	return found == 1
}

func bearer(header string) (string, bool) {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}
