package payload

import (
	"strings"
	"unicode/utf8"
)

// Text is what a field of text is filled with from a payload that is no JSON: s without the white space around it, each
// byte of invalid UTF-8 replaced as in JSON.
func Text(s string) string {
	s = strings.TrimSpace(s)
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s { // yields U+FFFD for each byte that is none of a character
		b.WriteRune(r)
	}
	return b.String()
}
