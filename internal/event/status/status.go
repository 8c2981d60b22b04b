// Package status reads what mail servers and mailbox providers say in words and digits: enhanced status codes (RFC 3463),
// SMTP reply codes, the bounce class that follows from both, feedback types and the names of mailbox providers. It is
// the one place for these rules, so that every payload format agrees on them. It knows no format and allocates nothing:
// what it returns is a part of its argument or a constant.
package status

import (
	"strings"

	"sendwatch/internal/event"
)

// Find returns the status code of a text: its first token of the form class.subject.detail, or "" when there is none. A
// token is a longest run of digits and dots that no letter, '_' or '@' touches, so that the codes in "550-5.1.1 The",
// "#5.1.1" and "smtp;550 5.1.1" are found and those in "v5.1.1" and an address are not.
func Find(text string) string {
	for rest := text; ; {
		var token string
		if token, rest = nextToken(rest); token == "" {
			return ""
		}
		if isCode(token) {
			return token
		}
	}
}

// Code returns the first status code that says something: sources are asked in their order, and one whose code ends in
// ".0.0" (RFC 3463's "other or undefined") counts only when no source knows better.
func Code(sources ...string) string {
	vague := ""
	for _, s := range sources {
		switch code := Find(s); {
		case code == "":
		case !strings.HasSuffix(code, ".0.0"):
			return code
		case vague == "":
			vague = code
		}
	}
	return vague
}

// Reply returns the first failing reply code (RFC 5321): three digits beginning with 4 or 5 that stand by themselves in
// one of the sources, which are asked in their order. It returns "" when no source has one.
func Reply(sources ...string) string {
	for _, s := range sources {
		for rest := s; ; {
			var token string
			if token, rest = nextToken(rest); token == "" {
				break
			}
			if isReply(token) {
				return token
			}
		}
	}
	return ""
}

// Class returns the bounce class that the codes tell: by the status code where its subject says enough, else by the
// reply code. Both may be "".
func Class(code, reply string) event.BounceClass {
	if !isCode(code) {
		return classByReply(reply)
	}
	subject, detail, _ := strings.Cut(code[2:], ".")
	switch {
	case code[0] == '4':
		return event.Soft
	case code[0] != '5':
		return classByReply(reply)
	}
	switch subject {
	case "1":
		if detail == "7" || detail == "8" { // the sender's own address is refused
			return event.Block
		}
		return event.Hard
	case "2":
		if detail == "1" { // the mailbox is disabled
			return event.Hard
		}
		return event.Soft
	case "3":
		return event.Soft
	case "4":
		if detail == "1" || detail == "4" { // no answer from the host, no route to it
			return event.Hard
		}
		return event.Soft
	case "6", "7":
		return event.Block
	}
	return classByReply(reply)
}

func classByReply(reply string) event.BounceClass {
	if !isReply(reply) {
		return event.Undetermined
	}
	if reply[0] == '4' {
		return event.Soft
	}
	switch reply {
	case "550", "551", "553", "521", "556":
		return event.Hard
	case "552":
		return event.Soft
	}
	return event.Undetermined
}

// nextToken returns the first token of s that nothing touches, and what follows its run, which begins with the byte that
// ended it. It returns "" when there is no more.
func nextToken(s string) (token, rest string) {
	touched := false
	for i := 0; i < len(s); {
		if !inRun(s[i]) {
			touched = touches(s[i])
			i++
			continue
		}
		from := i
		for i < len(s) && inRun(s[i]) {
			i++
		}
		if touched || i < len(s) && touches(s[i]) {
			continue
		}
		if token = strings.TrimRight(s[from:i], "."); token != "" {
			return token, s[i:]
		}
	}
	return "", ""
}

func inRun(c byte) bool { return c == '.' || '0' <= c && c <= '9' }

func touches(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || c == '@'
}

// isCode reports whether token is class.subject.detail with class 2, 4 or 5 and one to three digits in the others.
func isCode(token string) bool {
	if len(token) < len("5.1.1") || token[1] != '.' || token[0] != '2' && token[0] != '4' && token[0] != '5' {
		return false
	}
	subject, detail, ok := strings.Cut(token[2:], ".")
	return ok && isNumber(subject) && isNumber(detail)
}

func isNumber(s string) bool {
	if len(s) < 1 || len(s) > 3 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func isReply(token string) bool {
	return len(token) == 3 && (token[0] == '4' || token[0] == '5') && isNumber(token)
}
