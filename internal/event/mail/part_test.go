package mail

import (
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestLeaves(t *testing.T) {
	for _, c := range []struct {
		name, mail string
		want       []string // media type and content
	}{
		{"no multipart", "Content-Type: Text/HTML; charset=x\n\nhello\n", []string{"text/html: hello\n"}},
		{"no type", "Subject: x\n\nhello\n", []string{"text/plain: hello\n"}},
		{"no header", "\nhello\n", []string{"text/plain: hello\n"}},
		{"no body", "Content-Type: text/plain", []string{"text/plain: "}},
		{"parts", "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n\none\n\n--b\nContent-Type: a/b\n\ntwo\n--b--\nepilogue\n--b\n\nthree\n", []string{"text/plain: one\n", "a/b: two"}},
		{"CRLF", "Content-Type: multipart/mixed;\r\n\tboundary=\"b b\"\r\n\r\n--b b\r\n\r\none\r\n--b b--\r\n", []string{"text/plain: one"}},
		{"never closed", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n", []string{"text/plain: one", "text/plain: two\n"}},
		{"inner never closed", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--a\n\ntwo\n--a--", []string{"text/plain: one", "text/plain: two"}},
		{"boundary that begins like another", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b\n\ntwo\n--b--", []string{"text/plain: one", "text/plain: two"}},
		{"spaces behind a boundary", "Content-Type: multipart/mixed; boundary=b\n\n--b \t\n\none\n--b-- \n", []string{"text/plain: one"}},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n--b--\n", []string{"message/rfc822: Subject: x"}},
		{"a mail inside is not opened", "Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n", []string{"message/rfc822: Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n"}},
		{"boundary with signs, unquoted", "Content-Type: multipart/report; report-type=x; boundary=08513C.16/smtp.example\n\n--08513C.16/smtp.example\n\none\n--08513C.16/smtp.example--\n", []string{"text/plain: one"}},
		{"type that is none", "Content-Type: multipart/mixed (a; comment); ; Boundary = b\n\n", []string{"multipart/mixed: "}},
		{"parameter twice", "Content-Type: multipart/mixed; x=1; x=2; boundary=\"b\"\n\n--b\n\none\n--b--\n", []string{"text/plain: one"}},
		{"parameter twice, unquoted", "Content-Type: multipart/mixed; x=1; x=2; BOUNDARY=b ;\n\n--b\n\none\n--b--\n", []string{"text/plain: one"}},
		{"no boundary", "Content-Type: multipart/mixed\n\n--b\n\none\n--b--\n", []string{"multipart/mixed: --b\n\none\n--b--\n"}},
		{"no part", "Content-Type: multipart/mixed; boundary=b\n\nhello\n", nil},
		{"encoded", "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: BASE64\n\nb25l\n--b\nContent-Transfer-Encoding: quoted-printable (c)\n\nt=77o=\n!\n--b--\n", []string{"text/plain: one", "text/plain: two!"}},
		{"encoded as a whole", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte("--b\n\none\n--b--\n")), []string{"text/plain: one"}},
		{"line without a colon", "Subject: x\nnot a field\n of it\nContent-Type: a/b\n\none", []string{"a/b: one"}},
		{"blank continuation", "Content-Type:\n a/b;\n \t \n x=y\n\none", []string{"a/b: one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			leaves([]byte(c.mail), func(p part) { got = append(got, p.mediaType+": "+string(p.text())) })
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDepth checks that a mail which is nothing but openings of parts ends.
func TestDepth(t *testing.T) {
	n := 0
	leaves([]byte(strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 10*maxDepth)), func(part) { n++ })
	if n > 1 {
		t.Errorf("%d parts", n)
	}
}

func TestReadHeader(t *testing.T) {
	h, body := readHeader([]byte("A: 1\r\nb:  two\r\n\tlines \r\n  more\r\n: nameless\r\nC :\r\nA: 3\r\nD: \xff\r\n\r\nbody"))
	for name, want := range map[string]string{"a": "1", "B": "two lines more", "c": "", "d": "\ufffd", "e": ""} {
		if got := h.get(name); got != want {
			t.Errorf("get(%q) = %q, want %q", name, got, want)
		}
	}
	if diff := cmp.Diff([]string{"1", "3"}, h.all("a")); diff != "" || !h.has("C") || h.has("E") || string(body) != "body" {
		t.Errorf("all: %s, body %q", diff, body)
	}
}

func TestReadGroups(t *testing.T) {
	groups := readGroups([]byte("\n \nA: 1\nB: 2\n\n\t\n\r\nA: 3\n  folded\n\n"))
	if len(groups) != 2 || groups[0].get("B") != "2" || groups[1].get("A") != "3 folded" {
		t.Errorf("groups %v", groups)
	}
	if groups := readGroups([]byte(" \n\n")); groups != nil {
		t.Errorf("groups of nothing: %v", groups)
	}
}

// TestEncodings checks that what the standard library writes is read back, and what it cannot read is read as far as
// possible.
func TestEncodings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.Byte()).Draw(t, "text")
		lines := base64.StdEncoding.EncodeToString(text)
		if len(lines) > 10 {
			lines = lines[:7] + "\r\n" + lines[7:]
		}
		if got := decodeBase64([]byte(lines)); string(got) != string(text) {
			t.Fatalf("base64 of %q gives %q", text, got)
		}
		plain := rapid.String().Draw(t, "plain")
		plain = strings.ReplaceAll(plain, "\r", "")
		var b strings.Builder
		w := quotedprintable.NewWriter(&b)
		io.WriteString(w, plain)
		w.Close()
		if got := decodeQuotedPrintable([]byte(b.String())); string(got) != plain {
			t.Fatalf("quoted-printable of %q gives %q", plain, got)
		}
	})
	for text, want := range map[string]string{"a=3Db": "a=b", "a=zzb": "a=zzb", "a=": "a", "a =\n b": "a  b", "a= \nb": "ab", "a  \nb": "a\nb", "=C3=BC=4": "ü=4"} {
		if got := string(decodeQuotedPrintable([]byte(text))); got != want {
			t.Errorf("quoted-printable %q gives %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{"YQ": "a", "YQ==YQ": "a", "Y": "", "Y*W!J\nj": "abc", "YWJjZ": "abc"} {
		if got := string(decodeBase64([]byte(text))); got != want {
			t.Errorf("base64 %q gives %q, want %q", text, got, want)
		}
	}
}
