package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"sendwatch/internal/api/problem"
)

func mapText(m map[string]any) string { return fmt.Sprint(m) }

// FuzzQueries sends anything as the query of every call: the answer is always one that the description allows, never a
// fault of ours, and never shows an address.
func FuzzQueries(f *testing.F) {
	paths := []string{"/api/v1/rates", "/api/v1/counts", "/api/v1/alerts", "/api/v1/engagement", "/api/v1/status", "/api/v1/ips"}
	f.Add(uint8(0), "subject=tenant%3Dacme&window=1h&rate=bounce&at=2026-03-12T14:00:00Z")
	f.Add(uint8(0), "dimensions=tenant,provider&verdict=breach,watch&sort=worst&limit=3&cursor=e30")
	f.Add(uint8(1), "subject=all&from=2026-03-12T10:00:00Z&to=9999-12-31T23:59:59Z&step=1m")
	f.Add(uint8(1), "subject=all&from=-1&to=0000-01-01T00:00:00%2B24:00&step=1d")
	f.Add(uint8(2), "status=firing&subject=tenant%3D%2525&limit=1&cursor=0")
	f.Add(uint8(3), "tenant=a&at=9999-12-31T23:59:59.999999999Z")
	f.Add(uint8(0), "subject=all&at=0001-01-01T00:00:01Z&window=30d")
	f.Fuzz(func(t *testing.T, call uint8, query string) {
		path := paths[int(call)%len(paths)]
		h := newHarness(t, theStory())
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.URL.RawQuery = query
		r.Host = "localhost"
		rec := httptest.NewRecorder()
		h.server.ServeHTTP(rec, r)
		if rec.Code >= 500 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if rec.Code >= 400 && rec.Header().Get("Content-Type") != problem.ContentType {
			t.Fatalf("%d with %q", rec.Code, rec.Header().Get("Content-Type"))
		}
		if ok, errs := theDescription().ValidateHttpResponse(&http.Request{Method: r.Method, URL: &url.URL{Path: path}, Header: http.Header{}}, rec.Result()); !ok {
			t.Fatalf("not as described: %v\n%.500s", errs[0], rec.Body)
		}
		if rec.Code >= 400 && strings.Contains(rec.Body.String(), "@") {
			t.Fatalf("an address could be in it: %s", rec.Body)
		}
	})
}
