package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAudienceListsMayBePacked checks that a packed list reaches the service unpacked, as what it is inside, from a file and from
// standard input, and that a broken one is a failure.
func TestAudienceListsMayBePacked(t *testing.T) {
	const list = "email\nann@example.org\n"
	var got, contentType string
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got, contentType = string(body), r.Header.Get("Content-Type")
		_, _ = io.WriteString(w, `{"total":1,"engaged":1}`)
	}))
	defer service.Close()
	gz, zst := decodePacked(t, list)
	for name, content := range map[string]string{"list.csv": list, "list.csv.gz": gz, "list.CSV.zst": zst, "list.txt": list, "list.gz": gz} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		want := "text/plain"
		if strings.Contains(strings.ToLower(name), ".csv") {
			want = "text/csv"
		}
		code, _, stderr := runMonitor(t.Context(), nil, "audience", "check", "--server", service.URL, file)
		if code != 0 || got != list || contentType != want {
			t.Errorf("%s: exit %d, sent %q as %s, want %q as %s; %s", name, code, got, contentType, list, want, stderr)
		}
	}
	if code, _, stderr := runMonitor(t.Context(), strings.NewReader(zst), "audience", "check", "--server", service.URL, "-"); code != 0 || got != list {
		t.Errorf("standard input: exit %d, sent %q; %s", code, got, stderr)
	}
	for _, cut := range []int{5, len(gz) - 3} {
		code, _, stderr := runMonitor(t.Context(), strings.NewReader(gz[:cut]), "audience", "check", "--server", service.URL, "-")
		if code != 1 || !strings.Contains(stderr, "broken gzip data") {
			t.Errorf("cut at %d: exit %d, %q", cut, code, stderr)
		}
	}
}
