package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/guard"
	"sendwatch/internal/api/problem"
)

// Meter counts what the server does. It is called from several goroutines.
type Meter interface {
	// Request tells of one answered request. The route is its pattern, never its path.
	Request(route, method string, status int, took time.Duration)
	// StreamOpened tells that the number of open streams changed by n.
	StreamOpened(n int)
}

// Pages are the dashboard. A handler returns its error, as the API's do.
type Pages interface {
	// Routes are the handlers by their ServeMux pattern.
	Routes() map[string]func(http.ResponseWriter, *http.Request) error
	// Problem shows a person what went wrong.
	Problem(w http.ResponseWriter, r *http.Request, p *problem.Problem)
}

// Limits bound how long things may take. Streams and audience checks have rolling deadlines of their own.
type Limits struct {
	ReadHeader, Read, Write, Idle time.Duration
	Request                       time.Duration // for making one answer
	Stop                          time.Duration // for answering what is under way when the service stops
}

// DefaultLimits suit people and dashboards.
func DefaultLimits() Limits {
	return Limits{ReadHeader: 5 * time.Second, Read: 30 * time.Second, Write: 60 * time.Second, Idle: 2 * time.Minute,
		Request: 30 * time.Second, Stop: 10 * time.Second}
}

const maxHeaderBytes = 32 << 10

// Options of a Server. Source, Log and Meter are required.
type Options struct {
	Source  *answer.Source
	Pages   Pages                           // nil = no dashboard
	Metrics http.Handler                    // nil = no /metrics
	Ready   func(ctx context.Context) error // why the service does not do its work; nil = it does
	Reload  func(ctx context.Context) error // nil = no POST /-/reload; the error says what is wrong with the file
	Meter   Meter
	Log     *zap.Logger

	Tokens *guard.Tokens // nil = everybody may ask
	// LocalOnly refuses names in the Host header that could be somebody else's; for a service without tokens on loopback.
	LocalOnly bool
	TLS       *tls.Config // nil = plain HTTP

	Limits     Limits        // zero = DefaultLimits
	StreamTick time.Duration // how often a stream looks for records; zero = 500 ms
	Heartbeat  time.Duration // of streams; zero = 15 s
}

// Server answers HTTP requests. It is an http.Handler; Serve runs it on a listener.
type Server struct {
	o           Options
	source      *answer.Source
	mux         *http.ServeMux
	crossOrigin *http.CrossOriginProtection
	checks      chan struct{} // one token per audience check
	streams     chan struct{} // one token per stream

	draining  atomic.Bool
	closing   chan struct{} // closed when streams have to end
	closeOnce sync.Once
}

// New makes a server. Calls whose reader is nil do not exist.
func New(o Options) *Server {
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	if o.StreamTick <= 0 {
		o.StreamTick = streamTick
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = heartbeat
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	s := &Server{
		o: o, source: o.Source, mux: http.NewServeMux(), crossOrigin: http.NewCrossOriginProtection(),
		checks: make(chan struct{}, maxChecks), streams: make(chan struct{}, maxStreams), closing: make(chan struct{}),
	}
	for _, r := range s.routes() {
		s.mux.Handle(r.pattern, s.guarded(r))
	}
	return s
}

// handler answers a request or returns why not; then it has written nothing, unless the error is errStreamEnded.
type handler func(http.ResponseWriter, *http.Request) error

type route struct {
	pattern string
	handle  handler
	open    bool // needs no token
	long    bool // has deadlines of its own
	page    bool // is for people
}

func (s *Server) routes() []route {
	rs := []route{
		{pattern: "GET /api/v1/rates", handle: s.rates},
		{pattern: "GET /api/v1/counts", handle: s.counts},
		{pattern: "GET /api/v1/alerts", handle: s.alerts},
		{pattern: "GET /api/v1/alerts/{id}", handle: s.alert},
		{pattern: "GET /api/v1/status", handle: s.status},
		{pattern: "GET /openapi.yaml", handle: s.openapi},
		{pattern: "GET /-/healthy", handle: s.healthy, open: true},
		{pattern: "GET /-/ready", handle: s.ready, open: true},
	}
	add := func(there bool, r route) {
		if there {
			rs = append(rs, r)
		}
	}
	add(s.source.Log != nil, route{pattern: "GET /api/v1/alerts/stream", handle: s.stream, long: true})
	add(s.source.Engagement != nil, route{pattern: "GET /api/v1/engagement", handle: s.engagement})
	add(s.source.Engagement != nil, route{pattern: "POST /api/v1/recipients/lookup", handle: s.lookUp})
	add(s.source.Recipients != nil, route{pattern: "POST /api/v1/audience/check", handle: s.checkAudience, long: true})
	add(s.source.Readers.IPs != nil, route{pattern: "GET /api/v1/ips", handle: s.ips})
	add(s.source.Readers.IPs != nil, route{pattern: "GET /api/v1/ips/{ip}", handle: s.ips})
	add(s.o.Reload != nil, route{pattern: "POST /-/reload", handle: s.reload})
	if s.o.Metrics != nil {
		rs = append(rs, route{pattern: "GET /metrics", handle: func(w http.ResponseWriter, r *http.Request) error {
			s.o.Metrics.ServeHTTP(w, r)
			return nil
		}})
	}
	if s.o.Pages != nil {
		for pattern, handle := range s.o.Pages.Routes() {
			rs = append(rs, route{pattern: pattern, handle: handle, page: true})
		}
	}
	return rs
}

// Serve answers on the listener until the context ends, then finishes what is under way and closes it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	errorLog, err := zap.NewStdLogAt(s.o.Log.Named("net"), zap.DebugLevel)
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	h := &http.Server{
		Handler: s, ErrorLog: errorLog, MaxHeaderBytes: maxHeaderBytes, TLSConfig: s.o.TLS,
		ReadHeaderTimeout: s.o.Limits.ReadHeader, ReadTimeout: s.o.Limits.Read, WriteTimeout: s.o.Limits.Write, IdleTimeout: s.o.Limits.Idle,
	}
	done := make(chan error, 1)
	go func() {
		if s.o.TLS != nil {
			done <- h.ServeTLS(l, "", "")
			return
		}
		done <- h.Serve(l)
	}()
	select {
	case err := <-done:
		return fmt.Errorf("http: %w", err)
	case <-ctx.Done():
	}
	s.Drain()
	s.closeOnce.Do(func() { close(s.closing) })
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Limits.Stop)
	defer cancel()
	err = h.Shutdown(stop)
	if err != nil {
		err = errors.Join(fmt.Errorf("http: requests did not end within %s: %w", s.o.Limits.Stop, err), h.Close())
	}
	<-done
	return err
}

// Drain makes /-/ready say no, so that nobody is sent here any more. Requests are still answered.
func (s *Server) Drain() { s.draining.Store(true) }

func (s *Server) stopping() bool { return s.draining.Load() }
