package event_test

import (
	"strings"
	"testing"

	"sendwatch/internal/event"

	"pgregory.net/rapid"
)

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"ann@example.org":                  "ann@example.org",
		"  Ann@Example.ORG\t":              "ann@example.org",
		"Ann <ANN@example.org>":            "ann@example.org",
		`"A <x>" <ann@example.org>`:        "ann@example.org",
		"<ann@example.org> (old <a>) text": "", // the last <…> is no address
		"<ann@example.org> x>":             "ann@example.org",
		"<<ann@example.org>>":              "ann@example.org",
		"< ann@example.org >":              "ann@example.org",
		"Ann <ann@example.org":             "",
		"<>":                               "",
		"":                                 "",
		"@example.org":                     "",
		"ann@":                             "",
		"ann":                              "",
		"a@b@c":                            "a@b@c",
		"an n@example.org":                 "",
		"ann\u00a0b@example.org":           "",
		"ann\x7f@example.org":              "",
		"ann@exa\x01mple.org":              "",
		"JÖRG@EXAMPLE.org":                 "jörg@example.org",
		"unknown; nair_s":                  "",
	} {
		if got := event.Address(text); got != want {
			t.Errorf("Address(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestDomain(t *testing.T) {
	for text, want := range map[string]string{
		"Shop.Example.COM.": "shop.example.com", " a.b.. ": "a.b", ".": "", "": "", "b .": "b",
	} {
		if got := event.Domain(text); got != want {
			t.Errorf("Domain(%q) = %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"News <news@Shop.Example.com.>": "shop.example.com", "a@b@c": "c", "example.com": "", "": "", "a b@c": "",
	} {
		if got := event.DomainOf(text); got != want {
			t.Errorf("DomainOf(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestIP(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", " 203.0.113.9 ": "203.0.113.9", "::FFFF:203.0.113.9": "203.0.113.9",
		"2001:DB8:0:0::1": "2001:db8::1", "::": "::", "fe80::1%eth0": "", "203.0.113.09": "", "333.123.123.200": "",
		"xxx.xxx.xxx.xxx": "", "cafe": "", "1": "", "": "", "203.0.113.9:25": "", "[::1]": "",
	} {
		if got := event.IP(text); got != want {
			t.Errorf("IP(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestMailID(t *testing.T) {
	for text, want := range map[string]string{
		"<a@b>": "a@b", " <a@b> ": "a@b", "<<a>>": "<a>", "a@b": "a@b", "<a": "<a", "<>": "", "<": "<", "< a >": "a", "": "",
	} {
		if got := event.MailID(text); got != want {
			t.Errorf("MailID(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestAddressIsFinal says that an address, once taken, is taken as it is.
func TestAddressIsFinal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-cA-C<>@ .]{0,12}`)).Draw(t, "text")
		a := event.Address(text)
		if a == "" {
			return
		}
		if again := event.Address(a); again != a && !strings.ContainsAny(a, "<>") {
			t.Fatalf("Address(%q) = %q, and of that %q", text, a, again)
		}
		if event.HasControl(a) || strings.ContainsAny(a, " \t\n") {
			t.Fatalf("Address(%q) = %q has white space or control characters", text, a)
		}
		if d := event.DomainOf(text); event.Domain(d) != d {
			t.Fatalf("DomainOf(%q) = %q is not in its final form", text, d)
		}
	})
}
