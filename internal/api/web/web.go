package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/problem"
)

//go:embed templates assets
var files embed.FS

// Pages are the dashboard. They are safe for concurrent use.
type Pages struct {
	source *answer.Source
	pages  map[string]*template.Template // by page name
	assets map[string]asset              // by their name with a hash in it
	hashed map[string]string             // from the plain name to that one
}

type asset struct {
	contentType string
	body        []byte
}

// New parses the templates; they are embedded, so a mistake in one shows at once.
func New(source *answer.Source) (*Pages, error) {
	p := &Pages{source: source, pages: map[string]*template.Template{}, assets: map[string]asset{}, hashed: map[string]string{}}
	if err := p.loadAssets(); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	base, err := template.New("").Funcs(p.functions()).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}
	for _, name := range []string{"overview", "rates", "subject", "alerts", "alert", "recipients", "status", "method", "problem"} {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(files, "templates/"+name+".html")
		}
		if err != nil {
			return nil, fmt.Errorf("dashboard: %w", err)
		}
		p.pages[name] = t
	}
	return p, nil
}

// loadAssets gives each asset a name that changes with its content, so that browsers may keep it for ever.
func (p *Pages) loadAssets() error {
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		return err
	}
	for _, e := range entries {
		body, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		p.hashed[e.Name()] = "/assets/" + name
		p.assets[name] = asset{contentType: typeOf(ext), body: body}
	}
	return nil
}

// typeOf does not ask the machine's own tables for what we ship.
func typeOf(ext string) string {
	switch ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(ext)
}

func (p *Pages) functions() template.FuncMap {
	return template.FuncMap{
		"asset": func(name string) string { return p.hashed[name] },
		"count": count, "group": group, "percent": percent, "share": share, "limitText": limitText, "times": times,
		"span": span, "clock": clock, "moment": moment, "name": name, "pairs": nameOfPairs, "subjectURL": subjectURL, "plural": plural,
		"meterOf": meterOfRow, "spoken": func(s string) string { return strings.ReplaceAll(s, "_", " ") },
		"sub": func(a, b float64) float64 { return round(a - b) }, "ref": func(x float64) *float64 { return &x }, "sum": func(a, b float64) float64 { return round(a + b) },
		"addInt": func(a, b int) int { return a + b }, "tabs": func() []string { return []string{"firing", "resolved", "all"} },
		"lagText":   func(s float64) string { return span(time.Duration(s * float64(time.Second))) },
		"partShare": Part.text, "yes": func(b *bool) bool { return b != nil && *b }, "readingOf": readingOf, "figuresOf": figuresOf, "timesLimit": answer.TimesLimit, "bytes": bytesText, "stamp": stamp,
	}
}

// Routes are the handlers by their ServeMux pattern.
func (p *Pages) Routes() map[string]func(http.ResponseWriter, *http.Request) error {
	routes := map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":           p.overview,
		"GET /rates":         p.rates,
		"GET /subject":       p.subject,
		"GET /alerts":        p.alerts,
		"GET /alerts/{id}":   p.alert,
		"GET /status":        p.status,
		"GET /method":        p.method,
		"GET /assets/{name}": p.asset,
	}
	if p.source.Readers.Engagement != nil {
		routes["GET /recipients"] = p.recipients
	}
	return routes
}

func (p *Pages) asset(w http.ResponseWriter, r *http.Request) error {
	a, ok := p.assets[r.PathValue("name")]
	if !ok {
		return problem.New(http.StatusNotFound, "there is no such file; load the page anew")
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	return send(w, r, http.StatusOK, a.contentType, a.body)
}

// Frame is what every page has around its own content.
type Frame struct {
	Title     string
	Nav       string // which entry of the navigation is the current one
	Refresh   bool   // renew the page while it is open
	Version   string
	AsOf      time.Time
	Now       time.Time
	Stale     bool
	Lag       time.Duration
	Known     bool // AsOf, Stale and Firing are known
	Firing    int
	FiringAll bool // false: there are more than Firing
	Critical  int
	Stream    bool
	Recipient bool // there is a page on recipients
	Content   any
}

// frame reads what stands around a page. open are the open alerts, for pages that show them.
func (p *Pages) frame(ctx context.Context, title, nav string) (f *Frame, open []alerts.Record, err error) {
	f = p.bare(title, nav)
	m, err := p.source.Clock.Moment(ctx)
	if err != nil {
		return nil, nil, err
	}
	page, err := p.source.Alerts(ctx, answer.AlertQuery{State: new(alerts.Firing), Limit: answer.MaxPage})
	if err != nil {
		return nil, nil, err
	}
	f.Known, f.Refresh = true, true
	f.AsOf, f.Stale, f.Lag = m.AsOf.UTC(), m.Stale, m.Lag
	f.Firing, f.FiringAll = len(page.Alerts), page.NextCursor == nil
	for _, r := range page.Alerts {
		if r.Severity == alerts.Critical {
			f.Critical++
		}
	}
	return f, page.Alerts, nil
}

func (p *Pages) bare(title, nav string) *Frame {
	return &Frame{Title: title, Nav: nav, Version: p.source.Version, Now: p.source.Now().UTC(), Stream: p.source.Log != nil,
		Recipient: p.source.Readers.Engagement != nil}
}

// show renders a page. It is made whole before anything is sent, so that a fault still becomes a page that says so.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, page string, f *Frame) error {
	var b bytes.Buffer
	if err := p.pages[page].ExecuteTemplate(&b, "layout", f); err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	w.Header().Set("Cache-Control", "no-store")
	return send(w, r, status, "text/html; charset=utf-8", b.Bytes())
}

func send(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client has gone: nobody is left to tell
	}
	return nil
}

// Problem shows a person what went wrong. While the state cannot be read the page renews itself.
func (p *Pages) Problem(w http.ResponseWriter, r *http.Request, pr *problem.Problem) {
	f := p.bare(pr.Title, "")
	f.Content = pr
	f.Refresh = pr.Status == http.StatusServiceUnavailable
	if err := p.show(w, r, pr.Status, "problem", f); err != nil {
		problem.Write(w, r, pr)
	}
}

// notCounted lets a page leave out what the configuration does not count.
func notCounted(err error) bool {
	p, ok := errors.AsType[*problem.Problem](err)
	return ok && p.Status == http.StatusBadRequest
}

func bytesText(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}
