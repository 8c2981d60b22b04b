package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/html"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/apitest"
	"sendwatch/internal/api/web"
	"sendwatch/internal/metrics"
	"sendwatch/internal/windows"
)

var theStory = sync.OnceValue(apitest.NewStory)

func server(t testing.TB, b *apitest.Book) http.Handler {
	t.Helper()
	source := b.Source()
	pages, err := web.New(source)
	if err != nil {
		t.Fatal(err)
	}
	return api.New(api.Options{Source: source, Pages: pages, Meter: metrics.New(metrics.Build{}), Log: zap.NewNop(), Metrics: http.NotFoundHandler()})
}

func get(t testing.TB, h http.Handler, target string) (*httptest.ResponseRecorder, *html.Node) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	r.Header.Set("Accept", "text/html")
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	doc, err := html.Parse(strings.NewReader(rec.Body.String()))
	if err != nil {
		t.Fatal(err)
	}
	return rec, doc
}

func elements(doc *html.Node, name string) []*html.Node {
	var out []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			out = append(out, n)
		}
	}
	return out
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Every page that can be reached by following links is there, obeys our own content security policy, and is well made.
func TestEveryPage(t *testing.T) {
	h := server(t, theStory())
	queue, seen := []string{"/", "/nothing", "/rates?cursor=x", "/subject?subject=x", "/recipients?tenant=nobody"}, map[string]bool{}
	wrong := map[string]int{"/nothing": 404, "/rates?cursor=x": 400, "/subject?subject=x": 400}
	for len(queue) > 0 {
		target := queue[0]
		queue = queue[1:]
		if seen[target] || len(seen) > 400 {
			continue
		}
		seen[target] = true
		rec, doc := get(t, h, target)
		want := http.StatusOK
		if status, ok := wrong[target]; ok {
			want = status
		}
		if rec.Code != want {
			t.Errorf("%s: %d", target, rec.Code)
		}
		if !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/html") {
			continue
		}
		check(t, target, doc)
		for _, a := range elements(doc, "a") {
			href, _ := attribute(a, "href")
			if strings.HasPrefix(href, "#") || href == "/metrics" {
				continue
			}
			u, err := url.Parse(href)
			if err != nil || u.Host != "" {
				t.Errorf("%s links to %q", target, href)
				continue
			}
			queue = append(queue, u.String())
		}
		for _, name := range []string{"link", "script"} {
			for _, n := range elements(doc, name) {
				for _, key := range []string{"href", "src"} {
					if v, ok := attribute(n, key); ok {
						queue = append(queue, v)
					}
				}
			}
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d pages were reached", len(seen))
	}
}

func check(t *testing.T, target string, doc *html.Node) {
	t.Helper()
	ids := map[string]bool{}
	count := map[string]int{}
	for _, n := range elements(doc, "") {
		count[n.Data]++
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s: <%s %s> is not allowed by our policy", target, n.Data, a.Key)
			}
			if a.Key == "id" {
				if ids[a.Val] {
					t.Errorf("%s: id %s twice", target, a.Val)
				}
				ids[a.Val] = true
			}
		}
		switch n.Data {
		case "script":
			if _, ok := attribute(n, "src"); !ok || n.FirstChild != nil {
				t.Errorf("%s: a script within the page", target)
			}
		case "style":
			t.Errorf("%s: styles within the page", target)
		case "th":
			if _, ok := attribute(n, "scope"); !ok {
				t.Errorf("%s: a table header without a scope: %s", target, text(n))
			}
		}
	}
	for _, n := range elements(doc, "") {
		if v, ok := attribute(n, "aria-labelledby"); ok && !ids[v] {
			t.Errorf("%s: labelled by %s, which is not there", target, v)
		}
		if _, ok := attribute(n, "data-live"); ok {
			if _, ok := attribute(n, "id"); !ok {
				t.Errorf("%s: a live part without an id cannot be renewed", target)
			}
		}
	}
	for name, want := range map[string]int{"main": 1, "h1": 1, "footer": 1} {
		if count[name] != want {
			t.Errorf("%s: %d <%s>, want %d", target, count[name], name, want)
		}
	}
	if body := text(doc); strings.Contains(body, "%!") || strings.Contains(body, "<nil>") || strings.Contains(body, "NaN") || strings.Contains(body, "ZgotmplZ") {
		t.Errorf("%s: %s", target, body)
	}
}

func TestOverviewTellsTheStory(t *testing.T) {
	_, doc := get(t, server(t, theStory()), "/")
	body := text(doc)
	for _, want := range []string{"open incidents", "as of 14:37:20 UTC", "tenant dunes", "campaign bought-list", "critical", "limit 3 %", "Headroom",
		"below the limit, resolves if it stays so", "glade & sons"} {
		if !strings.Contains(body, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if titles := elements(doc, "title"); !strings.HasPrefix(text(titles[0]), "(") {
		t.Errorf("title %q does not count what fires", text(titles[0]))
	}
}

func TestQuietStateAndStaleState(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	_, doc := get(t, server(t, book), "/")
	if body := text(doc); !strings.Contains(body, "All limits hold") || !strings.Contains(body, "Nothing is firing") {
		t.Errorf("empty: %s", body)
	}
	book.SetStale(true, 95*time.Second)
	_, doc = get(t, server(t, book), "/")
	if body := text(doc); !strings.Contains(body, "These figures are stale") || !strings.Contains(body, "1 min behind") {
		t.Errorf("stale: %s", body)
	}
	book.SetStale(false, 95*time.Second)
	_, doc = get(t, server(t, book), "/")
	if body := text(doc); strings.Contains(body, "stale") || !strings.Contains(body, "1 min behind") {
		t.Errorf("behind: %s", body)
	}
	book.Break(fmt.Errorf("redis: %w", answer.ErrUnavailable))
	rec, doc := get(t, server(t, book), "/")
	if rec.Code != http.StatusServiceUnavailable || !strings.Contains(text(doc), "Nothing to show at the moment") {
		t.Errorf("%d %s", rec.Code, text(doc))
	}
	rec, doc = get(t, server(t, book), "/status")
	if rec.Code != http.StatusOK || !strings.Contains(text(doc), "away") {
		t.Errorf("status while Redis is away: %d %s", rec.Code, text(doc))
	}
}

// What others write into tenants and campaigns stays text.
func TestNamesAreEscaped(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	evil := `"><script>alert(1)</script>`
	labels := windows.Labels{{Dimension: windows.Tenant, Value: evil}, {Dimension: windows.Campaign, Value: evil}}
	book.Count(apitest.StoryTime, labels, windows.Delivered, 1000)
	book.Count(apitest.StoryTime, labels, windows.BouncedHard, 500)
	book.Evaluate(apitest.StoryTime)
	h := server(t, book)
	for _, target := range []string{"/", "/rates?by=tenant,campaign", "/alerts", "/alerts/" + book.Log()[0].ID, "/recipients",
		"/subject?subject=" + url.QueryEscape(string(windows.Combination{windows.Tenant}.AppendSubject(nil, evil))), "/recipients?tenant=" + url.QueryEscape(evil),
		"/rates?by=" + url.QueryEscape(evil), "/rates?window=" + url.QueryEscape(evil)} {
		rec, doc := get(t, h, target)
		check(t, target, doc)
		if strings.Contains(rec.Body.String(), "<script>alert") {
			t.Errorf("%s: a name became a script", target)
		}
	}
}

// An alert about the service itself is of a partition, which has no page.
func TestAlertOnLostRecords(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	one := 1.0
	book.Append(alerts.Record{ID: "lost", Seq: 1, Incident: "lost", Change: alerts.Fired, Severity: alerts.Critical, Policy: alerts.SystemPolicy, Rate: "lost_records",
		Window: "all", SubjectKey: "topic=mail.events,partition=3", Subject: alerts.Pairs{{Name: "topic", Value: "mail.events"}, {Name: "partition", Value: "3"}},
		Observed: windows.Figures{Numerator: 7, Denominator: 7, Exposure: 7, Ratio: &one, Judged: &one}, StartsAt: apitest.StoryTime, EvaluatedAt: apitest.StoryTime})
	h := server(t, book)
	for _, target := range []string{"/", "/alerts", "/alerts/lost"} {
		rec, doc := get(t, h, target)
		check(t, target, doc)
		if rec.Code != http.StatusOK || !strings.Contains(text(doc), "lost records") {
			t.Errorf("%s: %d %s", target, rec.Code, text(doc))
		}
	}
}

func TestAssets(t *testing.T) {
	h := server(t, theStory())
	_, doc := get(t, h, "/")
	src, _ := attribute(elements(doc, "script")[0], "src")
	rec, _ := get(t, h, src)
	if rec.Code != http.StatusOK || !strings.Contains(rec.Header().Get("Cache-Control"), "immutable") || !strings.HasPrefix(rec.Header().Get("Content-Type"), "text/javascript") {
		t.Errorf("%s: %d %v", src, rec.Code, rec.Header())
	}
	for _, path := range []string{"/assets/app.js", "/assets/..%2fweb.go", "/assets/"} {
		if rec, _ := get(t, h, path); rec.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
}

// TestServeForLooking serves the story until it is stopped, for looking at the pages: SENDWATCH_LOOK=127.0.0.1:8226.
func TestServeForLooking(t *testing.T) {
	address := os.Getenv("SENDWATCH_LOOK")
	if address == "" {
		t.Skip("SENDWATCH_LOOK is not set")
	}
	if err := http.ListenAndServe(address, server(t, apitest.NewStory())); err != nil { //nolint:gosec // for looking at
		t.Fatal(err)
	}
}

// TestInABrowser runs browser/check.mjs: SENDWATCH_BROWSER names the directory in which its packages are installed (a copy of
// browser/ after npm install).
func TestInABrowser(t *testing.T) {
	dir := os.Getenv("SENDWATCH_BROWSER")
	if dir == "" {
		t.Skip("SENDWATCH_BROWSER is not set")
	}
	s := httptest.NewServer(server(t, apitest.NewStory()))
	defer s.Close()
	script, err := os.ReadFile("browser/check.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/check.mjs", script, 0o600); err != nil {
		t.Fatal(err)
	}
	args := slices.DeleteFunc([]string{"check.mjs", s.URL, os.Getenv("SENDWATCH_CHROMIUM")}, func(a string) bool { return a == "" })
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
