package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/apitest"
	"sendwatch/internal/api/guard"
	"sendwatch/internal/api/problem"
)

// Every mistake is refused with a detail that says what to change.
func TestMistakes(t *testing.T) {
	h := newHarness(t, theStory())
	counts := "/api/v1/counts?subject=all&from=2026-03-12T10:00:00Z&to=2026-03-12T11:00:00Z&step=1h"
	for target, wants := range map[string][]string{
		"/api/v1/rates":                                        {"subject", "dimensions"},
		"/api/v1/rates?subject=":                               {"subject: missing"},
		"/api/v1/rates?subject=all&windw=1h":                   {"windw: unknown parameter", "subject, window, rate, at"},
		"/api/v1/rates?subject=all&window=2h":                  {`window: "2h" is not configured`, "1h, 24h, 7d, 30d"},
		"/api/v1/rates?subject=all&rate=bounces":               {`rate: "bounces"`, "bounce, complaint, unsubscribe"},
		"/api/v1/rates?subject=all&at=yesterday":               {`at: "yesterday"`, "RFC 3339"},
		"/api/v1/rates?subject=all&at=":                        {"at: empty"},
		"/api/v1/rates?subject=all&at=0001-01-01T00:00:00Z":    {"at:"},
		"/api/v1/rates?subject=all&subject=all":                {"subject: given more than once"},
		"/api/v1/rates?subject=all&dimensions=tenant":          {"both are given"},
		"/api/v1/rates?subject=all&verdict=breach":             {"verdict: unknown parameter"},
		"/api/v1/rates?subject=tenant":                         {"subject key", "tenant=acme"},
		"/api/v1/rates?subject=tenant%3D":                      {"subject key"},
		"/api/v1/rates?subject=pool%3Dx":                       {"[pool] are not counted", "[tenant,campaign]"},
		"/api/v1/rates?subject=all;window=1h":                  {"not well formed"},
		"/api/v1/rates?subject=%zz":                            {"not well formed"},
		"/api/v1/rates?subject=ann@example.com":                {"this value is not a subject key"},
		"/api/v1/rates?ann@example.com=1&subject=all":          {"(a name not shown here): unknown parameter"},
		"/api/v1/rates?window=2h&rate=x&limit=0&dimensions=":   {"rate:", "limit:"},
		"/api/v1/rates?dimensions=tenant,colour":               {`"colour" is not a dimension`, "[tenant,ip]"},
		"/api/v1/rates?dimensions=tenant,tenant":               {"[tenant,tenant] is not counted"},
		"/api/v1/rates?dimensions=tenant&limit=1001":           {"limit:", "1 to 1000"},
		"/api/v1/rates?dimensions=tenant&limit=ten":            {"limit:"},
		"/api/v1/rates?dimensions=tenant&sort=best":            {"sort:", "worst"},
		"/api/v1/rates?dimensions=tenant&verdict=bad":          {"verdict:", "low_volume"},
		"/api/v1/rates?dimensions=tenant&cursor=!":             {"cursor:", "next_cursor"},
		"/api/v1/rates?dimensions=tenant&cursor=e30":           {"cursor:"},
		"/api/v1/rates?dimensions=tenant&at=2020-01-01T00:00Z": {"at:"},
		counts + "&limit=3":                                    {"limit: unknown parameter"},
		strings.Replace(counts, "step=1h", "step=1w", 1):       {`step: "1w"`, "1m, 1h or 1d"},
		strings.Replace(counts, "&step=1h", "", 1):             {"step: missing"},
		strings.Replace(counts, "from=", "to=", 1):             {"to: given more than once", "from: missing"},
		strings.Replace(counts, "T11", "T09", 1):               {"from is after to"},
		"/api/v1/alerts?status=open":                           {`status: "open"`, "firing, resolved or all"},
		"/api/v1/alerts?subject=x":                             {"subject key"},
		"/api/v1/alerts/abc?history=1":                         {"history: unknown parameter; this call takes none"},
		"/api/v1/status?x=1":                                   {"x: unknown parameter"},
		"/api/v1/engagement":                                   {"tenant: missing", "tenant=default"},
		"/api/v1/alerts/stream?since=1":                        {"since: unknown parameter"},
	} {
		p := h.refuse(http.StatusBadRequest, http.MethodGet, target, "")
		for _, want := range wants {
			if !strings.Contains(p.Detail, want) {
				t.Errorf("%s: detail %q does not say %q", target, p.Detail, want)
			}
		}
		if strings.Contains(p.Detail, "@") {
			t.Errorf("%s: detail %q holds an address", target, p.Detail)
		}
	}
}

func TestCursorOfAnotherQuestion(t *testing.T) {
	h := newHarness(t, theStory())
	var page answer.RatePage
	h.get("/api/v1/rates?dimensions=tenant&limit=2", &page)
	cursor := url.QueryEscape(*page.NextCursor)
	for _, target := range []string{"/api/v1/rates?dimensions=ip&cursor=", "/api/v1/rates?dimensions=tenant&window=1h&cursor=",
		"/api/v1/rates?dimensions=tenant&at=2026-03-12T14:00:00Z&cursor="} {
		h.refuse(http.StatusBadRequest, http.MethodGet, target+cursor, "")
	}
}

func TestLookUpMistakes(t *testing.T) {
	h := newHarness(t, theStory())
	const path = "/api/v1/recipients/lookup"
	for body, status := range map[string]int{
		"": http.StatusBadRequest, "[]": http.StatusBadRequest, `{"tenant":"a"}`: http.StatusBadRequest, `{"recipient":"a@b.c"}`: http.StatusBadRequest,
		`{"tenant":"a","recipient":"a@b.c","x":1}`: http.StatusBadRequest, `{"tenant":"a","recipient":"a@b.c"} x`: http.StatusBadRequest,
		`{"tenant":"a","recipient":"secret-word"}`:                                http.StatusBadRequest,
		`{"tenant":"a","recipient":"` + strings.Repeat("x", maxLookUp) + `@b.c"}`: http.StatusRequestEntityTooLarge,
	} {
		p := h.refuse(status, http.MethodPost, path, body, "Content-Type", "application/json")
		if strings.Contains(p.Detail, "a@b.c") || strings.Contains(p.Detail, "secret-word") {
			t.Errorf("detail %q shows what was sent", p.Detail)
		}
	}
	h.refuse(http.StatusUnsupportedMediaType, http.MethodPost, path, "{}", "Content-Type", "text/plain")
	for _, unsaid := range []string{"", "application/x-www-form-urlencoded"} { // as curl -d sends it
		h.refuse(http.StatusBadRequest, http.MethodPost, path, "{}", "Content-Type", unsaid)
	}
}

func TestPathsAndMethods(t *testing.T) {
	h := newHarness(t, theStory())
	h.refuse(http.StatusNotFound, http.MethodGet, "/nothing", "")
	h.refuse(http.StatusNotFound, http.MethodGet, "/api/v1/nothing", "")
	h.refuse(http.StatusNotFound, http.MethodGet, "/", "")
	for path, method := range map[string]string{"/api/v1/rates": http.MethodPost, "/api/v1/alerts/x": http.MethodDelete, "/-/reload": http.MethodGet,
		"/api/v1/audience/check": http.MethodGet, "/-/healthy": "BREW"} {
		response := httptest.NewRecorder()
		h.server.ServeHTTP(response, h.request(method, path, ""))
		if response.Code != http.StatusMethodNotAllowed || response.Header().Get("Allow") == "" || response.Header().Get("Content-Type") != problem.ContentType {
			t.Errorf("%s %s: %d, Allow %q", method, path, response.Code, response.Header().Get("Allow"))
		}
	}
	for _, path := range []string{"/api/v1/rates?subject=all", "/api/v1/status", "/-/healthy", "/-/ready", "/metrics", "/openapi.yaml", "/api/v1/alerts/stream", "/api/v1/rates"} {
		get, body := h.ask(http.MethodHead, path, "")
		if len(body) != 0 && path != "/metrics" { // net/http drops what a foreign handler writes
			t.Errorf("HEAD %s has a body", path)
		}
		want := http.StatusOK
		if path == "/api/v1/rates" {
			want = http.StatusBadRequest
		}
		if get.StatusCode != want {
			t.Errorf("HEAD %s: %d", path, get.StatusCode)
		}
	}
	if response, body := h.ask(http.MethodGet, "/openapi.yaml", ""); response.Header.Get("Content-Type") != "application/yaml" || len(body) != len(openAPI) {
		t.Errorf("description: %v, %d bytes", response.Header, len(body))
	}
	h.ask(http.MethodGet, "/metrics", "")
}

func TestCallsWithoutAReaderDoNotExist(t *testing.T) {
	book := theStory()
	source := answer.NewSource(answer.Readers{Clock: book, Rates: book, Counts: book, Alerts: book, Status: book}, "1", book.Shape, book.Now)
	h := newHarness(t, book, func(o *Options) { o.Source, o.Reload, o.Metrics = source, nil, nil })
	for _, path := range []string{"/api/v1/ips", "/api/v1/engagement?tenant=x", "/metrics"} {
		h.refuse(http.StatusNotFound, http.MethodGet, path, "")
	}
	h.refuse(http.StatusNotFound, http.MethodPost, "/-/reload", "")
	h.refuse(http.StatusNotFound, http.MethodPost, "/api/v1/audience/check?tenant=x", "")
}

func TestProbesAndReload(t *testing.T) {
	var fault error
	h := newHarness(t, theStory(), func(o *Options) {
		o.Ready = func(context.Context) error { return fault }
		o.Reload = func(context.Context) error { return fault }
	})
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		if response, body := h.ask(http.MethodGet, path, ""); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
	if response, _ := h.ask(http.MethodPost, "/-/reload", ""); response.StatusCode != http.StatusOK {
		t.Errorf("reload: %d", response.StatusCode)
	}
	fault = errors.New("monitor.yaml:3: found nonsense")
	if p := h.refuse(http.StatusServiceUnavailable, http.MethodGet, "/-/ready", ""); !strings.Contains(p.Detail, "found nonsense") {
		t.Errorf("ready: %q", p.Detail)
	}
	if p := h.refuse(http.StatusUnprocessableEntity, http.MethodPost, "/-/reload", ""); !strings.Contains(p.Detail, "monitor.yaml:3") {
		t.Errorf("reload: %q", p.Detail)
	}
	fault = nil
	h.server.Drain()
	if p := h.refuse(http.StatusServiceUnavailable, http.MethodGet, "/-/ready", ""); !strings.Contains(p.Detail, "stopping") {
		t.Errorf("ready while stopping: %q", p.Detail)
	}
}

func TestTokens(t *testing.T) {
	const token = "0123456789abcdef01234567"
	var tokens guard.Tokens
	if err := tokens.Parse(token); err != nil {
		t.Fatal(err)
	}
	h := newHarness(t, theStory(), func(o *Options) { o.Tokens = &tokens })
	for _, path := range []string{"/api/v1/rates?subject=all", "/api/v1/status", "/metrics", "/openapi.yaml", "/api/v1/alerts/stream"} {
		h.refuse(http.StatusUnauthorized, http.MethodGet, path, "")
		response, _ := h.ask(http.MethodGet, path, "", "Authorization", "Bearer wrong-token-of-good-length")
		if response.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(response.Header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: %d %q", path, response.StatusCode, response.Header.Get("WWW-Authenticate"))
		}
	}
	h.refuse(http.StatusUnauthorized, http.MethodPost, "/-/reload", "")
	if response, _ := h.ask(http.MethodGet, "/api/v1/status", "", "Authorization", "Bearer "+token); response.StatusCode != http.StatusOK {
		t.Errorf("with a token: %d", response.StatusCode)
	}
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		if response, _ := h.ask(http.MethodGet, path, ""); response.StatusCode != http.StatusOK {
			t.Errorf("%s needs a token", path)
		}
	}

}

func TestOriginsHostsAndHeaders(t *testing.T) {
	h := newHarness(t, theStory(), func(o *Options) { o.LocalOnly = true })
	h.refuse(http.StatusForbidden, http.MethodPost, "/-/reload", "", "Origin", "https://elsewhere.example")
	h.refuse(http.StatusForbidden, http.MethodPost, "/-/reload", "", "Sec-Fetch-Site", "cross-site")
	if response, _ := h.ask(http.MethodPost, "/-/reload", "", "Origin", "http://localhost:8225"); response.StatusCode != http.StatusOK {
		t.Errorf("from our own page: %d", response.StatusCode)
	}

	r := h.request(http.MethodGet, "/api/v1/status", "")
	r.Host = "elsewhere.example"
	rec := httptest.NewRecorder()
	h.server.ServeHTTP(rec, r)
	if rec.Code != http.StatusMisdirectedRequest {
		t.Errorf("another host: %d", rec.Code)
	}

	response, _ := h.ask(http.MethodGet, "/api/v1/status", "")
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY"} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if csp := response.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
}

func TestAPanicIsAnswered(t *testing.T) {
	h := newHarness(t, theStory(), func(o *Options) {
		o.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oh") })
	})
	h.refuse(http.StatusInternalServerError, http.MethodGet, "/metrics", "")
	if h.logs.FilterMessage("a handler panicked").Len() != 1 {
		t.Error("not logged")
	}
}

func TestSlowReaderIsCutOff(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	h := newHarness(t, book, func(o *Options) {
		o.Limits = DefaultLimits()
		o.Limits.Request = time.Nanosecond
	})
	p := h.refuse(http.StatusServiceUnavailable, http.MethodGet, "/api/v1/rates?subject=all", "")
	if !strings.Contains(p.Detail, "too long") {
		t.Errorf("detail %q", p.Detail)
	}
}

// Neither an address nor any other part of a query reaches the log, and metrics know routes only.
func TestLogsAndMetricsKnowRoutesOnly(t *testing.T) {
	h := newHarness(t, theStory())
	h.ask(http.MethodGet, "/api/v1/rates?subject=ann@example.com", "")
	h.ask(http.MethodGet, "/ann@example.com", "")
	h.ask(http.MethodGet, "/api/v1/alerts/ann@example.com", "")
	h.ask(http.MethodPost, "/api/v1/recipients/lookup", `{"tenant":"acme","recipient":"ann@example.com"}`, "Content-Type", "application/json")
	h.ask(http.MethodPost, "/api/v1/audience/check?tenant=acme", "ann@example.com\n\"ann@example.com\n", "Content-Type", "text/csv")
	for _, e := range h.logs.All() {
		if text := e.Message + " " + mapText(e.ContextMap()); strings.Contains(text, "ann@") || strings.Contains(text, "subject=") {
			t.Errorf("logged: %s", text)
		}
	}
	for _, line := range h.meter.requests {
		if strings.Contains(line, "ann") {
			t.Errorf("counted: %s", line)
		}
	}
	if len(h.meter.requests) != 5 {
		t.Errorf("%d requests counted, want 5", len(h.meter.requests))
	}
}
