// Package e2e tests the built binary against a real Kafka and a real Redis, from outside: topics, HTTP, signals, exit codes.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
	"sendwatch/internal/windows/redisstore"
)

func TestMain(m *testing.M) {
	code := testparts.Main(m)
	if binary.dir != "" {
		os.RemoveAll(binary.dir)
	}
	os.Exit(code)
}

// binary is built once for all tests.
var binary struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func builtBinary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("end to end: real parts")
	}
	binary.once.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "sendwatch-e2e-"); binary.err == nil {
			binary.path, binary.err = testparts.BuildMonitor(binary.dir)
		}
	})
	if binary.err != nil {
		t.Fatal(binary.err)
	}
	return binary.path
}

// world is one test's topics and state, and the processes that work on them.
type world struct {
	t        *testing.T
	dir      string
	brokers  string
	redis    string
	name     string // of topics, group and prefix
	shards   int
	session  string // kafka.session_timeout
	listen   string
	horizon  time.Duration
	settings string // more configuration
	client   *kafka.Client
}

func newWorld(t *testing.T, brokers, redis, settings string) *world {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name()))
	w := &world{t: t, dir: t.TempDir(), brokers: brokers, redis: redis, name: name, shards: 1, session: "2s", listen: "127.0.0.1:0",
		horizon: 48 * time.Hour, settings: settings}
	w.fresh()
	return w
}

// fresh gives the test a client that knows nothing of the topics that there were.
func (w *world) fresh() {
	w.t.Helper()
	client, err := kafka.New(kafka.Options{Brokers: strings.Split(w.brokers, ",")})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	w.client = client
}

// sharedWorld is one on the parts that all tests share.
func sharedWorld(t *testing.T, settings string) *world {
	t.Helper()
	builtBinary(t)
	return newWorld(t, testparts.SharedKafka(t).Addr, testparts.SharedRedis(t).Addr, settings)
}

func (w *world) topic() string       { return w.name + ".events" }
func (w *world) alerts() string      { return w.name + ".alerts" }
func (w *world) deadLetters() string { return w.name + ".rejected" }

// config is the configuration file's text.
func (w *world) config() string {
	return fmt.Sprintf(`kafka: {brokers: [%s], topics: [%s], group: %s, alerts_topic: %s, dead_letter_topic: %s, session_timeout: %s}
redis: {addresses: [%s], prefix: %s, shards: %d}
http: {listen: "%s"}
`, w.brokers, w.topic(), w.name, w.alerts(), w.deadLetters(), w.session, w.redis, w.name, w.shards, w.listen) + w.settings
}

// process starts a monitor that ends with the test.
func (w *world) process(name string) *testparts.Monitor {
	w.t.Helper()
	m := w.newProcess(name)
	if err := m.Start(); err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) newProcess(name string) *testparts.Monitor {
	w.t.Helper()
	m, err := testparts.NewMonitor(builtBinary(w.t), w.dir, name, w.config())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := m.Kill(); err != nil {
			w.t.Error(err)
		}
		if w.t.Failed() {
			text := m.Log()
			w.t.Logf("%s:\n%s", name, text[max(0, len(text)-8000):])
		}
	})
	return m
}

// produce writes records and fails the test when it cannot. The first ones of a new topic may have to be tried twice: a broker
// takes a moment to know that it leads.
func (w *world) produce(topic string, records ...kafka.Record) (at []kafka.Position) {
	w.t.Helper()
	w.eventually(20*time.Second, "records written", func() string {
		var err error
		if at, err = w.client.Produce(context.Background(), topic, records...); err != nil {
			return err.Error()
		}
		return ""
	})
	return at
}

// eventually waits until the condition holds; it answers "" then, and else what is missing.
func (w *world) eventually(within time.Duration, what string, missing func() string) {
	w.t.Helper()
	deadline := time.Now().Add(within)
	for {
		why := missing()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: not within %s: %s", what, within, why)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// get asks a process and decodes the answer; the error tells of another status than 200.
func get(m *testparts.Monitor, path string, into any) error {
	status, body, err := ask(m, http.MethodGet, path, "")
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return fmt.Errorf("%s: %d %s", path, status, body)
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

func ask(m *testparts.Monitor, method, path, body string) (int, []byte, error) {
	url := m.URL()
	if url == "" {
		return 0, nil, errors.New("not answering yet")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, bytes.TrimSpace(text), err
}

// ready asks /-/ready: "" when it is, else what it says.
func ready(m *testparts.Monitor) string {
	status, body, err := ask(m, http.MethodGet, "/-/ready", "")
	switch {
	case err != nil:
		return err.Error()
	case status != http.StatusOK:
		return fmt.Sprintf("%d %s", status, body)
	}
	return ""
}

// status is what tests read of GET /api/v1/status.
type status struct {
	Stale      bool
	Partitions []struct {
		Topic         string
		Partition     int
		NextOffset    int64 `json:"next_offset"`
		HighWatermark int64 `json:"high_watermark"`
		Lag           int64
	}
	Events struct {
		Read, Counted, Duplicate, Late, Ignored, Lost int64
		Rejected                                      map[string]int64
	}
}

// counted waits until a process says that so many events have been read.
func (w *world) counted(m *testparts.Monitor, within time.Duration, read int64) status {
	w.t.Helper()
	var s status
	w.eventually(within, fmt.Sprintf("%d events read", read), func() string {
		s = status{}
		if err := get(m, "/api/v1/status", &s); err != nil {
			return err.Error()
		}
		if s.Events.Read != read {
			return fmt.Sprintf("%+v", s.Events)
		}
		return ""
	})
	return s
}

// state opens the state as the service does with its default settings.
func (w *world) state(shards int) *redisstore.Store {
	w.t.Helper()
	client, err := redisstore.Connect(redisstore.Connection{Addresses: strings.Split(w.redis, ",")})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { client.Close() })
	rules := engagement.DefaultRules()
	s, err := redisstore.Open(w.t.Context(), client, redisstore.Options{Prefix: w.name, Shards: shards, Combinations: windows.DefaultCombinations(),
		Retention: windows.DefaultRetention(400), Late: 400 * 24 * time.Hour, Horizon: w.horizon, Providers: providers(), Engagement: &rules})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func providers() *windows.Providers {
	return windows.NewProviders(nil, []string{"outlook", "yahoo", "other"})
}

// oracleOptions are those of the service's default settings, but for the horizon.
func (w *world) oracleOptions() memstore.Options {
	rules := engagement.DefaultRules()
	return memstore.Options{Combinations: windows.DefaultCombinations(), Retention: windows.DefaultRetention(400), Late: 400 * 24 * time.Hour,
		Horizon: w.horizon, Providers: providers(), Engagement: &rules}
}

// records reads a topic to its end, all partitions.
func (w *world) records(topic string, partitions int) []record {
	w.t.Helper()
	all, err := readTopic(w.t.Context(), w.brokers, topic, partitions)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}
