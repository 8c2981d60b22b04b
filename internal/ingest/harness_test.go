package ingest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/ingest/verify"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

const secret = "a-secret-of-good-length"

func now() time.Time { return time.Date(2026, 3, 2, 8, 15, 4, 0, time.UTC) }

// written is a Producer that keeps what it is given, or fails as it is told.
type written struct {
	mu      sync.Mutex
	records []kafka.Record
	calls   int
	fail    func(call int) error
	topics  []kafka.Topic
}

func newWritten() *written {
	return &written{topics: []kafka.Topic{{Name: "mail.events", Partitions: []kafka.Partition{{Leader: "a:1"}}}}}
}

func (w *written) Produce(_ context.Context, _ string, records ...kafka.Record) ([]kafka.Position, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls++
	if w.fail != nil {
		if err := w.fail(w.calls); err != nil {
			return nil, err
		}
	}
	for _, r := range records {
		r.Value = slices.Clone(r.Value)
		w.records = append(w.records, r)
	}
	return make([]kafka.Position, len(records)), nil
}

func (w *written) Topics(context.Context, ...string) ([]kafka.Topic, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.topics, nil
}

func (w *written) take() []kafka.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.records
	w.records = nil
	return out
}

// options are those of a server with one source of each kind that a test names.
func options(t *testing.T, p Producer, sources ...Source) Options {
	limits := DefaultLimits()
	limits.Pause, limits.Wait, limits.Publish = 5*time.Millisecond, 200*time.Millisecond, time.Second
	return Options{Topic: "mail.events", Producer: p, Log: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)), Sources: sources, Limits: limits, Now: now,
		Fetch: nil}
}

func open(name, format string) Source {
	return Source{Name: name, Format: format, Verify: verify.Options{Kind: verify.None}}
}

func server(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// post sends a body and returns the answer.
func post(t *testing.T, h http.Handler, path string, header http.Header, body []byte) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// read decodes records as the service does, one after the other.
func read(t *testing.T, format string, records []kafka.Record) []string {
	t.Helper()
	d, err := provider.NewDecoder(format, provider.Options{MaxBytes: 1 << 20}) // the clock is a test's own
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range records {
		result := d.Decode(r.Value, now())
		for i := range result.Events {
			lines = append(lines, string(event.AppendJSON(nil, &result.Events[i])))
		}
		if result.Rejected != nil {
			lines = append(lines, "rejected: "+string(result.Rejected.Reason))
		}
	}
	return lines
}

// network is the way to Kafka, which can be cut.
type network struct {
	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (n *network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		n.conns = append(n.conns, conn)
	}
	return conn, err
}

func (n *network) set(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = cut
	if cut {
		for _, c := range n.conns {
			c.Close()
		}
		n.conns = nil
	}
}

// kafkaWith starts an in-process Kafka with a topic, and a client that reaches it over a network that can be cut.
func kafkaWith(t *testing.T, topic string, partitions int32) (*kafka.Client, *network, string) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	n := &network{}
	c, err := kafka.New(kafka.Options{Brokers: cluster.ListenAddrs(), Dial: n.dial, DialTimeout: time.Second, RequestTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, n, strings.Join(cluster.ListenAddrs(), ",")
}

// everything reads a topic from its beginning until the test has seen enough.
func everything(t *testing.T, addr, topic string, enough func(*kgo.Record) bool) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(addr, ",")...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for n := 0; ; {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Errorf("%d records are not all that was acknowledged", n)
			return
		}
		for _, r := range fetches.Records() {
			n++
			if enough(r) {
				return
			}
		}
	}
}

// serve runs a server on loopback and returns its address and a way to stop it and see how it ended.
func serve(t *testing.T, s *Server) (public, admin string, stop func() error) {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's own listener
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	p, a := listen(), listen()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, p, a, nil) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return "http://" + p.Addr().String(), "http://" + a.Addr().String(), stop
}

// nowhere is a Producer that keeps nothing.
type nowhere struct{ *written }

func (nowhere) Produce(_ context.Context, _ string, records ...kafka.Record) ([]kafka.Position, error) {
	return make([]kafka.Position, len(records)), nil
}

// client makes requests over the network, without keeping connections.
func client(t *testing.T) *http.Client {
	tr := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func status(t *testing.T, c *http.Client, method, url string, body io.Reader) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(r)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
