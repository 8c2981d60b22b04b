package mail

import (
	"bytes"
	"encoding/base64"
	"mime"
	"strings"
)

// part is a piece of a mail: the mail itself, or what stands between two boundaries of a multipart.
type part struct {
	mediaType string // lower case
	header    header
	content   []byte // still encoded
}

// maxDepth bounds how deep parts are nested. Each level reads the text once more.
const maxDepth = 100

// leaves calls visit for every part that holds no further parts, in the order of the mail. The mail in a message/rfc822
// part is such a part: it is what a report is about, and not the report.
//
// net/mail and mime/multipart are not used because they refuse what damaged and unusual reports are made of: a last part
// that is never closed, a header line without a colon, a part without a header.
func leaves(text []byte, visit func(part)) { walk(text, "text/plain", 0, visit) }

func walk(text []byte, defaultType string, depth int, visit func(part)) {
	h, body := readHeader(text)
	p := part{header: h, content: body}
	var boundary string
	p.mediaType, boundary = contentType(h.get("Content-Type"), defaultType)
	if !strings.HasPrefix(p.mediaType, "multipart/") || boundary == "" {
		visit(p)
		return
	}
	if depth == maxDepth {
		return
	}
	defaultType = "text/plain"
	if p.mediaType == "multipart/digest" {
		defaultType = "message/rfc822"
	}
	found := eachPart(body, boundary, func(inner []byte) { walk(inner, defaultType, depth+1, visit) })
	if !found { // it must not be encoded, but some is
		if decoded, ok := p.decode(); ok {
			eachPart(decoded, boundary, func(inner []byte) { walk(inner, defaultType, depth+1, visit) })
		}
	}
}

// contentType returns the media type and the boundary of a Content-Type. One that is not to the letter of RFC 2045 is read
// as far as possible.
func contentType(value, defaultType string) (mediaType, boundary string) {
	if value == "" {
		return defaultType, ""
	}
	if mediaType, params, err := mime.ParseMediaType(value); err == nil {
		return mediaType, params["boundary"]
	}
	mediaType, params, _ := strings.Cut(value, ";")
	mediaType, _, _ = strings.Cut(mediaType, "(")
	const name = "boundary="
	if at := strings.Index(asciiLower(params), name); at >= 0 {
		boundary = strings.TrimSpace(params[at+len(name):])
		if quoted, ok := strings.CutPrefix(boundary, `"`); ok {
			boundary, _, _ = strings.Cut(quoted, `"`)
		} else if end := strings.IndexAny(boundary, "; \t"); end >= 0 {
			boundary = boundary[:end]
		}
	}
	return strings.ToLower(strings.TrimSpace(mediaType)), boundary
}

// asciiLower keeps the length of s, which strings.ToLower does not for every text.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// eachPart calls visit for every part of a multipart body, with its header. The last one runs to the end when it is never
// closed. It is false when there is no part at all.
func eachPart(body []byte, boundary string, visit func([]byte)) (found bool) {
	from := -1
	for at := 0; at < len(body); {
		line, rest := cutLine(body[at:])
		next := len(body) - len(rest)
		if ok, closing := isDelimiter(line, boundary); ok {
			if from >= 0 {
				visit(trimLineBreak(body[from:at]))
				found = true
			}
			if from = next; closing {
				return found
			}
		}
		at = next
	}
	if from >= 0 && from < len(body) {
		visit(body[from:])
		found = true
	}
	return found
}

// isDelimiter reports whether a line parts the pieces of a multipart, and whether it is the one behind the last.
func isDelimiter(line []byte, boundary string) (ok, closing bool) {
	if !bytes.HasPrefix(line, []byte("--")) || !bytes.HasPrefix(line[2:], []byte(boundary)) {
		return false, false
	}
	rest := bytes.TrimRight(line[2+len(boundary):], " \t")
	return len(rest) == 0 || string(rest) == "--", len(rest) > 0
}

// trimLineBreak removes the line break that belongs to the delimiter after it.
func trimLineBreak(text []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
}

// text returns the content of a part, decoded when it is encoded.
func (p part) text() []byte {
	if decoded, ok := p.decode(); ok {
		return decoded
	}
	return p.content
}

func (p part) decode() ([]byte, bool) {
	encoding, _, _ := strings.Cut(p.header.get("Content-Transfer-Encoding"), ";")
	encoding, _, _ = strings.Cut(encoding, "(")
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		return decodeBase64(p.content), true
	case "quoted-printable":
		return decodeQuotedPrintable(p.content), true
	}
	return nil, false
}

// decodeBase64 decodes what can be decoded: characters outside the alphabet are skipped (RFC 2045), padding ends the text
// and may be missing.
func decodeBase64(text []byte) []byte {
	letters := make([]byte, 0, len(text))
	for _, c := range text {
		if c == '=' {
			break
		}
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/' {
			letters = append(letters, c)
		}
	}
	if len(letters)%4 == 1 { // half a character
		letters = letters[:len(letters)-1]
	}
	decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(letters)))
	n, _ := base64.RawStdEncoding.Decode(decoded, letters) // every letter is of the alphabet
	return decoded[:n]
}

// decodeQuotedPrintable decodes what can be decoded: an '=' that introduces nothing stands for itself.
func decodeQuotedPrintable(text []byte) []byte {
	decoded := make([]byte, 0, len(text))
	for len(text) > 0 {
		line, rest := cutLine(text)
		broken := len(line) < len(text) // by a line break, which the last line may lack
		text = rest
		line = bytes.TrimRight(line, " \t") // added on the way
		soft := bytes.HasSuffix(line, []byte("="))
		if soft {
			line = line[:len(line)-1]
		}
		for i := 0; i < len(line); i++ {
			c := line[i]
			if c == '=' && i+2 < len(line) {
				if high, low := unhex(line[i+1]), unhex(line[i+2]); high >= 0 && low >= 0 {
					c = byte(high<<4 | low)
					i += 2
				}
			}
			decoded = append(decoded, c)
		}
		if !soft && broken {
			decoded = append(decoded, '\n')
		}
	}
	return decoded
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
