package ingest

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/ingest/verify"
	"sendwatch/internal/ingest/verifytest"
)

const urlencoded = "application/x-www-form-urlencoded"

func TestFormsOfMailgun(t *testing.T) {
	headers := `[["X-Mailgun-Variables","{\"tenant\":\"acme\",\"stream\":7}"],["From","Shop <news@shop.example.com>"],["To","ann@example.org, bob@example.org"],["Message-Id","<h1@shop.example.com>"]]`
	const base = `"time":"2026-03-02T08:15:04Z","recipient":"ann@example.org"`
	tests := map[string]struct {
		form url.Values
		want string
	}{
		"delivered": {url.Values{"event": {"delivered"}, "Message-Id": {"<m1@shop.example.com>"}, "message-headers": {headers}},
			`{"type":"delivery",` + base + `,"message_id":"m1@shop.example.com","tenant":"acme","domain":"shop.example.com"}`},
		"an id only in the headers": {url.Values{"event": {"complained"}, "message-headers": {headers}},
			`{"type":"complaint",` + base + `,"message_id":"h1@shop.example.com","tenant":"acme","domain":"shop.example.com","complaint":{"kind":"abuse"}}`},
		"opened": {url.Values{"event": {"opened"}, "message-id": {"m1@shop.example.com"}, "domain": {"shop.example.com"}, "tag": {"march", "news"}, "tenant": {"acme"}, "ip": {"203.0.113.9"}},
			`{"type":"open",` + base + `,"message_id":"m1@shop.example.com","tenant":"acme","domain":"shop.example.com","campaign":"march"}`},
		"clicked, with a campaign": {url.Values{"event": {"clicked"}, "domain": {"shop.example.com"}, "campaign-id": {"c1"}, "url": {"https://example.org/?ann"}},
			`{"type":"click",` + base + `,"domain":"shop.example.com","campaign":"c1"}`},
		"unsubscribed": {url.Values{"event": {"unsubscribed"}}, `{"type":"unsubscribe",` + base + `}`},
		"bounced": {url.Values{"event": {"bounced"}, "code": {"550"}, "error": {"5.1.1 The mailbox does not exist"}},
			`{"type":"bounce",` + base + `,"bounce":{"class":"hard","code":"5.1.1"}}`},
		"bounced, by an enhanced code": {url.Values{"event": {"bounced"}, "code": {"5.7.1"}, "error": {"spam"}},
			`{"type":"bounce",` + base + `,"bounce":{"class":"block","code":"5.7.1"}}`},
		"dropped, as it had bounced before": {url.Values{"event": {"dropped"}, "reason": {"hardfail"}, "code": {"605"}, "description": {"Not delivering to previously bounced address"}},
			`{"type":"drop",` + base + `}`},
		"dropped, after many tries": {url.Values{"event": {"dropped"}, "reason": {"old"}, "code": {"602"}},
			`{"type":"bounce",` + base + `,"bounce":{"class":"soft","category":"old"}}`},
		"variables with the names of fields": {url.Values{"event": {"opened", "mine"}, "recipient": {"ann@example.org", "mine@example.org"}, "timestamp": {"1"}},
			`{"type":"open",` + base + `}`},
		"headers that are no list":   {url.Values{"event": {"opened"}, "message-headers": {"{"}}, `{"type":"open",` + base + `}`},
		"an event that nobody knows": {url.Values{"event": {"exploded"}}, `rejected: unknown_type`},
	}
	source := Source{Name: "mailgun", Format: "mailgun", Verify: verify.Options{Kind: verify.Mailgun, Secret: secret}}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if !tt.form.Has("recipient") {
				tt.form.Set("recipient", "ann@example.org")
			}
			tt.form.Set("body-plain", "")
			form := verifytest.MailgunForm(tt.form, secret, "token-"+name, now())
			to := newWritten()
			s := server(t, options(t, to, source))
			if w := post(t, s, "/ingest/mailgun", http.Header{"Content-Type": {urlencoded}}, []byte(form.Encode())); w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			plain := to.take()
			if diff := cmp.Diff([]string{tt.want}, read(t, "auto", plain)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if strings.Contains(string(plain[0].Value), "https://") || strings.Contains(string(plain[0].Value), "203.0.113.9") {
				t.Errorf("carries what is not read: %s", plain[0].Value)
			}
			// The same in parts, with a file among them.
			body, contentType := inParts(t, form)
			if w := post(t, s, "/ingest/mailgun", http.Header{"Content-Type": {contentType}}, body); w.Code != http.StatusOK {
				t.Fatalf("in parts: %d %s", w.Code, w.Body)
			}
			if diff := cmp.Diff([]string{tt.want}, read(t, "mailgun", to.take())); diff != "" {
				t.Errorf("in parts (-want +got)\n%s", diff)
			}
		})
	}
}

func inParts(t *testing.T, form url.Values) ([]byte, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, values := range form {
		for _, v := range values {
			if err := w.WriteField(name, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	file, err := w.CreateFormFile("attachment-1", "message.eml")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.Write([]byte("private"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

func TestFormsOfMandrill(t *testing.T) {
	const hook = "https://hooks.example.com/ingest/mandrill"
	one := func(n, to string) string {
		return `{"event":"open","ts":1772439304,"_id":"` + n + `","msg":{"_id":"` + n + `","email":"` + to + `"}}`
	}
	want := func(n, to string) string {
		return `{"type":"open","time":"2026-03-02T08:15:04Z","recipient":"` + to + `","message_id":"` + n + `"}`
	}
	to := newWritten()
	s := server(t, options(t, to, Source{Name: "mandrill", Format: "mandrill", Verify: verify.Options{Kind: verify.Mandrill, Secret: secret, URL: hook}}))
	for name, tt := range map[string]struct {
		events string
		want   []string
		keys   string
	}{
		"a batch":       {"[" + one("1", "ann@example.org") + ",\n " + one("2", "b&b=%+@example.org") + "]", []string{want("1", "ann@example.org"), want("2", "b&b=%+@example.org")}, "ann@example.org b&b=%+@example.org"},
		"one":           {"[" + one("1", "ann@example.org") + "]", []string{want("1", "ann@example.org")}, "ann@example.org"},
		"nothing":       {"[]", nil, ""},
		"broken":        {"[{", []string{"rejected: bad_payload"}, ""},
		"not a batch":   {`"\"}`, []string{"rejected: bad_payload"}, ""},
		"an object":     {one("1", "ann@example.org"), []string{"rejected: bad_payload"}, ""},
		"not UTF-8":     {"\xff", []string{"rejected: bad_payload"}, ""},
		"a bad element": {"[" + one("1", "ann@example.org") + `,{"event":"exploded"}]`, []string{want("1", "ann@example.org"), "rejected: unknown_type"}, "ann@example.org "},
	} {
		t.Run(name, func(t *testing.T) {
			form := url.Values{"mandrill_events": {tt.events}}
			if w := post(t, s, "/ingest/mandrill", verifytest.Mandrill(hook, secret, form), []byte(form.Encode())); w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			records := to.take()
			if diff := cmp.Diff(tt.want, read(t, "auto", records)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			var keys []string
			for _, r := range records {
				keys = append(keys, string(r.Key))
			}
			if got := strings.Join(keys, " "); got != tt.keys {
				t.Errorf("keys %q, want %q", got, tt.keys)
			}
		})
	}
	form := url.Values{"mandrill_events": {"[]"}}
	if w := post(t, s, "/ingest/mandrill", verifytest.Mandrill(hook, "test-webhook", form), []byte(form.Encode())); w.Code != http.StatusOK {
		t.Errorf("the test of the URL: %d", w.Code)
	}
	if code := head(t, s, "/ingest/mandrill"); code != http.StatusOK {
		t.Errorf("HEAD: %d", code)
	}
}

func TestFormsThatAreNotTaken(t *testing.T) {
	to := newWritten()
	s := server(t, options(t, to, open("sendgrid", "sendgrid"), open("mailgun", "mailgun"), open("any", "auto")))
	many := strings.Repeat("a=1&", maxFields+1)
	for name, tt := range map[string]struct {
		path, contentType, body string
		want                    int
	}{
		"a format without forms":  {"/ingest/sendgrid", urlencoded, "mandrill_events=[]", http.StatusUnsupportedMediaType},
		"another provider's form": {"/ingest/mailgun", urlencoded, "mandrill_events=[]", http.StatusBadRequest},
		"nobody's form":           {"/ingest/any", urlencoded, "a=b", http.StatusBadRequest},
		"no form":                 {"/ingest/any", urlencoded, "a=%zz", http.StatusBadRequest},
		"too many fields":         {"/ingest/any", urlencoded, many, http.StatusBadRequest},
		"parts without boundary":  {"/ingest/any", "multipart/form-data", "x", http.StatusBadRequest},
		"parts that break off":    {"/ingest/any", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb", http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			w := post(t, s, tt.path, http.Header{"Content-Type": {tt.contentType}}, []byte(tt.body))
			if w.Code != tt.want || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
	if w := post(t, s, "/ingest/any", http.Header{"Content-Type": {urlencoded}}, []byte("mandrill_events=[]")); w.Code != http.StatusOK {
		t.Errorf("auto takes forms: %d", w.Code)
	}
	if r := to.take(); len(r) != 0 {
		t.Errorf("%d records", len(r))
	}
}
