package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// hostileStory is mail whose names try to break out of a page.
func hostileStory() string {
	var b strings.Builder
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for i := range 600 {
		kind := "delivery"
		if i > 300 && i%4 == 0 {
			kind = "bounce"
		}
		fmt.Fprintf(&b, `{"type":%q,"time":%q,"id":"e%d","recipient":"r%d@example.org","tenant":"<script>alert(1)</script>","ip":"203.0.113.9",`+
			`"campaign":"\"><img src=x onerror=alert(2)>","provider":"'; </style></svg>\u202e{{.}}"}`+"\n",
			kind, start.Add(time.Duration(i)*10*time.Second).Format(time.RFC3339), i, i)
	}
	return b.String()
}

func auditPage(t *testing.T, story string, args ...string) (code int, page string) {
	t.Helper()
	dir := decodeFiles(t, map[string]string{"events": story})
	name := filepath.Join(dir, "report.html")
	code, out, messages := runMonitor(t.Context(), nil, append([]string{"audit", "--html", name, filepath.Join(dir, "events")}, args...)...)
	text, err := os.ReadFile(name)
	if err != nil || out == "" {
		t.Fatal(err, out, messages)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return code, string(text)
}

// structure is the page's elements and texts, without drawings' figures.
func structure(t *testing.T, page string) (elements map[string]int, text string) {
	t.Helper()
	elements = map[string]int{}
	var words strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch n.Type {
		case html.ElementNode:
			elements[n.Data]++
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "href" || a.Key == "src" || a.Key == "style" || a.Key == "action" {
					t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
				}
			}
		case html.TextNode:
			if n.Parent.Data != "style" {
				words.WriteString(n.Data + " ")
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	walk(root)
	return elements, strings.Join(strings.Fields(words.String()), " ")
}

func TestAuditPageEscapesEverything(t *testing.T) {
	code, page := auditPage(t, hostileStory())
	elements, text := structure(t, page)
	if code != exitBreach {
		t.Errorf("exit %d", code)
	}
	for _, never := range []string{"script", "img", "link", "iframe", "object", "form", "a", "base", "foreignobject"} {
		if elements[never] > 0 {
			t.Errorf("%d <%s>", elements[never], never)
		}
	}
	if elements["style"] != 1 || strings.Contains(page, "ZgotmplZ") {
		t.Errorf("%d styles, or a value that the template would not write", elements["style"])
	}
	for _, name := range []string{"<script>alert(1)</script>", `"><img src=x onerror=alert(2)>`, "'; </style></svg>\u202e{{.}}"} {
		if !strings.Contains(text, name) {
			t.Errorf("%q is not shown as it is", name)
		}
	}
}

func TestAuditPageStandsAlone(t *testing.T) {
	_, page := auditPage(t, auditStory())
	if found := regexp.MustCompile(`(?i)https?:|//[a-z]|@import|url\(`).FindAllString(page, -1); len(found) > 0 {
		t.Errorf("the page names %q", found)
	}
	policy := `<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-`
	if !strings.Contains(page, policy) || !strings.Contains(page, "prefers-color-scheme: dark") {
		t.Error("no policy of the content, or no dark form")
	}
}

func TestAuditPageTellsTheStory(t *testing.T) {
	code, page := auditPage(t, auditStory())
	elements, text := structure(t, page)
	want := []string{
		"Limits were broken", "41 alerts in 6 incidents, 23 of them critical; 24 rates in breach at the end.", "1,612 events read: 1,313 counted, 297 repeats",
		"What happened", "critical from 2026-03-02 11:02:20Z to 2026-03-02 13:01:00Z, with 14 more alerts of the same incident", "tenant acme",
		"26.9% bounce rate at the peak, over the 1h window", "3% is the limit: 9.0 times as much", "56 bounces against 208 mails then",
		"When it fired: 53 bounces against 200 mails attempted", "1h window limit 3%, dynamics-365", "Who carries it", "provider gmail 100%, 53 of 67 mails",
		"14 more alerts of this incident", "Alerts in the order in which they fired", "Worst ever", "Rates at the end", "no_time 1",
	}
	at := 0
	for _, w := range want { // in this order
		i := strings.Index(text[at:], w)
		if i < 0 {
			t.Fatalf("%q does not come where it should:\n%.3000s", w, text[at:])
		}
		at += i
	}
	if code != exitBreach || elements["article"] != 6 || elements["figure"] < 6 || elements["details"] == 0 {
		t.Errorf("exit %d, %v", code, elements)
	}
	_, again := auditPage(t, auditStory())
	if page != again {
		t.Error("the same events give another page")
	}
}

func TestAuditPageOfNothingBad(t *testing.T) {
	good := strings.Join(strings.SplitAfter(auditStory(), "\n")[:600], "")
	for _, c := range []struct{ story, title, not string }{
		{good, "No limit was broken", "What happened"},
		{`{"msys":{}}`, "No events", "Rates at the end"},
	} {
		code, page := auditPage(t, c.story)
		if _, text := structure(t, page); code != exitOK || !strings.Contains(text, c.title) || strings.Contains(text, c.not) {
			t.Errorf("exit %d\n%s", code, text)
		}
	}
}

func TestAuditPageIsWrittenWhole(t *testing.T) {
	dir := decodeFiles(t, map[string]string{"bad": auditStory(), "kept.html": "what was there", "target.html": "an old page"})
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Symlink("target.html", in("link.html")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, page, input string
		code              int
		messages          string
	}{
		{"no such directory", in("nowhere/report.html"), in("bad"), exitFailed, "--html: "},
		{"a directory", dir, in("bad"), exitUsage, "it is a directory"},
		{"a device", os.DevNull, in("bad"), exitUsage, "it is a device"},
		{"standard output", "-", in("bad"), exitUsage, "--html -: expected the name of a file"},
		{"a wrong window", in("kept.html"), "--window=9h", exitUsage, "--window"},
		{"a file that is not there", in("partly.html"), in("gone"), exitFailed, "gone: no such file"},
		{"a link", in("link.html"), in("bad"), exitBreach, ""},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			code, _, messages := runMonitor(t.Context(), nil, "audit", "--html", c.page, c.input, in("bad"))
			if code != c.code || !strings.Contains(messages, c.messages) {
				t.Errorf("exit %d, want %d: %s", code, c.code, messages)
			}
		})
	}
	if text, err := os.ReadFile(in("kept.html")); err != nil || string(text) != "what was there" {
		t.Errorf("%q, %v: a run that failed has changed it", text, err)
	}
	if text, err := os.ReadFile(in("target.html")); err != nil || !strings.HasPrefix(string(text), "<!DOCTYPE html>") {
		t.Errorf("the link does not lead to the page: %.40q, %v", text, err)
	}
	if left, _ := filepath.Glob(in(".*.html.*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	info, err := os.Stat(in("partly.html"))
	if err != nil || info.Mode().Perm()&0o044 == 0 && info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}
