package e2e

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

// TestNoAddressInTheClear sends events with addresses that stand out, good and bad ones, asks every call, with mistakes too, erases and
// crashes, all of it logged in full, and looks for the addresses everywhere that something is kept or written: Redis' keys and
// values, logs and crash output, answers, metrics, the alert topic, what commands print. They may be in the dead letters alone.
func TestNoAddressInTheClear(t *testing.T) {
	builtBinary(t)
	w := newWorld(t, testparts.SharedKafka(t).Addr, testparts.Redis(t, testparts.RedisOptions{}).Addr, "log: {level: debug}\nwindows: [{name: 1h, length: 1h, step: 1m}]\n")
	testparts.CreateTopic(t, w.brokers, w.topic(), 2)
	m := w.process("monitor")
	s := newSecrets(1200)
	bad := w.produceSecrets(s)
	w.counted(m, 60*time.Second, int64(len(s.all)+100+bad))
	w.eventually(30*time.Second, "an alert", func() string {
		if len(w.records(w.alerts(), 1)) == 0 {
			return "none yet"
		}
		return ""
	})
	letters := w.records(w.deadLetters(), 1)
	if len(letters) != bad {
		t.Errorf("%d dead letters, %d expected", len(letters), bad)
	}
	inLetters := false
	for _, r := range letters {
		inLetters = inLetters || len(s.in(r.value)) > 0
		s.none(t, "a dead letter's headers and key", fmt.Append(nil, r.headers, r.key))
	}
	if !inLetters {
		t.Error("no address is found in the dead letters: this test sees nothing")
	}
	for _, r := range w.records(w.alerts(), 1) {
		s.none(t, "an alert", fmt.Appendf(nil, "%s %s %v", r.key, r.value, r.headers))
	}
	s.askEverything(t, m)
	w.eventually(30*time.Second, "ready after the reload", func() string { return ready(m) })
	w.scanRedis(s)
	s.commands(t, m, w.dir)
	w.scanRedis(s)
	s.none(t, "the log", []byte(m.Log()))

	// Crash while a list is being read.
	hold, list := io.Pipe()
	defer list.Close()
	go func() {
		res, err := http.Post(m.URL()+"/api/v1/audience/check?tenant=acme&lines=true", "text/plain", hold)
		if err == nil {
			res.Body.Close()
		}
	}()
	if _, err := io.WriteString(list, strings.Join(s.all, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	check(t, syscall.Kill(m.PID(), syscall.SIGQUIT))
	select {
	case <-m.Gone():
	case <-time.After(20 * time.Second):
		t.Fatal("not ended by SIGQUIT")
	}
	crash := m.Log()
	if !strings.Contains(crash, "goroutine ") {
		t.Fatalf("no stacks in the crash output:\n%.2000s", crash)
	}
	s.none(t, "crash output", []byte(crash))
}

// produceSecrets writes events with the addresses, and 100 healthy ones more; it returns how many are rejected.
func (w *world) produceSecrets(s *secrets) (bad int) {
	now := time.Now().UTC().Format(time.RFC3339Nano)
	var records []kafka.Record
	for i, address := range s.all {
		more := [...]string{`"type":"delivery"`, `"type":"bounce","bounce":{"class":"hard","code":"5.1.1"}`, `"type":"open"`, `"type":"complaint"`, `"type":"unsubscribe"`,
			`"type":"send"`}[i%6]
		records = append(records, kafka.Record{Key: []byte(address), Value: fmt.Appendf(nil, `{%s,"time":%q,"id":"e%d","message_id":"m%d","recipient":%q,"tenant":"acme","ip":"203.0.113.9","campaign":"c"}`,
			more, now, i, i, address)})
	}
	for i := range 100 {
		records = append(records, kafka.Record{Value: fmt.Appendf(nil, `{"type":"delivery","time":%q,"recipient":"%s","id":"more%d","tenant":"acme","ip":"203.0.113.9"}`, now, strings.ToUpper(s.all[i]), i)})
	}
	a := s.all[0]
	for _, text := range []string{
		a, `"` + a + `"`, `{"type":"delivery","recipient":"` + a + `"}`, `{"type":"` + a + `","time":"` + now + `"}`,
		`{"type":"delivery","time":"` + a + `","recipient":"` + a + `"}`, `{"type":"delivery","time":"` + now + `","recipient":"` + a + `","provider":"` + strings.Repeat(a, 9) + `"}`,
		`{"type":"delivery","time":"` + now + `","recipient":"` + a + `"}` + a, `{"notificationType":"Bounce","mail":{"destination":["` + a + `"]},"bounce":"` + a + `"}`,
		`[{"email":"` + a + `","event":"bounce","timestamp":"` + a + `"}]`, `{"` + a + `":1}`,
	} {
		records = append(records, kafka.Record{Key: []byte(a), Value: []byte(text)})
		bad++
	}
	w.produce(w.topic(), records...)
	return bad
}

// secrets are addresses that stand out, and what may not be found of them.
type secrets struct {
	all     []string
	needles [][]byte
}

func newSecrets(n int) *secrets {
	s := &secrets{}
	for i := range n {
		s.all = append(s.all, fmt.Sprintf("wanda.%04d.zyx@hush-%d.example", i, i%5))
	}
	add := func(texts ...string) {
		for _, text := range texts {
			s.needles = append(s.needles, []byte(strings.ToLower(text)))
		}
	}
	// What every one of them has, as it is and however it stands in base64; names and domains have nothing to percent-encode.
	for _, part := range []string{"wanda.", ".zyx@", ".zyx%40", "hush-"} {
		add(part, hex.EncodeToString([]byte(part)))
	}
	for _, a := range s.all[:50] {
		for shift := range 3 {
			whole := base64.StdEncoding.EncodeToString([]byte("xxx"[:shift] + a))
			add(whole[4 : len(whole)-4])
		}
		for _, sum := range [][]byte{sum(md5.Sum([]byte(a))), sum20(sha1.Sum([]byte(a))), sum32(sha256.Sum256([]byte(a)))} { // hashes without a key
			s.needles = append(s.needles, sum[:7], []byte(hex.EncodeToString(sum[:8])))
		}
	}
	return s
}

func sum(b [16]byte) []byte   { return b[:] }
func sum20(b [20]byte) []byte { return b[:] }
func sum32(b [32]byte) []byte { return b[:] }

// in lists what of the addresses stands in a text.
func (s *secrets) in(text []byte) (found []string) {
	lower := bytes.ToLower(text)
	for _, n := range s.needles {
		if bytes.Contains(lower, n) || bytes.Contains(text, n) {
			found = append(found, fmt.Sprintf("%q", n))
		}
	}
	return found
}

func (s *secrets) none(t *testing.T, where string, text []byte) {
	t.Helper()
	if found := s.in(text); len(found) > 0 {
		at := bytes.Index(bytes.ToLower(text), s.needles[0])
		t.Errorf("%s: %s of an address in\n%.400q", where, found[0], text[max(0, at-100):])
	}
}

// askEverything asks every call and page, and each with addresses where they do not belong.
func (s *secrets) askEverything(t *testing.T, m *testparts.Monitor) {
	t.Helper()
	a := s.all[3]
	q := url.QueryEscape(a)
	type question struct{ method, path, body, contentType string }
	list := strings.Join(s.all, "\n") + "\nnot " + a + " but\n"
	questions := []question{
		{"POST", "/api/v1/recipients/lookup", `{"tenant":"acme","recipient":"` + a + `"}`, "application/json"},
		{"POST", "/api/v1/recipients/lookup", `{"tenant":"acme","recipient":"` + a + " " + a + `"}`, "application/json"},
		{"POST", "/api/v1/recipients/lookup", `{"tenant":"acme","` + a + `":1}`, "application/json"}, {"POST", "/api/v1/recipients/lookup", a, "application/json"},
		{"POST", "/api/v1/recipients/lookup?recipient=" + q, "{}", "application/json"}, {"POST", "/api/v1/recipients/lookup", a, a},
		{"POST", "/api/v1/audience/check?tenant=acme", list, "text/plain"}, {"POST", "/api/v1/audience/check?tenant=acme&lines=true", list, "text/plain"},
		{"POST", "/api/v1/audience/check?tenant=acme", list, "text/csv"}, {"POST", "/api/v1/audience/check?tenant=acme", "email,x\n\"" + a + strings.Repeat("x", 2<<20), "text/csv"},
		{"POST", "/api/v1/audience/check?tenant=acme&lines=" + q, list, "text/plain"}, {"POST", "/api/v1/audience/check", list, "text/plain"},
		{"PUT", "/" + q, a, ""},
	}
	for _, path := range []string{"/api/v1/rates?subject=tenant%3Dacme", "/api/v1/rates?dimensions=tenant", "/api/v1/counts?subject=all&from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&step=1d",
		"/api/v1/alerts?status=all", "/api/v1/alerts/none", "/api/v1/engagement?tenant=acme", "/api/v1/ips", "/api/v1/ips/203.0.113.9", "/api/v1/status", "/openapi.yaml",
		"/metrics", "/-/healthy", "/-/ready", "/", "/rates", "/subject?subject=tenant%3Dacme", "/alerts", "/recipients?tenant=acme", "/status", "/method", "/nothing"} {
		questions = append(questions, question{"GET", path, "", ""})
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		questions = append(questions, question{"GET", path + sep + q + "=1", "", ""}, question{"GET", path + sep + "at=" + q, "", ""})
	}
	for _, path := range []string{"/api/v1/rates?subject=" + q, "/api/v1/rates?dimensions=" + q, "/api/v1/rates?dimensions=tenant&cursor=" + q, "/api/v1/rates?subject=all&rate=" + q,
		"/api/v1/rates?subject=all&window=" + q, "/api/v1/counts?subject=" + q, "/api/v1/counts?subject=all&from=" + q + "&to=" + q + "&step=" + q, "/api/v1/alerts?status=" + q,
		"/api/v1/alerts?cursor=" + q, "/api/v1/alerts/" + q, "/api/v1/ips/" + q, "/" + q, "/assets/" + q, "/api/v1/" + q} {
		questions = append(questions, question{"GET", path, "", ""})
	}
	questions = append(questions, question{"POST", "/-/reload", a, ""}) // the last one: it takes a moment to begin anew
	for _, x := range questions {
		req, err := http.NewRequestWithContext(t.Context(), x.method, m.URL()+x.path, strings.NewReader(x.body))
		check(t, err)
		if x.contentType != "" {
			req.Header.Set("Content-Type", x.contentType)
		}
		req.Header.Set("X-Recipient", a)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Errorf("%s %s: %v", x.method, x.path, err)
			continue
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		check(t, err)
		if res.StatusCode >= 500 {
			t.Errorf("%s %s: %d %s", x.method, x.path, res.StatusCode, text[max(0, len(text)-300):])
		}
		s.none(t, x.method+" "+x.path, fmt.Append(text, res.Header))
	}
	http.DefaultClient.CloseIdleConnections()
}

// commands runs those that take addresses.
func (s *secrets) commands(t *testing.T, m *testparts.Monitor, dir string) {
	t.Helper()
	file := filepath.Join(dir, "list.txt")
	check(t, os.WriteFile(file, []byte(strings.Join(s.all, "\n")+"\nwanda.zyx no address\n"), 0o600))
	for _, args := range [][]string{
		{"recipients", "lookup", "--server", m.URL(), "--tenant", "acme", s.all[0]}, {"recipients", "lookup", "--server", m.URL(), "--tenant", "acme", s.all[0] + " x"},
		{"audience", "check", "--server", m.URL(), "--tenant", "acme", file}, {"audience", "check", "--server", m.URL(), "--tenant", "acme", "--write", filepath.Join(dir, "split"), file},
		{"forget", "--config", m.Config, "--tenant", "acme", file},
	} {
		out, err := exec.CommandContext(t.Context(), builtBinary(t), args...).CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Errorf("%v: %v", args[:2], err)
		}
		s.none(t, strings.Join(args[:2], " "), out)
		if args[0] == "forget" {
			// The ten of the rejected records have none.
			if want := "1200 addresses, 1200 records erased, 1 lines were no address"; !strings.Contains(string(out), want) || !strings.Contains(string(out), `"msg":"recipients erased"`) {
				t.Errorf("forget: %s; want %s and a line of the log", out, want)
			}
		}
	}
	for _, address := range s.all[:6] {
		_, text, err := ask(m, http.MethodPost, "/api/v1/recipients/lookup", `{"tenant":"acme","recipient":"`+address+`"}`)
		if want := `{"state":"unknown","last_engaged":null,"first_seen":null,"unsubscribed":null,"complained":null,"hard_bounced":null}`; err != nil || string(text) != want {
			t.Errorf("looked up after being erased: %s %v", text, err)
		}
	}
}

// scanRedis looks at every key and value.
func (w *world) scanRedis(s *secrets) {
	w.t.Helper()
	host, port, _ := strings.Cut(w.redis, ":")
	client := func(args ...string) []byte {
		out, err := exec.CommandContext(w.t.Context(), "redis-cli", append([]string{"-h", host, "-p", port, "--raw"}, args...)...).CombinedOutput()
		if err != nil {
			w.t.Fatalf("redis-cli %v: %v %s", args, err, out)
		}
		return out
	}
	keys := strings.Fields(string(client("EVAL", "return table.concat(redis.call('KEYS', '*'), ' ')", "0")))
	if len(keys) < 10 {
		w.t.Fatalf("%d keys: nothing to look at", len(keys))
	}
	s.none(w.t, "a key", []byte(strings.Join(keys, "\n")))
	read := map[string][]string{"string": {"GET"}, "hash": {"HGETALL"}, "list": {"LRANGE", "0", "-1"}, "zset": {"ZRANGE", "0", "-1"}, "set": {"SMEMBERS"}, "stream": {"XRANGE", "-", "+"}}
	for _, key := range keys {
		kind := strings.TrimSpace(string(client("TYPE", key)))
		how, ok := read[kind]
		if !ok {
			w.t.Fatalf("%s is a %s", key, kind)
		}
		s.none(w.t, key, client(append([]string{how[0], key}, how[1:]...)...))
	}
}
