package audience

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// normalise returns the address in a text as events carry it: what stands in the last <...>, else the whole; trimmed and
// lower-cased. It is false when there is no address in it: white space or a control character inside, or nothing on one
// side of the last @. The result may alias text, which is changed.
func normalise(text []byte) ([]byte, bool) {
	if end := bytes.LastIndexByte(text, '>'); end >= 0 {
		if start := bytes.LastIndexByte(text[:end], '<'); start >= 0 {
			text = text[start+1 : end]
		}
	}
	text = lower(bytes.TrimSpace(text))
	at := bytes.LastIndexByte(text, '@')
	if at <= 0 || at == len(text)-1 {
		return nil, false
	}
	return text, !bytes.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

// lower lower-cases in place while the text is ASCII, as nearly all of them are.
func lower(text []byte) []byte {
	for i, b := range text {
		if b >= utf8.RuneSelf {
			return bytes.ToLower(text)
		}
		if b >= 'A' && b <= 'Z' {
			text[i] = b + 'a' - 'A'
		}
	}
	return text
}

// Normalise returns the address in a text as events carry it: trimmed and lower-cased. It is false when there is none.
func Normalise(text string) (string, bool) {
	address, ok := normalise([]byte(text))
	return string(address), ok
}
