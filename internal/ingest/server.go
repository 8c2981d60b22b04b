package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"sendwatch/internal/api/problem"
	"sendwatch/internal/event/provider/mapping"
	"sendwatch/internal/ingest/verify"
)

// Source is one provider's webhook. It is received at /ingest/NAME.
type Source struct {
	Name   string
	Format string // of its payloads: one of provider.Names
	Verify verify.Options
}

// Options of a Server. Sources, Topic, Producer and Log are required.
type Options struct {
	Sources  []Source
	Formats  []*mapping.Format // those that the configuration describes
	Topic    string
	Producer Producer
	Log      *zap.Logger
	Meter    *Meter       // nil = nobody counts
	Fetch    verify.Fetch // gets certificates and confirms subscriptions; nil = HTTPFetch
	TLS      *tls.Config  // nil = plain HTTP

	MaxBody   int // largest body, in bytes; 8 MiB when zero
	MaxRecord int // largest record; 1 MiB when zero

	Limits Limits           // zero = DefaultLimits
	Now    func() time.Time // nil = time.Now
}

// Limits bound how long things may take, and how many of them happen at once.
type Limits struct {
	ReadHeader, Read, Write, Idle time.Duration
	Stop                          time.Duration // for answering what is under way when the receiver stops
	Wait                          time.Duration // for a turn, before a request is told to come again
	Publish                       time.Duration // for writing one request's records to Kafka, tries included
	Pause                         time.Duration // between two tries
	Fetch                         time.Duration // for a certificate or a confirmation
	Publishing                    int           // requests that write to Kafka at once
	Bodies                        int           // bodies of the largest size that may be held at once
}

// DefaultLimits answer within 10 seconds, which is less than the providers wait (SNS: 15).
func DefaultLimits() Limits {
	return Limits{ReadHeader: 5 * time.Second, Read: 20 * time.Second, Write: 40 * time.Second, Idle: 2 * time.Minute, Stop: 12 * time.Second,
		Wait: 2 * time.Second, Publish: 7 * time.Second, Pause: 200 * time.Millisecond, Fetch: 5 * time.Second, Publishing: 64, Bodies: 8}
}

const maxHeaderBytes = 16 << 10

// source is a Source at work.
type source struct {
	name, format, kind string
	verifier           verify.Verifier
	cutter             *cutter
	told, toldRejected throttle
}

// Server receives webhooks. It is an http.Handler for what providers may reach; Admin has the rest.
type Server struct {
	o         Options
	sources   map[string]*source
	mux       *http.ServeMux
	publisher *publisher
	bytes     *semaphore.Weighted // of bodies that are held
	draining  atomic.Bool
}

// New makes a server. The error says what is wrong with a source.
func New(o Options) (*Server, error) {
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 8 << 20
	}
	if o.MaxRecord <= 0 {
		o.MaxRecord = 1 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Fetch == nil {
		o.Fetch = HTTPFetch(o.Limits.Fetch)
	}
	if o.Meter == nil {
		o.Meter = NewMeter()
	}
	s := &Server{o: o, sources: map[string]*source{}, mux: http.NewServeMux(), bytes: semaphore.NewWeighted(int64(o.Limits.Bodies) * int64(o.MaxBody)),
		publisher: newPublisher(o)}
	for _, one := range o.Sources {
		one.Verify.Fetch = o.Fetch
		v, err := verify.New(one.Verify)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", one.Name, err)
		}
		c, err := newCutter(one.Format, o.Formats...)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", one.Name, err)
		}
		s.sources[one.Name] = &source{name: one.Name, format: one.Format, kind: one.Verify.Kind, verifier: v, cutter: c,
			told: throttle{every: time.Minute}, toldRejected: throttle{every: time.Minute}}
	}
	for _, path := range []string{"/ingest/{source}", "/ingest/{source}/{token}"} {
		s.mux.HandleFunc("POST "+path, s.answering(s.receive))
		s.mux.HandleFunc("HEAD "+path, s.answering(s.exists))
		s.mux.HandleFunc("OPTIONS "+path, s.answering(s.allow))
	}
	return s, nil
}

// ServeHTTP answers providers.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	defer func() {
		if fault := recover(); fault != nil {
			if fault == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel, compared as net/http does
				panic(fault)
			}
			s.o.Log.Error("a handler panicked", zap.Any("fault", fault), zap.ByteString("stack", debug.Stack()))
			problem.Write(w, r, problem.New(http.StatusInternalServerError, "a fault of the receiver; its log says more"))
		}
	}()
	switch _, pattern := s.mux.Handler(r); {
	case pattern != "":
		s.mux.ServeHTTP(w, r)
	case strings.HasPrefix(r.URL.Path, "/ingest/"):
		w.Header().Set("Allow", "POST")
		problem.Write(w, r, problem.New(http.StatusMethodNotAllowed, "webhooks are sent with POST to /ingest/SOURCE"))
	default:
		problem.Write(w, r, problem.New(http.StatusNotFound, "there is nothing at this path; webhooks are sent to /ingest/SOURCE"))
	}
}

// Admin answers operators: probes, and the metrics when there are some. It is no part of what providers may reach.
func (s *Server) Admin(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Healthy.") })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, r *http.Request) {
		if err := s.ready(r.Context()); err != nil {
			problem.Write(w, r, problem.New(http.StatusServiceUnavailable, "not ready: %s", err))
			return
		}
		fmt.Fprintln(w, "Ready.")
	})
	if metrics != nil {
		mux.Handle("GET /metrics", metrics)
	}
	return mux
}

func (s *Server) ready(ctx context.Context) error {
	if s.draining.Load() {
		return errors.New("stopping")
	}
	return s.publisher.ready(ctx)
}

// Serve receives on one listener and answers operators on the other, until the context ends; then it finishes what is under
// way and closes both. Without an admin listener operators are not answered.
func (s *Server) Serve(ctx context.Context, public, admin net.Listener, metrics http.Handler) error {
	errorLog, err := zap.NewStdLogAt(s.o.Log.Named("net"), zap.DebugLevel)
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	l := s.o.Limits
	start := func(h http.Handler, on net.Listener, secure *tls.Config) (*http.Server, <-chan error) {
		server := &http.Server{Handler: h, ErrorLog: errorLog, MaxHeaderBytes: maxHeaderBytes, TLSConfig: secure,
			ReadHeaderTimeout: l.ReadHeader, ReadTimeout: l.Read, WriteTimeout: l.Write, IdleTimeout: l.Idle}
		done := make(chan error, 1)
		go func() {
			if secure != nil {
				done <- server.ServeTLS(on, "", "")
				return
			}
			done <- server.Serve(on)
		}()
		return server, done
	}
	receiver, received := start(s, public, s.o.TLS)
	var operators *http.Server
	var operated <-chan error
	if admin != nil {
		operators, operated = start(s.Admin(metrics), admin, nil)
	}
	var fault error
	select {
	case <-ctx.Done():
	case fault = <-received:
	case fault = <-operated:
	}
	s.draining.Store(true)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.Stop)
	defer cancel()
	shut := func(server *http.Server) {
		if err := server.Shutdown(stop); err != nil {
			fault = errors.Join(fault, fmt.Errorf("requests did not end within %s: %w", l.Stop, err), server.Close())
		}
	}
	shut(receiver)
	if operators != nil {
		shut(operators) // last, so that readiness says no for as long as requests are answered
	}
	if fault != nil {
		return fmt.Errorf("ingest: %w", fault)
	}
	return nil
}
