package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sendwatch/internal/ingest/verify"
	"sendwatch/internal/ingest/verifytest"
)

func head(t *testing.T, h http.Handler, path string) int {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, path, nil))
	return w.Code
}

// problemOf reads an answer that says what went wrong.
func problemOf(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	var p struct {
		Status int
		Detail string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.Detail == "" || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("not a problem: %d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return p.Detail
}

// Each provider's webhook as it comes, to the topic and back.
func TestProviders(t *testing.T) {
	key := verifytest.NewKey(t)
	sns := verifytest.NewSNS(t, now())
	const svixSecret = "whsec_c2VuZHdhdGNoLXNpZ25pbmcta2V5LTAx"
	basic := func() http.Header {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth("hooks", secret)
		return r.Header
	}
	headers := func(h http.Header) func([]byte) (http.Header, []byte) {
		return func(b []byte) (http.Header, []byte) { return h, b }
	}
	const at = `"time":"2026-03-02T08:15:04Z","recipient":"ann@example.org"`
	tests := []struct {
		source        Source
		path, payload string
		sign          func([]byte) (http.Header, []byte)
		want          string
	}{
		{Source{Name: "sendgrid", Format: "sendgrid", Verify: verify.Options{Kind: verify.SendGrid, Secret: key.Public()}}, "",
			`[{"sg_event_id":"1","event":"open","email":"ann@example.org","timestamp":1772439304}]`,
			func(b []byte) (http.Header, []byte) { return key.SendGrid(b, now()), b }, `{"type":"open",` + strings.Replace(at, `"recipient"`, `"id":"1","recipient"`, 1) + `}`},
		{Source{Name: "mailgun", Format: "mailgun", Verify: verify.Options{Kind: verify.Mailgun, Secret: secret}}, "",
			`{"event":"opened","id":"1","recipient":"ann@example.org","timestamp":1772439304.0}`,
			func(b []byte) (http.Header, []byte) { return nil, verifytest.Mailgun(string(b), secret, "t", now()) }, `{"type":"open",` + strings.Replace(at, `"recipient"`, `"id":"1","recipient"`, 1) + `}`},
		{Source{Name: "ses", Format: "ses", Verify: verify.Options{Kind: verify.SNS, Topics: []string{sns.Topic("mail")}}}, "",
			`{"eventType":"Open","mail":{"timestamp":"2026-03-02T08:15:04Z","messageId":"m1","destination":["ann@example.org"]},"open":{"timestamp":"2026-03-02T08:15:04Z"}}`,
			func(b []byte) (http.Header, []byte) {
				return http.Header{"Content-Type": {"text/plain; charset=UTF-8"}}, sns.Sign(sns.Notification(sns.Topic("mail"), string(b), now()), "1")
			},
			`{"type":"open","time":"2026-03-02T08:15:04Z","id":"m-{\"eventT","recipient":"ann@example.org","message_id":"m1","sent_at":"2026-03-02T08:15:04Z"}`},
		{Source{Name: "resend", Format: "resend", Verify: verify.Options{Kind: verify.Svix, Secret: svixSecret}}, "",
			`{"type":"email.opened","created_at":"2026-03-02T08:15:04Z","data":{"to":["ann@example.org"],"email_id":"m1"}}`,
			func(b []byte) (http.Header, []byte) {
				return verifytest.Svix("Svix-", svixSecret, "msg_1", b, now()), b
			}, `{"type":"open",` + at + `,"message_id":"m1"}`},
		{Source{Name: "postmark", Format: "postmark", Verify: verify.Options{Kind: verify.Basic, Username: "hooks", Secret: secret}}, "",
			`{"RecordType":"Open","Recipient":"ann@example.org","MessageID":"m1","ReceivedAt":"2026-03-02T08:15:04Z"}`, headers(basic()), `{"type":"open",` + at + `,"message_id":"m1"}`},
		{Source{Name: "mailjet", Format: "mailjet", Verify: verify.Options{Kind: verify.Token, Secret: secret}}, "/" + secret,
			`[{"event":"open","time":1772439304,"email":"ann@example.org","MessageID":19421777835146490}]`, headers(nil), `{"type":"open",` + at + `,"message_id":"19421777835146490"}`},
		{Source{Name: "brevo", Format: "brevo", Verify: verify.Options{Kind: verify.Token, Secret: secret}}, "",
			`{"event":"opened","email":"ann@example.org","ts_epoch":1772439304000,"message-id":"<m1>"}`, headers(http.Header{"Authorization": {"Bearer " + secret}}), `{"type":"open",` + at + `,"message_id":"m1"}`},
		{Source{Name: "mailtrap", Format: "mailtrap", Verify: verify.Options{Kind: verify.Mailtrap, Secret: secret}}, "",
			`{"events":[{"event":"open","email":"ann@example.org","timestamp":1772439304,"message_id":"m1"}]}`,
			func(b []byte) (http.Header, []byte) {
				return http.Header{"Mailtrap-Signature": {verifytest.HexHMAC(secret, b)}}, b
			}, `{"type":"open",` + at + `,"message_id":"m1"}`},
		{Source{Name: "kumomta", Format: "kumomta", Verify: verify.Options{Kind: verify.None}}, "",
			`{"type":"Delivery","event_time":"2026-03-02T08:15:04Z","recipient":"ann@example.org","id":"m1"}`, headers(nil), `{"type":"delivery",` + at + `,"message_id":"m1"}`},
	}
	var sources []Source
	for _, tt := range tests {
		sources = append(sources, tt.source)
	}
	to := newWritten()
	o := options(t, to, sources...)
	o.Fetch = sns.Fetch
	s := server(t, o)
	for _, tt := range tests {
		t.Run(tt.source.Name, func(t *testing.T) {
			header, body := tt.sign([]byte(tt.payload))
			w := post(t, s, "/ingest/"+tt.source.Name+tt.path, header, body)
			if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"events":1}` {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			records := to.take()
			if diff := cmp.Diff([]string{tt.want}, read(t, "auto", records)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if string(records[0].Key) != "ann@example.org" {
				t.Errorf("key %q", records[0].Key)
			}
			if tt.source.Verify.Kind == verify.None {
				return
			}
			w = post(t, s, "/ingest/"+tt.source.Name, nil, []byte(tt.payload))
			problemOf(t, w)
			if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (tt.source.Verify.Kind == verify.Basic) {
				t.Errorf("challenge %q", challenge)
			}
			want := http.StatusUnauthorized
			if tt.source.Verify.Kind == verify.SNS {
				want = http.StatusForbidden // of no topic that is named
			}
			if w.Code != want {
				t.Errorf("without a proof: %d", w.Code)
			}
			if r := to.take(); len(r) != 0 {
				t.Errorf("published without a proof: %s", r[0].Value)
			}
		})
	}
}

func TestSubscriptions(t *testing.T) {
	sns := verifytest.NewSNS(t, now())
	to := newWritten()
	o := options(t, to, Source{Name: "ses", Format: "ses", Verify: verify.Options{Kind: verify.SNS, Topics: []string{sns.Topic("mail")}}})
	o.Fetch = sns.Fetch
	s := server(t, o)
	send := func(message map[string]string) int {
		return post(t, s, "/ingest/ses", nil, sns.Sign(message, "2")).Code
	}
	if code := send(sns.Subscription(sns.Topic("other"), "tok", now())); code != http.StatusForbidden {
		t.Errorf("a topic that is not named: %d", code)
	}
	if len(sns.Confirmed()) != 0 || len(sns.Fetched()) != 0 {
		t.Errorf("something was fetched for it: %v %v", sns.Confirmed(), sns.Fetched())
	}
	forged := sns.Sign(sns.Subscription(sns.Topic("mail"), "tok", now()), "2")
	if w := post(t, s, "/ingest/ses", nil, bytes.Replace(forged, []byte("Token=tok"), []byte("Token=tak"), 1)); w.Code != http.StatusUnauthorized {
		t.Errorf("another token than was signed: %d", w.Code)
	}
	if code := send(sns.Subscription(sns.Topic("mail"), "tok", now())); code != http.StatusOK {
		t.Errorf("a subscription: %d", code)
	}
	if diff := cmp.Diff([]string{"tok"}, sns.Confirmed()); diff != "" {
		t.Error(diff)
	}
	sns.SetAway(true)
	w := post(t, s, "/ingest/ses", nil, sns.Sign(sns.Subscription(sns.Topic("mail"), "tok2", now()), "2"))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("when it cannot be confirmed: %d", w.Code)
	}
	sns.SetAway(false)
	gone := sns.Subscription(sns.Topic("mail"), "tok", now())
	gone["Type"] = "UnsubscribeConfirmation"
	if code := send(gone); code != http.StatusOK {
		t.Errorf("the end of a subscription: %d", code)
	}
	if r := to.take(); len(r) != 0 {
		t.Errorf("published: %s", r[0].Value)
	}
}

func TestEventGridAsksWhetherItIsWanted(t *testing.T) {
	to := newWritten()
	s := server(t, options(t, to, Source{Name: "azure", Format: "acs", Verify: verify.Options{Kind: verify.Token, Secret: secret}}, open("other", "postmark")))
	ask := []byte(`[{"id":"1","topic":"/t","subject":"","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"c0de"},"eventTime":"2026-03-02T08:15:04Z"}]`)
	if w := post(t, s, "/ingest/azure/"+secret, nil, ask); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"validationResponse":"c0de"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := post(t, s, "/ingest/azure", nil, ask); w.Code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", w.Code)
	}
	options := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodOptions, path, nil)
		r.Header.Set("WebHook-Request-Origin", "eventgrid.azure.net")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	if w := options("/ingest/azure/" + secret); w.Code != http.StatusOK || w.Header().Get("WebHook-Allowed-Origin") != "eventgrid.azure.net" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := options("/ingest/azure/wrong"); w.Code != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d", w.Code)
	}
	if w := options("/ingest/other"); w.Header().Get("WebHook-Allowed-Origin") != "" {
		t.Error("another provider's webhook is allowed to be sent CloudEvents")
	}
	if r := to.take(); len(r) != 0 {
		t.Errorf("published: %s", r[0].Value)
	}
}

func TestWhatIsNotTaken(t *testing.T) {
	to := newWritten()
	o := options(t, to, open("any", "auto"))
	o.MaxBody, o.MaxRecord = 200_000, 1000
	s := server(t, o)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("{}"))
	z.Close()
	native := func(n int) string {
		return `{"type":"open","time":1772439304,"id":"` + strings.Repeat("x", n) + `","recipient":"ann@example.org"}`
	}
	for name, tt := range map[string]struct {
		method, path string
		header       http.Header
		body         string
		want         int
	}{
		"no source":                  {"POST", "/ingest/none", nil, "{}", 404},
		"no path":                    {"POST", "/", nil, "{}", 404},
		"another method":             {"GET", "/ingest/any", nil, "", 405},
		"too deep a path":            {"POST", "/ingest/any/a/b", nil, "{}", 405},
		"metrics are not for anyone": {"GET", "/metrics", nil, "", 404},
		"packed":                     {"POST", "/ingest/any", http.Header{"Content-Encoding": {"gzip"}}, packed.String(), 415},
		"too large":                  {"POST", "/ingest/any", nil, strings.Repeat(" ", 200_001), 413},
		"too large a record":         {"POST", "/ingest/any", nil, native(1000), 413},
		"too large a record of many": {"POST", "/ingest/any", nil, "[" + native(1) + "," + native(1000) + "]", 413},
		"a large batch":              {"POST", "/ingest/any", nil, "[" + strings.Repeat(native(100)+",", 900) + native(100) + "]", 200},
		"nothing":                    {"POST", "/ingest/any", nil, "", 200},
		"white space":                {"POST", "/ingest/any", nil, " \r\n", 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, known := range []bool{true, false} { // whether the length is announced
				r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.path, strings.NewReader(tt.body))
				if !known {
					r.ContentLength = -1
				}
				for k, v := range tt.header {
					r.Header[k] = v
				}
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != tt.want {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				if w.Code != http.StatusOK {
					problemOf(t, w)
				}
				if r := to.take(); (len(r) > 0) != (name == "a large batch") {
					t.Errorf("%d records", len(r))
				}
			}
		})
	}
	if got := s.bytes.TryAcquire(int64(o.Limits.Bodies) * int64(o.MaxBody)); !got {
		t.Error("bytes of bodies were not given back")
	}
}

// breaking is a body that ends in the middle.
type breaking struct{ io.Reader }

func (b breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestABodyThatBreaksOff(t *testing.T) {
	to := newWritten()
	s := server(t, options(t, to, open("any", "auto")))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ingest/any", breaking{strings.NewReader(`{"type":"open","time":1772439304}`)})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || len(to.take()) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestBodiesTogetherAreBounded(t *testing.T) {
	to := newWritten()
	o := options(t, to, open("any", "auto"))
	o.Limits.Bodies, o.MaxBody, o.Limits.Wait = 2, chunk, 10*time.Millisecond
	s := server(t, o)
	held := make(chan struct{})
	var waiting []*io.PipeWriter
	done := make(chan int, 2)
	for range 2 {
		pr, pw := io.Pipe()
		waiting = append(waiting, pw)
		go func() {
			r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, "/ingest/any", pr)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			done <- w.Code
		}()
		go func() { _, _ = pw.Write([]byte(" ")); held <- struct{}{} }()
		<-held
	}
	w := post(t, s, "/ingest/any", nil, []byte(`{"type":"open","time":1772439304}`))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("beyond the bound: %d %s", w.Code, w.Body)
	}
	for _, pw := range waiting {
		pw.Close()
		if code := <-done; code != http.StatusOK {
			t.Errorf("%d", code)
		}
	}
	if w := post(t, s, "/ingest/any", nil, []byte(`{"type":"open","time":1772439304}`)); w.Code != http.StatusOK {
		t.Errorf("afterwards: %d %s", w.Code, w.Body)
	}
}

// Neither the log nor the metrics nor an answer carries an address or a secret.
func TestNothingPrivateIsTold(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	to := newWritten()
	o := options(t, to, Source{Name: "pm", Format: "postmark", Verify: verify.Options{Kind: verify.Token, Secret: secret}},
		Source{Name: "gun", Format: "mailgun", Verify: verify.Options{Kind: verify.Mailgun, Secret: secret}}, open("any", "auto"))
	o.Log, o.Meter = zap.New(core), NewMeter()
	s := server(t, o)
	var answers strings.Builder
	send := func(path string, body string) {
		w := post(t, s, path, nil, []byte(body))
		answers.WriteString(w.Body.String())
	}
	send("/ingest/any", `[{"type":"open","time":1772439304,"recipient":"ann@example.org"},{"type":"exploded","time":1,"recipient":"ann@example.org"}]`)
	send("/ingest/any", `{"event":"ann@example.org","email":"ann@example.org"}`)
	send("/ingest/any", `ann@example.org`)
	send("/ingest/pm/"+secret+"x", `{"Recipient":"ann@example.org"}`)
	send("/ingest/pm/"+secret, `{"Recipient":"ann@example.org"}`)
	send("/ingest/gun", `{"signature":{"token":"ann@example.org","timestamp":"ann@example.org","signature":"ann@example.org"}}`)
	send("/ingest/ann@example.org", "")
	text := answers.String()
	for _, e := range logs.All() {
		text += e.Message
		for k, v := range e.ContextMap() {
			text += k
			b, _ := json.Marshal(v)
			text += string(b)
		}
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(o.Meter, s.Reached())
	w := httptest.NewRecorder()
	s.Admin(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	metrics := w.Body.String()
	text += metrics
	if strings.Contains(text, "ann") || strings.Contains(text, secret) {
		t.Error(text)
	}
	for _, want := range []string{`outcome="published",source="any"} 3`, `outcome="unknown",source="other"} 1`, `outcome="wrong",source="gun"} 1`, `rejected_total{reason="unknown_type"`, `sendwatch_ingest_kafka_reached 1`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("%s is not in the metrics:\n%s", want, metrics)
		}
	}
	if n := logs.Len(); n == 0 || n > 6 {
		t.Errorf("%d lines of log", n)
	}
}
