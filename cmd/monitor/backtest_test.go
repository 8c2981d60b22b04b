package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// badDay is a day of mail, one in twenty of which bounces from eight o'clock on.
func badDay() []string {
	var list []string
	for i := range 24 * 60 {
		kind := "delivery"
		if i >= 480 && i%20 == 0 {
			kind = "bounce"
		}
		list = append(list, fmt.Sprintf(`{"type":%q,"time":"%s","id":"e%d","tenant":"acme"}`, kind, backtestDay.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), i))
	}
	return list
}

var backtestDay = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const ownPolicy = `name: mine
limits:
  - {rate: bounce, below: %s, windows: [24h], min_events: 10}
`

// backtestDir has events.ndjson, and policies that the day breaks (tight.yaml), does not (loose.yaml), and one that is wrong.
func backtestDir(t *testing.T) string {
	t.Helper()
	return decodeFiles(t, map[string]string{
		"events.ndjson": strings.Join(badDay(), "\n"),
		"tight.yaml":    fmt.Sprintf(ownPolicy, "2%"), "loose.yaml": fmt.Sprintf(ownPolicy, "50%"), "wrong.yaml": fmt.Sprintf(ownPolicy, "lots"),
		"wrongconfig.yaml": "redis: {shards: 3}\n", "broken.ndjson.gz": "\x1f\x8bno", "empty.ndjson": "",
	})
}

func TestBacktestExitStatus(t *testing.T) {
	t.Chdir(backtestDir(t))
	for name, c := range map[string]struct {
		args []string
		code int
		says string // on standard output or error
	}{
		"breached":            {[]string{"--policy", "tight.yaml", "events.ndjson"}, exitBreach, "LIMITS BROKEN"},
		"good":                {[]string{"--policy", "loose.yaml", "events.ndjson"}, exitOK, "GOOD"},
		"before it went bad":  {[]string{"--policy", "tight.yaml", "--to", "2026-03-02T08:00:00Z", "events.ndjson"}, exitOK, "GOOD"},
		"one of two":          {[]string{"--policy", "loose.yaml", "--policy", "tight.yaml", "events.ndjson"}, exitBreach, "Only A alerts: 0 times. Only B alerts: "},
		"two that agree":      {[]string{"--policy", "tight.yaml", "--policy", "tight.yaml", "events.ndjson"}, exitBreach, "Only A alerts: 0 times. Only B alerts: 0 times. Both alert: "},
		"a pack":              {[]string{"--policy", "dynamics-365", "--window", "24h", "events.ndjson"}, exitBreach, "dynamics-365"},
		"no events":           {[]string{"--policy", "strict", "empty.ndjson"}, exitOK, "NO EVENTS"},
		"no policy":           {[]string{"events.ndjson"}, exitUsage, "--policy is given 0 times"},
		"three policies":      {[]string{"--policy", "strict", "--policy", "strict", "--policy", "strict", "events.ndjson"}, exitUsage, "--policy is given 3 times"},
		"no such policy":      {[]string{"--policy", "absent.yaml", "events.ndjson"}, exitUsage, `--policy "absent.yaml" is neither a file`},
		"a wrong policy":      {[]string{"--policy", "wrong.yaml", "events.ndjson"}, exitUsage, `wrong.yaml:3: policy.limits[0].below is "lots", allowed: a share`},
		"a wrong config":      {[]string{"--policy", "strict", "--config", "wrongconfig.yaml", "events.ndjson"}, exitUsage, `wrongconfig.yaml:1: redis.shards is "3"`},
		"nothing to replay":   {[]string{"--policy", "strict"}, exitUsage, "nothing to replay"},
		"files and a topic":   {[]string{"--policy", "strict", "--topic", "mail", "events.ndjson"}, exitUsage, "files are given beside --brokers or --topic"},
		"a wrong time":        {[]string{"--policy", "strict", "--from", "yesterday", "events.ndjson"}, exitUsage, `--from "yesterday"`},
		"no range":            {[]string{"--policy", "strict", "--from", "2026-03-02", "--to", "2026-03-02", "events.ndjson"}, exitUsage, "is not before"},
		"warm-up of nothing":  {[]string{"--policy", "strict", "--warm-up", "1d", "events.ndjson"}, exitUsage, "--warm-up is given without --from"},
		"a file that is gone": {[]string{"--policy", "strict", "absent.ndjson"}, exitFailed, "absent.ndjson: no such file"},
		"a broken file":       {[]string{"--policy", "strict", "broken.ndjson.gz"}, exitFailed, "broken gzip data"},
		"no such broker":      {[]string{"--policy", "strict", "--brokers", "127.0.0.1:1", "--topic", "mail"}, exitFailed, "127.0.0.1:1"},
		"a wrong format":      {[]string{"--policy", "strict", "--format", "smoke", "events.ndjson"}, exitUsage, `--format "smoke"`},
		"a wrong output":      {[]string{"--policy", "strict", "-o", "xml", "events.ndjson"}, exitUsage, `--output is "xml"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runMonitor(t.Context(), strings.NewReader(""), append([]string{"backtest"}, c.args...)...)
			if code != c.code || !strings.Contains(stdout+stderr, c.says) {
				t.Errorf("exit %d, want %d with %q\n%s%s", code, c.code, c.says, stdout, stderr)
			}
		})
	}
}

func TestBacktestSaysWhatAuditSays(t *testing.T) {
	t.Chdir(backtestDir(t))
	_, audit, _ := runMonitor(t.Context(), nil, "audit", "-o", "json", "--policy", "tight.yaml", "events.ndjson")
	_, backtest, _ := runMonitor(t.Context(), nil, "backtest", "-o", "json", "--policy", "tight.yaml", "events.ndjson")
	if audit != backtest || len(audit) < 1000 {
		t.Errorf("audit\n%.500s\nbacktest\n%.500s", audit, backtest)
	}
}

func TestBacktestOfATopic(t *testing.T) {
	dir := backtestDir(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(4, "mail", "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	broker := cluster.ListenAddrs()[0]
	w, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var records []*kgo.Record
	for i, value := range badDay() {
		// As a service of one's own would write it, in a format of one's own.
		value = strings.NewReplacer(`"type"`, `"what"`, `"time"`, `"at"`, `"delivery"`, `"ok"`).Replace(value)
		records = append(records, &kgo.Record{Topic: "mail", Value: []byte(value), Timestamp: backtestDay.Add(time.Duration(i) * time.Minute)})
	}
	if err := w.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	config := "kafka: {brokers: [\"" + broker + "\"], topics: [{name: mail, format: house}, other]}\n" +
		"formats:\n  house:\n    fields: {type: {from: what, map: {ok: delivery}}, time: at, id: id, tenant: tenant}\n"
	if err := os.WriteFile(filepath.Join(dir, "monitor.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	var results [2]struct {
		Events struct{ Read, Counted int }
		Alerts []struct{ ID string }
	}
	for i, args := range [][]string{
		{"backtest", "-o", "json", "--policy", "tight.yaml", "--config", "monitor.yaml", "--from", "2026-03-02T04:00:00Z", "--to", "2026-03-02T20:00:00Z"},
		{"backtest", "-o", "json", "--policy", "tight.yaml", "--from", "2026-03-02T04:00:00Z", "--to", "2026-03-02T20:00:00Z", "events.ndjson"},
	} {
		code, stdout, stderr := runMonitor(t.Context(), nil, args...)
		if code != exitBreach || stderr != "" {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		if err := json.Unmarshal([]byte(stdout), &results[i]); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := fmt.Sprint(results[0]), fmt.Sprint(results[1]); a != b || results[0].Events.Counted != 16*60 || len(results[0].Alerts) == 0 {
		t.Errorf("of the topic %s\nof the file %s", a, b)
	}
	code, _, stderr := runMonitor(t.Context(), nil, "backtest", "--policy", "strict", "--brokers", broker, "--topic", "male")
	if code != exitFailed || !strings.Contains(stderr, "topic male does not exist") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestDecodeAndAuditKnowTheConfigurationsFormats(t *testing.T) {
	t.Chdir(decodeFiles(t, map[string]string{
		"monitor.yaml": "formats:\n  house:\n    when: {from: house}\n    fields: {type: what, time: at}\n  bare:\n    fields: {type: what, time: at}\n",
		"house.json":   `{"from":"house","what":"open","at":"2026-03-02T00:00:00Z"}`, "bare.json": `{"what":"open","at":"2026-03-02T00:00:00Z"}`,
	}))
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"decode --config monitor.yaml house.json", exitOK, `{"type":"open","time":"2026-03-02T00:00:00Z"}`},
		{"decode --config monitor.yaml bare.json", exitFailed, "unknown_shape"},
		{"decode --config monitor.yaml --format bare bare.json house.json", exitOK, `{"type":"open","time":"2026-03-02T00:00:00Z"}`},
		{"decode --config monitor.yaml --format bear bare.json", exitUsage, "dsn, house, bare"},
		{"decode house.json", exitFailed, "unknown_shape"},
		{"audit --config monitor.yaml house.json", exitOK, "1 events read: 1 counted"},
		{"audit --config monitor.yaml --format bare bare.json house.json", exitOK, "2 events read: 2 counted"},
		{"backtest --policy strict --config monitor.yaml --format bare bare.json", exitOK, "1 events read: 1 counted"},
	} {
		code, stdout, stderr := runMonitor(t.Context(), nil, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.says) {
			t.Errorf("%s: exit %d, want %d with %q\n%s%s", c.args, code, c.code, c.says, stdout, stderr)
		}
	}
}
