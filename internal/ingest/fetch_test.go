package ingest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestFetch(t *testing.T) {
	asked := map[string]int{}
	mux := http.NewServeMux()
	mux.HandleFunc("/good", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "certificate") })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/good", http.StatusFound) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 2*maxFetched)) })
	remote := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		mux.ServeHTTP(w, r)
	}))
	defer remote.Close()
	fetch := fetchOver(remote.Client().Transport, 5*time.Second)
	get := func(fetch func(*url.URL) ([]byte, error), text string) (string, error) {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		body, err := fetch(u)
		return string(body), err
	}
	trusting := func(u *url.URL) ([]byte, error) { return fetch(t.Context(), u) }
	if body, err := get(trusting, remote.URL+"/good"); err != nil || body != "certificate" {
		t.Errorf("%q %v", body, err)
	}
	if body, err := get(trusting, remote.URL+"/away"); err == nil || asked["/good"] != 1 {
		t.Errorf("a redirect was followed: %q %v", body, err)
	}
	if _, err := get(trusting, remote.URL+"/none"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("not found: %v", err)
	}
	if body, err := get(trusting, remote.URL+"/large"); err != nil || len(body) != maxFetched {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if _, err := get(trusting, "http://"+remote.Listener.Addr().String()+"/good"); err == nil {
		t.Error("fetched without TLS")
	}
	// The real one trusts the system's authorities, of which the test's is none. The URL holds a secret, which is not told.
	real := func(u *url.URL) ([]byte, error) { return HTTPFetch(5*time.Second)(t.Context(), u) }
	if _, err := get(real, remote.URL+"/good?Token=secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a stranger's certificate: %v", err)
	}
}

func TestServeWithTLS(t *testing.T) {
	pair := httptest.NewTLSServer(http.NotFoundHandler())
	defer pair.Close()
	to := newWritten()
	o := options(t, to, open("any", "auto"))
	o.TLS = pair.TLS.Clone()
	public, _, stop := serve(t, server(t, o))
	at := strings.Replace(public, "http://", "https://", 1) + "/ingest/any"
	if code := status(t, pair.Client(), http.MethodPost, at, strings.NewReader(native("1", "ann@example.org"))); code != http.StatusOK || len(to.take()) != 1 {
		t.Errorf("%d", code)
	}
	pair.Client().CloseIdleConnections()
	if err := stop(); err != nil {
		t.Error(err)
	}
}
