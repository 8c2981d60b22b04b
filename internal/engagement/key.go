package engagement

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
)

// Key is the secret under which recipients are hashed, so that what is kept names nobody. It prints as a placeholder.
type Key struct{ secret []byte }

// ParseKey reads the content of a key file: its bytes, white space around them trimmed, are the key.
func ParseKey(content []byte) (Key, error) {
	secret := bytes.TrimSpace(content)
	if len(secret) == 0 {
		return Key{}, errors.New("engagement.key_file: found an empty file, expected a secret; 32 random bytes in hex are a good one")
	}
	return Key{bytes.Clone(secret)}, nil
}

// GenerateKey makes a key for a state that has none: 32 random bytes, in hex so that it can be written to a key file.
func GenerateKey() Key {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return Key{[]byte(hex.EncodeToString(b[:]))}
}

// Secret is the key's bytes, to be kept with the state and shown to nobody.
func (k Key) Secret() []byte { return bytes.Clone(k.secret) }

// ID tells keys apart without giving them away: it is kept with the state, so that a changed key is noticed instead of
// making every recipient a stranger.
func (k Key) ID() string {
	m := hmac.New(sha256.New, k.secret)
	m.Write([]byte("sendwatch engagement key"))
	return hex.EncodeToString(m.Sum(nil)[:8])
}

// String keeps the secret out of logs.
func (k Key) String() string { return "(secret)" }

// GoString keeps the secret out of logs.
func (k Key) GoString() string { return "engagement.Key(secret)" }

// Hasher turns (tenant, recipient) into a keyed hash. It allocates nothing after New and is not for concurrent use: one for
// each goroutine.
type Hasher struct {
	mac hash.Hash
	buf []byte
}

// NewHasher returns a hasher under the key. An empty key is a programmer's mistake and panics: it would protect nobody.
func NewHasher(k Key) *Hasher {
	if len(k.secret) == 0 {
		panic("engagement: hasher without a key")
	}
	return &Hasher{mac: hmac.New(sha256.New, k.secret)}
}

// Sum is HMAC-SHA-256 over the tenant's length, the tenant and the recipient: the length keeps ("ab", "c") and ("a", "bc")
// apart. The recipient must be trimmed and lower-cased, as decoders leave it.
func (h *Hasher) Sum(tenant, recipient string) [sha256.Size]byte {
	h.buf = binary.AppendUvarint(h.buf[:0], uint64(len(tenant)))
	h.buf = append(h.buf, tenant...)
	h.buf = append(h.buf, recipient...)
	h.mac.Reset()
	h.mac.Write(h.buf)
	h.buf = h.mac.Sum(h.buf[:0])
	return [sha256.Size]byte(h.buf)
}
