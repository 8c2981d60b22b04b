package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/apitest"
)

// served runs a server on a real listener until the test ends.
func served(t *testing.T, b *apitest.Book, change ...func(*Options)) (base string, h *harness, stop func()) {
	t.Helper()
	h = newHarness(t, b, append([]func(*Options){func(o *Options) { o.StreamTick, o.Heartbeat = time.Millisecond, 5*time.Millisecond }}, change...)...)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.server.Serve(ctx, l) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stopping: %v", err)
		}
	}
	t.Cleanup(func() {
		stop()
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + l.Addr().String(), h, stop
}

// client follows the stream.
type client struct {
	t    *testing.T
	body *bufio.Scanner
	end  func()
	beat int
}

func follow(t *testing.T, base, lastID string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/api/v1/alerts/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %v", response.StatusCode, response.Header)
	}
	c := &client{t: t, body: bufio.NewScanner(response.Body), end: func() { cancel(); _ = response.Body.Close() }}
	c.body.Buffer(nil, 1<<20)
	t.Cleanup(c.end)
	return c
}

// event waits for the next event and returns its id; "" at the end of the stream.
func (c *client) event() string {
	id := ""
	for c.body.Scan() {
		switch line := c.body.Text(); {
		case line == "" && id != "":
			return id
		case strings.HasPrefix(line, ":"):
			c.beat++
		case strings.HasPrefix(line, "id: "):
			id = strings.TrimPrefix(line, "id: ")
		case strings.HasPrefix(line, "data: "):
			r, err := alerts.Decode([]byte(strings.TrimPrefix(line, "data: ")))
			if err != nil || r.Token() != id {
				c.t.Errorf("event %s carries %s, %v", id, r.Token(), err)
			}
		}
	}
	return ""
}

// untilOpen waits for the stream's first comment: from then on nothing is missed.
func (c *client) untilOpen() {
	for c.body.Scan() {
		if strings.HasPrefix(c.body.Text(), ":") {
			return
		}
	}
	c.t.Fatal("the stream ended")
}

func record(episode string, seq int64) alerts.Record {
	return alerts.Record{ID: episode, Seq: seq, Change: alerts.Fired, Policy: "p", SubjectKey: "all"}
}

func TestStreamGivesEveryRecordInOrder(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	book.Append(record("old", 1))
	base, h, _ := served(t, book)
	c := follow(t, base, "")
	c.untilOpen()
	for i := range 250 {
		book.Append(record(fmt.Sprint("e", i/2), int64(i%2+1)))
	}
	for i := range 250 {
		if got, want := c.event(), fmt.Sprintf("e%d/%d", i/2, i%2+1); got != want {
			t.Fatalf("event %q, want %q", got, want)
		}
	}
	c.end()
	eventually(t, "the stream is counted as closed", func() bool {
		h.meter.mu.Lock()
		defer h.meter.mu.Unlock()
		return h.meter.streams == 0
	})
}

func TestStreamResumes(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	for i := range 130 {
		book.Append(record(fmt.Sprint("a/", i), 1)) // an id may hold a slash
	}
	base, _, stop := served(t, book)
	c := follow(t, base, "a/99/1")
	for i := 100; i < 130; i++ {
		if got, want := c.event(), fmt.Sprintf("a/%d/1", i); got != want {
			t.Fatalf("event %q, want %q", got, want)
		}
	}
	c.end()
	book.Append(record("b", 1)) // while nobody listens
	c = follow(t, base, "a/129/1")
	if got := c.event(); got != "b/1" {
		t.Errorf("event %q, want b/1", got)
	}
	c.end()
	// One that is no longer kept: all there is, rather than a hole.
	c = follow(t, base, "forgotten/3")
	if got := c.event(); got != "a/0/1" {
		t.Errorf("event %q, want the oldest", got)
	}
	stop() // ends the stream without waiting for the client
	for c.event() != "" {
	}
}

func TestStreamHeartbeatsAndSurvivesAnAbsentState(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	base, _, _ := served(t, book)
	c := follow(t, base, "")
	c.untilOpen()
	book.Break(fmt.Errorf("redis: %w", answer.ErrUnavailable))
	for beats := 0; beats < 3 && c.body.Scan(); {
		if c.body.Text() == ": heartbeat" {
			beats++
		}
	}
	book.Break(nil)
	book.Append(record("x", 1))
	if got := c.event(); got != "x/1" {
		t.Errorf("event %q, want x/1", got)
	}
	book.Break(errors.New("a fault"))
	if got := c.event(); got != "" {
		t.Errorf("event %q after a fault", got)
	}
}

func TestStreamRefusals(t *testing.T) {
	h := newHarness(t, apitest.NewBook(apitest.StoryTime))
	for _, id := range []string{"x", "/1", "x/", "x/0", "x/-1", "x/y"} {
		p := h.refuse(http.StatusBadRequest, http.MethodGet, "/api/v1/alerts/stream", "", "Last-Event-ID", id)
		if !strings.Contains(p.Detail, "Last-Event-ID") {
			t.Errorf("%q: %q", id, p.Detail)
		}
	}
	for range maxStreams {
		h.server.streams <- struct{}{}
	}
	h.refuse(http.StatusServiceUnavailable, http.MethodGet, "/api/v1/alerts/stream", "")
}

func TestServeStopsWithARequestUnderWay(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	base, _, stop := served(t, apitest.NewBook(apitest.StoryTime), func(o *Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			w.WriteHeader(http.StatusNoContent)
		})
	})
	answered := make(chan int, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/metrics", nil)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- 0
			return
		}
		_ = response.Body.Close()
		answered <- response.StatusCode
	}()
	<-entered
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(release)
	if got := <-answered; got != http.StatusNoContent {
		t.Errorf("the request under way got %d", got)
	}
	<-stopped
}

func TestAudienceWaitsForItsTurn(t *testing.T) {
	base, h, _ := served(t, theStory())
	reader, writer := net.Pipe()
	first := make(chan int, 1)
	post := func(body interface{ Read([]byte) (int, error) }, out chan int) {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v1/audience/check?tenant=acme", body)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			out <- 0
			return
		}
		_ = response.Body.Close()
		out <- response.StatusCode
	}
	go post(reader, first)
	_, _ = writer.Write([]byte("a@b.c\n"))
	eventually(t, "the first check runs", func() bool { return len(h.server.checks) == 1 })
	second := make(chan int, 1)
	go post(strings.NewReader("a@b.c\n"), second)
	_ = writer.Close()
	if a, b := <-first, <-second; a != http.StatusOK || b != http.StatusOK {
		t.Errorf("answers %d and %d", a, b)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}
