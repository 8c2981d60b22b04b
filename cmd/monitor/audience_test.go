package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/api"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/apitest"
	"sendwatch/internal/api/audience"
	"sendwatch/internal/engagement"
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

// audienceService answers for a tenant "acme" with a recipient of each kind.
func audienceService(t *testing.T) (url string, book *apitest.Book) {
	t.Helper()
	now := time.Date(2026, 3, 12, 12, 0, 0, 0, time.UTC)
	book = apitest.NewBook(now)
	for _, r := range []struct {
		name string
		kind engagement.Kind
		ago  int // days
	}{
		{"engaged", engagement.Interaction, 100}, {"new", engagement.Seen, 3}, {"unengaged", engagement.Seen, 100},
		{"left", engagement.Interaction, 20}, {"left", engagement.Unsubscribe, 10}, {"angry", engagement.Complaint, 10}, {"dead", engagement.HardBounce, 10},
		{"back", engagement.Unsubscribe, 10}, {"back", engagement.OptIn, 5},
	} {
		book.See("acme", r.name+"@example.com", r.kind, now.AddDate(0, 0, -r.ago))
	}
	service := httptest.NewServer(api.New(api.Options{Source: book.Source(), Meter: noMeter{}, Log: zap.NewNop()}))
	t.Cleanup(service.Close)
	return service.URL, book
}

type noMeter struct{}

func (noMeter) Request(string, string, int, time.Duration) {}
func (noMeter) StreamOpened(int)                           {}

// contents are the files of a directory by name, hidden ones too.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(text)
	}
	return out
}

const splitList = "engaged@example.com\n\n Ann <NEW@example.com> \nunengaged@example.com\nstranger@example.com\nleft@example.com\nnobody\n" +
	"angry@example.com\ndead@example.com\nENGAGED@example.com\nback@example.com\n"

// TestAudienceSplit checks that each line goes into the file of its recipient's standing as it was written, from files and from
// standard input, and that nothing else is left in the directory.
func TestAudienceSplit(t *testing.T) {
	url, _ := audienceService(t)
	gz, _ := decodePacked(t, splitList)
	want := map[string]string{
		"engaged.txt": "engaged@example.com\nback@example.com\n", "new.txt": "Ann <NEW@example.com>\n", "unengaged.txt": "unengaged@example.com\n",
		"unknown.txt": "stranger@example.com\n", "suppressed.txt": "left@example.com\nangry@example.com\ndead@example.com\n", "invalid.txt": "nobody\n",
	}
	for _, stdin := range []string{"", splitList, gz} {
		dir, file := filepath.Join(t.TempDir(), "made", "here"), "-"
		if stdin == "" {
			file = filepath.Join(t.TempDir(), "list.txt")
			noError(t, os.WriteFile(file, []byte(splitList), 0o600))
		}
		code, stdout, stderr := runMonitor(t.Context(), strings.NewReader(stdin), "audience", "check", "--server", url, "--tenant", "acme", "--write", dir, "-o", "json", file)
		if code != exitBreach {
			t.Fatalf("exit %d, %s", code, stderr)
		}
		if got := contents(t, dir); !maps.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		var report struct {
			audience.Report
			Files []splitFile
		}
		if err := json.Unmarshal([]byte(stdout), &report); err != nil {
			t.Fatal(err)
		}
		if report.Total != 10 || report.Duplicates != 1 || report.Suppressed.Any != 3 || len(report.Files) != 6 || report.Files[4].Addresses != 3 {
			t.Errorf("%s", stdout)
		}
	}
}

// TestAudienceSplitKeepsColumns checks that a CSV is split into CSVs with all of its columns.
func TestAudienceSplitKeepsColumns(t *testing.T) {
	url, _ := audienceService(t)
	dir := t.TempDir()
	list := "id;Email;note\n1;engaged@example.com;\"a; b\"\n2;dead@example.com;\"two\nlines\"\n3;;\n"
	code, stdout, stderr := runMonitor(t.Context(), strings.NewReader(list), "audience", "check", "--server", url, "--tenant", "acme", "--write", dir, "-")
	if code != exitBreach || !strings.Contains(stdout, filepath.Join(dir, "suppressed.csv")) {
		t.Fatalf("exit %d, %s%s", code, stdout, stderr)
	}
	const header = "id;Email;note\n"
	want := map[string]string{"engaged.csv": header + "1;engaged@example.com;\"a; b\"\n", "suppressed.csv": header + "2;dead@example.com;\"two\nlines\"\n",
		"invalid.csv": header + "3;;\n", "new.csv": header, "unengaged.csv": header, "unknown.csv": header}
	if got := contents(t, dir); !maps.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestAudienceSplitLeavesNoHalves checks that files which are there stay, and that a check which fails leaves none.
func TestAudienceSplitLeavesNoHalves(t *testing.T) {
	url, book := audienceService(t)
	dir := t.TempDir()
	noError(t, os.WriteFile(filepath.Join(dir, "new.txt"), []byte("mine\n"), 0o600))
	split := func(list string, more ...string) (int, string) {
		args := append([]string{"audience", "check", "--server", url, "--tenant", "acme", "--write", dir}, more...)
		code, _, stderr := runMonitor(t.Context(), strings.NewReader(list), append(args, "-")...)
		return code, stderr
	}
	unchanged := func(why string) {
		t.Helper()
		if got := contents(t, dir); !maps.Equal(got, map[string]string{"new.txt": "mine\n"}) {
			t.Errorf("%s: %q", why, got)
		}
	}
	if code, stderr := split(splitList); code != exitUsage || !strings.Contains(stderr, "new.txt exists") || !strings.Contains(stderr, "--overwrite") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	unchanged("a file is there")
	book.Break(answer.ErrUnavailable)
	if code, stderr := split(splitList, "--overwrite"); code != exitFailed || !strings.Contains(stderr, "nothing was written") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	unchanged("the service cannot answer")
	book.Break(nil)
	if code, stderr := split("email,x\n\"engaged@example.com\n"+strings.Repeat("y,z\n", 400_000), "--overwrite"); code == exitOK || !strings.Contains(stderr, "nothing was written") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	unchanged("a broken CSV")
	if code, stderr := split("new@example.com\n", "--overwrite"); code != exitOK {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if got := contents(t, dir); got["new.txt"] != "new@example.com\n" || len(got) != numSplits {
		t.Errorf("%q", got)
	}
}

// TestAudienceSplitNeedsOneVerdictALine checks that answers which do not fit the list write nothing.
func TestAudienceSplitNeedsOneVerdictALine(t *testing.T) {
	for name, answer := range map[string]string{
		"fewer": "new\n{\"total\":1,\"new\":1}\n", "more": "new\nnew\nnew\n{\"total\":3,\"new\":3}\n", "no end": "new\nnew\n", "half": "new\nne",
		"other words": "new\nfresh\n{\"total\":2}\n", "a problem": "new\n{\"status\":503,\"detail\":\"Redis is away\"}\n", "nothing": "",
	} {
		service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, answer)
		}))
		dir := t.TempDir()
		code, _, stderr := runMonitor(t.Context(), strings.NewReader("a@example.com\nb@example.com\n"), "audience", "check", "--server", service.URL, "--write", dir, "-")
		service.Close()
		if code != exitFailed || !strings.Contains(stderr, "nothing was written") || strings.Contains(stderr, "@example.com") {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
		}
		if got := contents(t, dir); len(got) > 0 {
			t.Errorf("%s: %q is left", name, got)
		}
	}
}

// TestAudienceSplitLongList sends a list that is larger than all buffers on the way, so that verdicts come while it is sent.
func TestAudienceSplitLongList(t *testing.T) {
	url, _ := audienceService(t)
	file, dir := filepath.Join(t.TempDir(), "list.txt"), t.TempDir()
	var list strings.Builder
	const n = 700_000
	for i := range n {
		fmt.Fprintf(&list, "stranger.%07d@example.com\n", i)
	}
	noError(t, os.WriteFile(file, []byte(list.String()), 0o600))
	code, _, stderr := runMonitor(t.Context(), nil, "audience", "check", "--server", url, "--tenant", "acme", "--write", dir, "--max-unengaged", "100", file)
	if code != exitOK {
		t.Fatalf("exit %d, %s", code, stderr)
	}
	if got := contents(t, dir); got["unknown.txt"] != list.String() {
		t.Errorf("%d of %d bytes are in unknown.txt", len(got["unknown.txt"]), list.Len())
	}
}

// TestAudienceBounds checks when a list is refused.
func TestAudienceBounds(t *testing.T) {
	url, _ := audienceService(t)
	for _, c := range []struct {
		list string
		args []string
		want int
	}{
		{"engaged new", nil, exitOK},
		{"engaged new engaged2 unengaged", nil, exitBreach}, // engaged2 is unknown
		{"engaged new unengaged", []string{"--max-unengaged", "33.4"}, exitOK},
		{"engaged new unengaged", []string{"--max-unengaged", "33.3"}, exitBreach},
		{"engaged left", nil, exitBreach}, {"engaged angry", []string{"--max-unengaged", "100"}, exitBreach}, {"engaged dead", nil, exitBreach},
		{"engaged back", nil, exitOK}, {"engaged new dead back", []string{"--max-suppressed", "25"}, exitOK}, {"", nil, exitOK},
	} {
		list := strings.ReplaceAll(c.list, " ", "@example.com\n") + "@example.com\n"
		args := append([]string{"audience", "check", "--server", url, "--tenant", "acme"}, c.args...)
		if code, _, stderr := runMonitor(t.Context(), strings.NewReader(list), append(args, "-")...); code != c.want {
			t.Errorf("%q %q: exit %d, want %d; %s", c.list, c.args, code, c.want, stderr)
		}
	}
}

// TestProgressInLines checks what is told of a long reading where there is no terminal.
func TestProgressInLines(t *testing.T) {
	var out strings.Builder
	now := time.Date(2026, 3, 12, 12, 0, 0, 0, time.UTC)
	p := &progress{what: "checking", size: 4 << 20, out: &out, now: func() time.Time { return now }, begun: now, next: now.Add(plainEvery)}
	r := p.lines(p.reader(strings.NewReader(strings.Repeat("a@b\n", 1<<20))), "addresses")
	buf := make([]byte, 1<<20)
	for range 4 {
		if _, err := io.ReadFull(r, buf); err != nil {
			t.Fatal(err)
		}
		now = now.Add(8 * time.Second)
	}
	p.done()
	want := "checking: 75%, 3.0 of 4.0 MiB, 0.2 MiB/s, 524,288 addresses, 32,768/s, 5s left\nchecking: done in 32s, 1,048,576 addresses, 32,768/s\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
