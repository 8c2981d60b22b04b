package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/problem"
)

// writeJSON answers with a value. It is encoded before anything is written, so that a fault can still become a problem.
func writeJSON(w http.ResponseWriter, r *http.Request, value any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return fmt.Errorf("encoding the answer: %w", err)
	}
	return writeBody(w, r, "application/json", b.Bytes())
}

func writeBody(w http.ResponseWriter, r *http.Request, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client has gone: nobody is left to tell
	}
	return nil
}

// readJSON reads one JSON object of at most max bytes. Its problems never show what was sent.
func readJSON(w http.ResponseWriter, r *http.Request, max int64, into any) error {
	if !isJSON(r.Header.Get("Content-Type")) {
		return problem.New(http.StatusUnsupportedMediaType, "send the body as JSON, with the header Content-Type: application/json")
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, max))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more after the object")
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problem.New(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes; send only the object that this call takes", max)
	}
	if err != nil {
		return problem.New(http.StatusBadRequest, "the body is not the JSON object that this call takes; see /openapi.yaml")
	}
	return nil
}

// isJSON takes what says that it is JSON, and what says nothing: no Content-Type, or the one that curl -d writes unasked. Calls
// with a body only look things up, and pages of other origins are refused before.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == "application/json" || mediaType == "application/x-www-form-urlencoded")
}

// statusClientGone is what logs and metrics show for a client that left before it was answered.
const statusClientGone = 499

// problemOf turns any error into a problem for the caller. It is false when the fault is ours: then the log has the error.
func problemOf(err error) (p *problem.Problem, told bool) {
	switch {
	case errors.As(err, &p):
		return p, true
	case errors.Is(err, answer.ErrUnavailable):
		return problem.New(http.StatusServiceUnavailable,
			"the state cannot be read at the moment; the service goes on by itself, ask again shortly (/-/ready says more)").RetryAfter(5 * time.Second), true
	case errors.Is(err, context.Canceled):
		return problem.New(statusClientGone, "the request was given up"), true
	case errors.Is(err, context.DeadlineExceeded):
		return problem.New(http.StatusServiceUnavailable,
			"it took too long; ask again, or for less (one window= or rate=, a smaller combination)").RetryAfter(5 * time.Second), true
	case errors.Is(err, answer.ErrNotFound):
		return problem.New(http.StatusNotFound, "there is nothing of that name"), true
	}
	return problem.New(http.StatusInternalServerError, "a fault of the service; its log says more"), false
}
