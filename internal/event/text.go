package event

import (
	"net/netip"
	"strings"
	"unicode"
)

// The rules by which a text of a payload becomes a field. They are the same for every format. Each returns "" for a text
// that gives nothing.

// Address takes the mailbox out of s: what stands in its last <…>, or all of it, trimmed and lower-cased. A text with
// white space or control characters in it, or without something on both sides of its last '@', is no address.
func Address(s string) string { return strings.ToLower(mailbox(s)) }

// mailbox is Address in the case in which it was written; it never allocates.
func mailbox(s string) string {
	at := -1
	for i := range len(s) {
		switch c := s[i]; {
		case c == '@':
			at = i
		case c == '<', c <= ' ', c >= 0x7f:
			return mailboxIn(s) // anything but the bare address that nearly all are
		}
	}
	if at < 1 || at == len(s)-1 {
		return ""
	}
	return s
}

func mailboxIn(s string) string {
	from, to, open := 0, len(s), -1
	for i := range len(s) {
		switch s[i] {
		case '<':
			open = i
		case '>':
			if open >= 0 {
				from, to, open = open+1, i, -1
			}
		}
	}
	s = strings.TrimSpace(s[from:to])
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at == len(s)-1 || HasControl(s) || strings.ContainsFunc(s, unicode.IsSpace) {
		return ""
	}
	return s
}

// DomainOf returns the domain of the address in s: what follows its last '@', as Domain writes it.
func DomainOf(s string) string {
	a := mailbox(s)
	return Domain(a[strings.LastIndexByte(a, '@')+1:])
}

// Domain returns a domain in lower case and without its trailing dot.
func Domain(s string) string { return strings.ToLower(bareDomain(s)) }

// bareDomain is Domain in the case in which it was written; it never allocates.
func bareDomain(s string) string {
	s = strings.TrimSpace(s)
	if !strings.HasSuffix(s, ".") {
		return s
	}
	return strings.TrimRightFunc(s, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
}

// IP returns the canonical form of an IPv4 or IPv6 address, an IPv4-mapped one as IPv4.
func IP(s string) string {
	a, ok := parseIP(strings.TrimSpace(s))
	if !ok {
		return ""
	}
	return a.String()
}

func parseIP(s string) (netip.Addr, bool) {
	// ParseAddr allocates an error for everything else; host names and zones are told at a glance.
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && c != '.' && c != ':' && (c|0x20 < 'a' || c|0x20 > 'f') {
			return netip.Addr{}, false
		}
	}
	if strings.IndexByte(s, '.') < 0 && strings.IndexByte(s, ':') < 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// MailID returns the id of a message without the one pair of '<' and '>' that may surround it.
func MailID(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '<' && s[len(s)-1] == '>' {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	return s
}

// HasControl reports whether s has a character in U+0000-001F or U+007F.
func HasControl(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
