package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

// TestReload: SIGHUP and POST /-/reload take a good file whole and leave a bad one unused.
func TestReload(t *testing.T) {
	w := sharedWorld(t, "")
	testparts.CreateTopic(t, w.brokers, w.topic(), 2)
	m := w.process("monitor")
	w.eventually(20*time.Second, "ready", func() string { return ready(m) })
	w.produce(w.topic(), kafka.Record{Value: delivery(1)})
	w.counted(m, 20*time.Second, 1)
	if got := w.policies(m); got != "dynamics-365" {
		t.Fatalf("policies %s", got)
	}

	w.write(m, w.config()+"policies: [dynamics-365, strict]\n")
	if err := m.Hangup(); err != nil {
		t.Fatal(err)
	}
	w.eventually(20*time.Second, "the policy of the new file", func() string {
		if got := w.policies(m); got != "dynamics-365 strict" {
			return got
		}
		return ready(m)
	})

	w.write(m, w.config()+"policies: [strict]\nalerts: {evaluate_evry: 1s}\n")
	status, body, err := ask(m, http.MethodPost, "/-/reload", "")
	if err != nil || status != http.StatusUnprocessableEntity || !strings.Contains(string(body), "evaluate_evry") {
		t.Errorf("a bad file: %d %s %v", status, body, err)
	}
	if err := m.Hangup(); err != nil {
		t.Fatal(err)
	}
	w.eventually(10*time.Second, "the log says so", func() string {
		if !strings.Contains(m.Log(), "the configuration was not taken") {
			return "not yet"
		}
		return ""
	})
	if got := w.policies(m); got != "dynamics-365 strict" {
		t.Errorf("policies %s after a bad file", got)
	}

	w.write(m, strings.Replace(w.config(), "shards: 1", "shards: 2", 1))
	if status, body, err = ask(m, http.MethodPost, "/-/reload", ""); err != nil || status != http.StatusUnprocessableEntity {
		t.Errorf("another number of shards: %d %s %v", status, body, err)
	}
	w.write(m, w.config()+"policies: [strict]\n")
	if status, body, err = ask(m, http.MethodPost, "/-/reload", ""); err != nil || status != http.StatusOK {
		t.Errorf("a good file: %d %s %v", status, body, err)
	}
	w.eventually(20*time.Second, "the policy of the last file", func() string {
		if got := w.policies(m); got != "strict" {
			return got
		}
		return ready(m)
	})
	w.produce(w.topic(), kafka.Record{Value: delivery(2)})
	w.counted(m, 20*time.Second, 2)
}

func (w *world) write(m *testparts.Monitor, config string) {
	w.t.Helper()
	if err := os.WriteFile(m.Config, []byte(config), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// policies are the names of those that limit the bounce rate of everything over a day.
func (w *world) policies(m *testparts.Monitor) string {
	w.t.Helper()
	var rates struct {
		Rates []struct{ Policy string }
	}
	if err := get(m, "/api/v1/rates?subject=all&rate=bounce&window=24h", &rates); err != nil {
		return err.Error()
	}
	var names []string
	for _, r := range rates.Rates {
		names = append(names, r.Policy)
	}
	return strings.Join(names, " ")
}

func delivery(n int) []byte {
	return fmt.Appendf(nil, `{"type":"delivery","time":%q,"id":"%d","recipient":"r%d@example.com","tenant":"acme"}`, time.Now().UTC().Format(time.RFC3339), n, n)
}

// TestGracefulStop: a process that is told to stop applies what it holds, commits, leaves the group and gives its lease back, so
// that another one goes on at once and not after the session and lease time-outs.
func TestGracefulStop(t *testing.T) {
	w := sharedWorld(t, "")
	w.session = "30s"
	testparts.CreateTopic(t, w.brokers, w.topic(), 4)
	first := w.process("first")
	w.eventually(20*time.Second, "ready", func() string { return ready(first) })
	second := w.process("second")
	w.eventually(20*time.Second, "ready", func() string { return ready(second) })
	for i := range 400 {
		w.produce(w.topic(), kafka.Record{Key: fmt.Append(nil, i), Value: delivery(i)})
	}
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range 400 {
		w.produce(w.topic(), kafka.Record{Key: fmt.Append(nil, i), Value: delivery(400 + i)})
	}
	w.counted(second, 20*time.Second, 800)
	w.eventually(20*time.Second, "the second evaluates", func() string {
		status, body, err := ask(second, http.MethodGet, "/metrics", "")
		if err != nil || status != http.StatusOK {
			return fmt.Sprint(status, err)
		}
		if !strings.Contains(second.Log(), "alert evaluation taken") {
			return fmt.Sprintf("no lease; %d bytes of metrics", len(body))
		}
		return ""
	})
	t.Logf("the other process had everything %s after the stop", time.Since(began).Round(time.Millisecond))
	if text := first.Log(); strings.Contains(text, `"level":"error"`) || strings.Contains(text, "panic") {
		t.Errorf("a stop in good order, with errors:\n%s", text)
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	group, err := w.committed(4)
	if err != nil {
		t.Fatal(err)
	}
	if group != 800 {
		t.Errorf("%d records committed in all, 800 expected", group)
	}
}

// TestPartsAway: Kafka and Redis absent at the start, and going away later. The service lives, says that it is not ready and why,
// is stale, and goes on by itself once they are back.
func TestPartsAway(t *testing.T) {
	builtBinary(t)
	broker, err := testparts.NewKafka(t.TempDir(), testparts.KafkaOptions{})
	skipMissing(t, err)
	server, err := testparts.NewRedis(t.TempDir(), testparts.RedisOptions{AOF: true})
	skipMissing(t, err)
	t.Cleanup(func() { _ = broker.Kill(); _ = server.Kill() })
	w := newWorld(t, broker.Addr, server.Addr, "alerts: {stale_after: 3s}\n")
	m := w.process("monitor")
	w.eventually(20*time.Second, "it waits for Redis", func() string { return w.unready(m, "Redis") })
	check(t, server.Start())
	w.eventually(20*time.Second, "it waits for Kafka", func() string { return w.unready(m, "Kafka") })
	check(t, broker.Start())
	w.eventually(30*time.Second, "it waits for the topic", func() string { return w.unready(m, w.topic()) })
	testparts.CreateTopic(t, w.brokers, w.topic(), 2)
	sent := 0
	send := func() {
		t.Helper()
		for range 100 {
			w.produce(w.topic(), kafka.Record{Key: fmt.Append(nil, sent), Value: delivery(sent)})
			sent++
		}
	}
	send()
	w.counted(m, 30*time.Second, int64(sent))
	w.eventually(20*time.Second, "ready", func() string { return ready(m) })

	for _, part := range []struct {
		name        string
		leave, back func() error
	}{
		{"Kafka", broker.Kill, broker.Start}, {"Redis", server.Kill, server.Start},
		{"Kafka", broker.Nodes[0].Freeze, broker.Nodes[0].Thaw}, {"Redis", server.Nodes[0].Freeze, server.Nodes[0].Thaw},
	} {
		if part.name == "Redis" {
			send()
			w.counted(m, 30*time.Second, int64(sent))
		}
		check(t, part.leave())
		w.eventually(40*time.Second, part.name+" is missed", func() string { return w.unready(m, "") })
		w.eventually(40*time.Second, "stale", func() string {
			var s status
			if err := get(m, "/api/v1/status", &s); err != nil {
				return err.Error()
			}
			if !s.Stale {
				return "not stale"
			}
			return ""
		})
		if status, _, err := ask(m, http.MethodGet, "/-/healthy", ""); err != nil || status != http.StatusOK {
			t.Errorf("healthy without %s: %d %v", part.name, status, err)
		}
		check(t, part.back())
		began := time.Now()
		send()
		w.counted(m, 40*time.Second, int64(sent))
		w.eventually(20*time.Second, "ready again", func() string { return ready(m) })
		t.Logf("%s back: all counted and ready after %s", part.name, time.Since(began).Round(time.Millisecond))
	}
	select {
	case <-m.Gone():
		t.Error("the process has ended")
	default:
	}
}

// unready tells whether the process says that it is not ready and names what it waits for: "" then.
func (w *world) unready(m *testparts.Monitor, what string) string {
	status, body, err := ask(m, http.MethodGet, "/-/ready", "")
	if err != nil {
		return err.Error()
	}
	if status != http.StatusServiceUnavailable || !strings.Contains(string(body), what) {
		return fmt.Sprintf("%d %s", status, body)
	}
	return ""
}

// TestRefused: what waiting does not cure ends the process with clear words.
func TestRefused(t *testing.T) {
	builtBinary(t)
	broker := testparts.SharedKafka(t)
	t.Run("evicting", func(t *testing.T) {
		server := testparts.Redis(t, testparts.RedisOptions{Config: []string{"maxmemory-policy allkeys-lru"}})
		w := newWorld(t, broker.Addr, server.Addr, "")
		w.refuses("maxmemory-policy", "allkeys-lru", "noeviction")
	})
	t.Run("wrong type", func(t *testing.T) {
		w := newWorld(t, broker.Addr, testparts.SharedRedis(t).Addr, "")
		host, port, _ := strings.Cut(w.redis, ":")
		key := w.name + ":{s00}:pos"
		if out, err := exec.Command("redis-cli", "-h", host, "-p", port, "set", key, "mine").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		w.refuses(key, "a string", "a hash")
	})
	t.Run("other shards", func(t *testing.T) {
		w := newWorld(t, broker.Addr, testparts.SharedRedis(t).Addr, "")
		w.state(4)
		w.refuses("redis.shards", "found 1", "expected 4")
	})
	t.Run("address in use", func(t *testing.T) {
		w := newWorld(t, broker.Addr, testparts.SharedRedis(t).Addr, "")
		m := w.process("first")
		w.listen = strings.TrimPrefix(m.URL(), "http://")
		w.refuses("http.listen", "in use")
	})
}

// refuses runs the service and expects it to end by itself, failed, with these words.
func (w *world) refuses(words ...string) {
	w.t.Helper()
	file := w.dir + "/refused.yaml"
	if err := os.WriteFile(file, []byte(w.config()), 0o600); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, builtBinary(w.t), "run", "--config", file).CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 1 {
		w.t.Errorf("ended with %v, exit status 1 expected", err)
	}
	for _, word := range words {
		if !strings.Contains(string(out), word) {
			w.t.Errorf("%q is not in\n%s", word, out)
		}
	}
}

func skipMissing(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, testparts.ErrMissing) && os.Getenv(testparts.RequireEnv) != "1" {
		t.Skip(err)
	}
	check(t, err)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
