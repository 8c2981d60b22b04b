package engagement

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
)

func TestKeyFile(t *testing.T) {
	a, err := ParseKey([]byte("  s3cret\n"))
	if err != nil {
		t.Fatal(err)
	}
	if string(a.Secret()) != "s3cret" {
		t.Errorf("white space is part of the key: %q", a.Secret())
	}
	b, _ := ParseKey([]byte("s3cret"))
	c, _ := ParseKey([]byte("s3cret2"))
	if a.ID() != b.ID() || a.ID() == c.ID() || len(a.ID()) != 16 {
		t.Errorf("ids: %s %s %s", a.ID(), b.ID(), c.ID())
	}
	for _, empty := range []string{"", " \n\t"} {
		if _, err := ParseKey([]byte(empty)); err == nil {
			t.Errorf("%q is taken as a key", empty)
		}
	}
	if printed := fmt.Sprintf("%v %+v %#v %s", a, a, a, a); strings.Contains(printed, "s3cret") {
		t.Errorf("the secret is printed: %s", printed)
	}
	g := GenerateKey()
	if len(g.Secret()) != 64 || g.ID() == GenerateKey().ID() {
		t.Error("generated keys are short or repeat themselves")
	}
}

func TestHashIsHMAC(t *testing.T) {
	k, _ := ParseKey([]byte("key"))
	h := NewHasher(k)
	mac := hmac.New(sha256.New, []byte("key"))
	mac.Write([]byte("\x04acmeann@example.com"))
	for range 3 { // also when used again
		if got := h.Sum("acme", "ann@example.com"); string(got[:]) != string(mac.Sum(nil)) {
			t.Fatalf("got %x", got)
		}
	}
	if h.Sum("ab", "c") == h.Sum("a", "bc") {
		t.Error("tenant and recipient run together")
	}
}

func TestHashAllocatesNothing(t *testing.T) {
	h := NewHasher(GenerateKey())
	h.Sum("acme", "somebody.with.a.long.name@example.com")
	if n := testing.AllocsPerRun(100, func() { h.Sum("acme", "somebody.with.a.long.name@example.com") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkHash(b *testing.B) {
	h := NewHasher(GenerateKey())
	for b.Loop() {
		h.Sum("acme", "somebody@example.com")
	}
}
