package api

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/api/guard"
	"sendwatch/internal/api/problem"
)

// ServeHTTP is the outermost layer: it counts, logs and survives everything beneath.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	rec := &recorder{ResponseWriter: w}
	guard.SetHeaders(w.Header())
	h, pattern := s.mux.Handler(r)
	route := pattern
	if _, path, ok := strings.Cut(pattern, " "); ok {
		route = path
	}
	if pattern == "" {
		route = "other"
	}
	defer func() {
		if fault := recover(); fault != nil {
			if fault == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel, compared as net/http does
				panic(fault)
			}
			s.o.Log.Error("a handler panicked", zap.String("route", route), zap.Any("fault", fault), zap.ByteString("stack", debug.Stack()))
			if rec.status == 0 {
				s.fail(rec, r, errors.New("panic"), false)
			}
		}
		took := time.Since(began)
		s.o.Meter.Request(route, methodLabel(r.Method), rec.sent(), took)
		s.o.Log.Debug("request", zap.String("route", route), zap.String("method", methodLabel(r.Method)), zap.Int("status", rec.sent()), zap.Duration("took", took))
	}()
	if s.o.LocalOnly && !guard.LocalHost(r.Host) {
		s.fail(rec, r, problem.New(http.StatusMisdirectedRequest, "Host: a service on loopback without tokens answers only to localhost or an IP address; "+
			"use one of them, or set http.tokens_file"), false)
		return
	}
	if pattern == "" {
		s.noRoute(rec, r, h)
		return
	}
	s.mux.ServeHTTP(rec, r) // not h: only the mux sets the path's values
}

// noRoute answers what the mux has no handler for: it says itself whether the path or the method is unknown.
func (s *Server) noRoute(rec *recorder, r *http.Request, h http.Handler) {
	probe := &discard{header: http.Header{}}
	h.ServeHTTP(probe, r)
	switch probe.status {
	case http.StatusMethodNotAllowed:
		allow := probe.header.Get("Allow")
		rec.Header().Set("Allow", allow)
		s.fail(rec, r, problem.New(http.StatusMethodNotAllowed, "this path does not take %s; use %s", methodLabel(r.Method), allow), s.wantsPage(r))
	case http.StatusNotFound:
		s.fail(rec, r, problem.New(http.StatusNotFound, "there is nothing at this path; /openapi.yaml describes what there is"), s.wantsPage(r))
	default: // a redirect to the clean form of the path
		h.ServeHTTP(rec, r)
	}
}

// guarded puts in front of a route what it needs: a token, the same origin, a time limit.
func (s *Server) guarded(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.o.Tokens != nil && !rt.open && !s.o.Tokens.Accepts(r) {
			challenge := "Bearer"
			if rt.page {
				challenge = "Basic" // what a browser can do: any user name, a token as password
			}
			w.Header().Set("WWW-Authenticate", challenge+` realm="sendwatch", charset="UTF-8"`)
			s.fail(w, r, problem.New(http.StatusUnauthorized, "send a token of http.tokens_file: Authorization: Bearer <token>, or as the password in a browser"), false)
			return
		}
		if err := s.crossOrigin.Check(r); err != nil {
			s.fail(w, r, problem.New(http.StatusForbidden, "a page of another origin may not ask for this; send it from this origin, or without a browser"), false)
			return
		}
		if !rt.long {
			ctx, cancel := context.WithTimeout(r.Context(), s.o.Limits.Request)
			defer cancel()
			r = r.WithContext(ctx)
		}
		err := rt.handle(w, r)
		if err == nil || errors.Is(err, errStreamEnded) {
			return
		}
		s.fail(w, r, err, rt.page)
	})
}

// fail answers with what went wrong. Faults of ours are logged, the caller's are not.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error, page bool) {
	p, told := problemOf(err)
	if !told {
		s.o.Log.Error("a request failed", zap.String("route", r.Pattern), zap.Error(err))
	}
	if page && s.o.Pages != nil {
		s.o.Pages.Problem(w, r, p)
		return
	}
	problem.Write(w, r, p)
}

func (s *Server) wantsPage(r *http.Request) bool {
	return s.o.Pages != nil && !strings.HasPrefix(r.URL.Path, "/api/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// methodLabel keeps made-up methods out of logs and metrics.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions:
		return method
	}
	return "other"
}

// recorder remembers the status that was sent.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find deadlines and flushing.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) sent() int {
	if r.status == 0 {
		return http.StatusOK // nothing was written: net/http sends this
	}
	return r.status
}

// discard is where the mux says what it would have answered.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
