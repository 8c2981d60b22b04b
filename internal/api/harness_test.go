package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sendwatch/internal/api/apitest"
	"sendwatch/internal/api/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// theStory is read by many tests and changed by none.
var theStory = sync.OnceValue(apitest.NewStory)

var theDescription = sync.OnceValue(func() validator.Validator {
	document, err := libopenapi.NewDocument(openAPI)
	if err != nil {
		panic(err)
	}
	v, errs := validator.NewValidator(document, config.WithFormatAssertions())
	if len(errs) > 0 {
		panic(errs[0])
	}
	return v
})

// harness asks a server without a network and holds every answer against the description.
type harness struct {
	t      testing.TB
	server *Server
	logs   *observer.ObservedLogs
	meter  *meter
}

type meter struct {
	mu       sync.Mutex
	requests []string
	streams  int
}

var _ Meter = (*meter)(nil)

func (m *meter) Request(route, method string, status int, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, method+" "+route+" "+http.StatusText(status))
}

func (m *meter) StreamOpened(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.streams += n
}

func newHarness(t testing.TB, b *apitest.Book, change ...func(*Options)) *harness {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	h := &harness{t: t, logs: logs, meter: &meter{}}
	o := Options{
		Source: b.Source(), Meter: h.meter, Log: zap.New(core),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "up 1\n")
		}),
		Reload: func(context.Context) error { return nil },
	}
	for _, f := range change {
		f(&o)
	}
	h.server = New(o)
	return h
}

func (h *harness) request(method, target, body string, headers ...string) *http.Request {
	r := httptest.NewRequestWithContext(h.t.Context(), method, target, strings.NewReader(body))
	r.Host = "localhost:8225"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// ask returns the answer's status and body. Every answer must be one that the description allows.
func (h *harness) ask(method, target, body string, headers ...string) (*http.Response, []byte) {
	h.t.Helper()
	r := h.request(method, target, body, headers...)
	rec := httptest.NewRecorder()
	h.server.ServeHTTP(rec, r)
	response := rec.Result()
	answer := rec.Body.Bytes()
	if method != http.MethodHead && rec.Code < 600 && described(r.URL.Path) {
		response.Body = io.NopCloser(bytes.NewReader(answer))
		if ok, errs := theDescription().ValidateHttpResponse(r, response); !ok {
			for _, e := range errs {
				h.t.Errorf("%s %s: not as described: %s: %s %v", method, target, e.Message, e.Reason, e.SchemaValidationErrors)
			}
			h.t.Logf("%.2000s", answer)
		}
	}
	return response, answer
}

func described(path string) bool {
	return path != "/nothing" && path != "/api/v1/nothing" && path != "/" && path != "/ann@example.com"
}

// get asks for JSON and reads it.
func (h *harness) get(target string, into any) {
	h.t.Helper()
	response, body := h.ask(http.MethodGet, target, "")
	if response.StatusCode != http.StatusOK {
		h.t.Fatalf("GET %s: %d %s", target, response.StatusCode, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		h.t.Fatalf("GET %s: %v", target, err)
	}
}

// refuse asks for what must be refused, and returns the problem.
func (h *harness) refuse(status int, method, target, body string, headers ...string) problem.Problem {
	h.t.Helper()
	response, answer := h.ask(method, target, body, headers...)
	var p problem.Problem
	if err := json.Unmarshal(answer, &p); err != nil {
		h.t.Fatalf("%s %s: %d, not a problem: %.200s", method, target, response.StatusCode, answer)
	}
	if response.StatusCode != status || p.Status != status || response.Header.Get("Content-Type") != problem.ContentType {
		h.t.Errorf("%s %s: %d (%s) %q, want %d", method, target, response.StatusCode, response.Header.Get("Content-Type"), p.Detail, status)
	}
	return p
}
