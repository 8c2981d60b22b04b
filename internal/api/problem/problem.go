// Package problem writes errors as application/problem+json (RFC 9457), with a detail that says what to change.
package problem

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// ContentType is the media type of an answer that says what went wrong.
const ContentType = "application/problem+json"

// Problem is an error that is the caller's to read. Its texts never carry an address.
type Problem struct {
	Type   string  `json:"type"` // always about:blank: the status says the kind, the detail the rest
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail"`
	Errors []Field `json:"errors,omitempty"` // one per mistake, where there can be several

	retryAfter time.Duration
}

// Field is one mistake: which parameter, field or place is wrong, and what it should be.
type Field struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
}

// New makes a problem with this status.
func New(status int, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// RetryAfter says when the same request may succeed; it is rounded up to seconds.
func (p *Problem) RetryAfter(d time.Duration) *Problem {
	p.retryAfter = d
	return p
}

func (p *Problem) Error() string { return p.Detail }

// Write answers with p. Headers that belong to the answer's success (caching, length) are taken back.
func Write(w http.ResponseWriter, r *http.Request, p *Problem) {
	h := w.Header()
	h.Del("Content-Length")
	h.Del("Etag")
	h.Del("Last-Modified")
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // the client has gone: nobody is left to tell
}
