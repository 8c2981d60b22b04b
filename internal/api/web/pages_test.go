package web_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/zap"

	"sendwatch/internal/api"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/apitest"
	"sendwatch/internal/api/web"
	"sendwatch/internal/metrics"
)

func server(t testing.TB, b *apitest.Book) http.Handler {
	t.Helper()
	source := b.Source()
	pages, err := web.New(source)
	if err != nil {
		t.Fatal(err)
	}
	return api.New(api.Options{Source: source, Pages: pages, Meter: metrics.New(metrics.Build{}), Log: zap.NewNop()})
}

func get(t testing.TB, h http.Handler, target string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Header.Set("Accept", "text/html")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

// TestServeForLooking serves the story until it is stopped, for looking at the pages: SENDWATCH_LOOK=127.0.0.1:8226.
func TestServeForLooking(t *testing.T) {
	address := os.Getenv("SENDWATCH_LOOK")
	if address == "" {
		t.Skip("SENDWATCH_LOOK is not set")
	}
	b := apitest.NewStory()
	if os.Getenv("SENDWATCH_LOOK_STALE") != "" {
		b.SetStale(true, 95e9)
	}
	if err := http.ListenAndServe(address, server(t, b)); err != nil { //nolint:gosec // for looking at
		t.Fatal(err)
	}
}

var (
	_ = regexp.MustCompile
	_ = strings.Contains
	_ answer.Clock
)
