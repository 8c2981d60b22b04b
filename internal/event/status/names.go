package status

import (
	"strings"

	"sendwatch/internal/event"
)

// Kind returns the complaint kind that a feedback type (RFC 5965) stands for, whatever its case: abuse when the text is
// blank, other when it is unknown. The feedback type "opt-out" is no complaint; its event is an unsubscribe without a
// method, and optOut says so.
func Kind(text string) (kind event.ComplaintKind, optOut bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return event.Abuse, false
	}
	var buf [16]byte
	name := lower(buf[:], text)
	for _, k := range [...]event.ComplaintKind{event.Abuse, event.Fraud, event.Virus, event.NotSpam, event.AuthFailure} {
		if string(name) == k.String() {
			return k, false
		}
	}
	return event.Other, string(name) == "opt-out"
}

// MailboxProvider returns the name that counting uses for a mailbox provider as a payload names it, whatever the case, or
// "" for one that is not known: counting then derives it from the recipient.
func MailboxProvider(text string) string {
	var buf [16]byte
	switch string(lower(buf[:], strings.TrimSpace(text))) {
	case "gmail", "google", "google workspace", "g suite", "gsuite":
		return "gmail"
	case "outlook", "hotmail", "microsoft", "msn", "live", "office365", "office 365", "microsoft 365":
		return "outlook"
	case "yahoo", "yahoo!", "aol", "verizon media":
		return "yahoo"
	case "apple", "icloud":
		return "apple"
	}
	return ""
}

// lower writes s into buf in lower case. It returns nothing for a text that does not fit: longer than every known name.
func lower(buf []byte, s string) []byte {
	if len(s) > len(buf) {
		return nil
	}
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return buf[:len(s)]
}
