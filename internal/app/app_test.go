package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"sendwatch/internal/config"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows/redisstore"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

// service is one that runs on a Kafka and a Redis in this process.
type service struct {
	t     *testing.T
	kafka string
	redis *miniredis.Miniredis
	url   string
	level zap.AtomicLevel
	logs  *observer.ObservedLogs

	mu   sync.Mutex
	next *config.Config // that a reload reads; nil = it is wrong
}

// start runs a service whose input topic is there and whose alert topic is not.
func start(t *testing.T) *service {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	s := &service{t: t, kafka: cluster.ListenAddrs()[0], redis: miniredis.RunT(t), level: zap.NewAtomicLevelAt(zap.InfoLevel)}
	testparts.CreateTopic(t, s.kafka, "mail.events", 1)
	core, logs := observer.New(s.level)
	s.logs = logs
	ctx, cancel := context.WithCancel(context.Background())
	started, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Config: s.config(), Log: zap.New(core), Level: &s.level, Reload: s.reload,
			Started: func(address string) { started <- address }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s.url = "http://" + <-started
	return s
}

func (s *service) config() *config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Kafka.CreateTopics, c.Kafka.DeadLetterTopic = []string{s.kafka}, false, ""
	c.Redis.Addresses, c.HTTP.Listen, c.Alerts.EvaluateEvery = []string{s.redis.Addr()}, "127.0.0.1:0", 50*time.Millisecond
	return c
}

func (s *service) reload() (*config.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == nil {
		return nil, errors.New("monitor.yaml:3: found nonsense")
	}
	return s.next, nil
}

// ask returns the status and the body of an answer.
func (s *service) ask(method, path string) (int, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// ready waits for a status of /-/ready with such a text in it, and sees that the process is healthy all along.
func (s *service) ready(status int, text string) string {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if status, body := s.ask(http.MethodGet, "/-/healthy"); status != http.StatusOK {
			s.t.Fatalf("not healthy: %d %s", status, body)
		}
		have, body := s.ask(http.MethodGet, "/-/ready")
		if have == status && strings.Contains(body, text) {
			return body
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("ready is %d %s; %d with %q is expected", have, body, status, text)
		}
	}
}

// take reloads a configuration and returns the answer's status.
func (s *service) take(c *config.Config) int {
	s.t.Helper()
	s.mu.Lock()
	s.next = c
	s.mu.Unlock()
	status, _ := s.ask(http.MethodPost, "/-/reload")
	return status
}

// TestReadyMeansThatAllWorkIsDone: reading alone is half of it.
func TestReadyMeansThatAllWorkIsDone(t *testing.T) {
	s := start(t)
	s.ready(http.StatusServiceUnavailable, "alert evaluation: alert topic")
	testparts.CreateTopic(t, s.kafka, "mail.alerts", 1)
	s.ready(http.StatusOK, "Ready")
	s.redis.Close()
	s.ready(http.StatusServiceUnavailable, "Redis does not answer")
	if err := s.redis.Restart(); err != nil {
		t.Fatal(err)
	}
	s.ready(http.StatusOK, "Ready")
}

func TestAReloadIsTakenWholeOrNotAtAll(t *testing.T) {
	s := start(t)
	testparts.CreateTopic(t, s.kafka, "mail.alerts", 1)
	s.ready(http.StatusOK, "Ready")
	if status := s.take(nil); status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong file: %d", status)
	}
	shards := s.config()
	shards.Redis.Shards, shards.Log.Level = 4, "debug"
	if status := s.take(shards); status != http.StatusUnprocessableEntity {
		t.Errorf("another number of shards: %d", status)
	}
	if s.level.Level() != zap.InfoLevel {
		t.Errorf("%s, although nothing was taken", s.level)
	}
	louder := s.config()
	louder.Log.Level, louder.HTTP.Listen = "debug", "127.0.0.1:0"
	if status := s.take(louder); status != http.StatusOK || s.level.Level() != zap.DebugLevel {
		t.Errorf("%d, logs from %s on", status, s.level)
	}
	for deadline := time.Now().Add(30 * time.Second); s.logs.FilterMessage("partitions assigned").Len() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not work under the new configuration")
		}
	}
	s.ready(http.StatusOK, "Ready")
	// One that cannot work: another state, made with more shards.
	client, err := redisstore.Connect(redisstore.Connection{Addresses: []string{s.redis.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	o, err := StoreOptions(shards)
	if err != nil {
		t.Fatal(err)
	}
	o.Prefix = "other"
	if _, err := redisstore.Open(t.Context(), client, o); err != nil {
		t.Fatal(err)
	}
	broken := s.config()
	broken.Redis.Prefix, broken.Log.Level = "other", "error"
	if status := s.take(broken); status != http.StatusOK {
		t.Errorf("%d", status)
	}
	for deadline := time.Now().Add(30 * time.Second); s.level.Level() != zap.DebugLevel; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the configuration before is not in force again, it logs from %s on", s.level)
		}
	}
	s.ready(http.StatusOK, "Ready")
	if n := s.logs.FilterMessageSnippet("the one before is in force again").Len(); n != 1 {
		t.Errorf("told %d times", n)
	}
}
