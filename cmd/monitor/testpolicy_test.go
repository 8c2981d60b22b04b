package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheExampleOfRuleTests(t *testing.T) {
	code, stdout, stderr := runMonitor(t.Context(), nil, "test-policy", "../../configs/policy-test.yaml")
	if code != exitOK || stdout != "../../configs/policy-test.yaml: 5 tests, good\n" || stderr != "" {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// ruleTest is mail of which one in ten bounces; the alert comes with the 200th event, the first that is enough to judge.
const ruleTest = `policy: {name: mine, limits: [{rate: bounce, below: 3%, windows: [24h], fire: certain}]}
subjects: [[tenant]]
tests:
  - name: a bad list
    events:
      - {at: 0s, every: 10s, count: 270, type: delivery, tenant: acme}
      - {at: 0s, every: 90s, count: 30, type: bounce, tenant: acme}
    alerts: [ALERTS]
`

func TestRuleTestsExitStatus(t *testing.T) {
	with := func(alerts string) string { return strings.Replace(ruleTest, "ALERTS", alerts, 1) }
	t.Chdir(decodeFiles(t, map[string]string{
		"good.yaml": with("{at: 29m51s, subject: tenant=acme}"), "late.yaml": with("{at: 29m, window: 24h}"), "none.yaml": with(""),
		"wrong.yaml": with("{at: now}"), "more.yaml": with("{}, {change: resolved, severity: warning, at: 1m}"),
		"bare.yaml":    "tests:\n  - name: bare\n    events: [{at: 0s, every: 10s, count: 300, type: bounce, tenant: acme}]\n    alerts: [{}]\n    only: {change: fired}\n",
		"monitor.yaml": "policies: [{name: own, limits: [{rate: bounce, below: 50%, windows: [24h]}]}]\nsubjects: [[tenant]]\n",
		"broken.yaml":  "redis: {shards: 3}\n",
	}))
	const got = `{at: 29m51s, change: fired, severity: critical, policy: mine, rate: bounce, window: 24h, subject: tenant=acme} # 20 of 200, 10%`
	for name, c := range map[string]struct {
		args         []string
		code         int
		stdout, says string // all of standard output; a part of standard error
	}{
		"good":        {[]string{"good.yaml"}, exitOK, "good.yaml: 1 test, good\n", ""},
		"from a file": {[]string{"--config", "monitor.yaml", "bare.yaml"}, exitOK, "bare.yaml: 1 test, good\n", ""},
		"late": {[]string{"late.yaml"}, exitFailed, "late.yaml:4: a bad list\n    - {at: 29m, change: fired, window: 24h}\n    + " + got +
			"\n      at is 29m51s, expected 29m\nlate.yaml: 1 test, 1 of 1 failed\n", ""},
		"not expected":        {[]string{"none.yaml"}, exitFailed, "none.yaml:4: a bad list\n    + " + got + "\nnone.yaml: 1 test, 1 of 1 failed\n", ""},
		"did not come":        {[]string{"more.yaml"}, exitFailed, "more.yaml:4: a bad list\n    - {at: 1m, change: resolved, severity: warning}\nmore.yaml: 1 test, 1 of 1 failed\n", ""},
		"one of two":          {[]string{"none.yaml", "good.yaml"}, exitFailed, "none.yaml:4: a bad list\n    + " + got + "\nnone.yaml: 1 test, 1 of 1 failed\ngood.yaml: 1 test, good\n", ""},
		"wrong":               {[]string{"good.yaml", "wrong.yaml"}, exitUsage, "", `wrong.yaml:8: tests[0].alerts[0].at is "now", allowed: when after the start`},
		"not there":           {[]string{"absent.yaml"}, exitFailed, "", "absent.yaml: no such file"},
		"wrong and not there": {[]string{"wrong.yaml", "absent.yaml"}, exitUsage, "", "wrong.yaml:8:"},
		"no file":             {nil, exitUsage, "", "requires at least 1 arg"},
		"a wrong config":      {[]string{"--config", "broken.yaml", "good.yaml"}, exitUsage, "", "broken.yaml:1: redis.shards"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runMonitor(t.Context(), nil, append([]string{"test-policy"}, c.args...)...)
			if code != c.code || stdout != c.stdout || !strings.Contains(stderr, c.says) {
				t.Errorf("exit %d, want %d\n%s\nwant\n%s\non standard error %s", code, c.code, stdout, c.stdout, stderr)
			}
		})
	}
}

// TestTheExamplesOfTheDocs runs what docs/BACKTEST.md and docs/PROVIDERS.md show.
func TestTheExamplesOfTheDocs(t *testing.T) {
	example := func(doc, begins string) string {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", doc))
		if err != nil {
			t.Fatal(err)
		}
		_, after, found := strings.Cut(string(text), "```yaml\n"+begins)
		block, _, closed := strings.Cut(after, "```")
		if !found || !closed {
			t.Fatalf("%s has no example that begins with %s", doc, begins)
		}
		return begins + block
	}
	tests, formats := example("BACKTEST.md", "policy:"), example("PROVIDERS.md", "formats:")
	t.Chdir(decodeFiles(t, map[string]string{
		"tests.yaml": tests, "mine.yaml": "name: mine\nlimits: [{rate: bounce, below: 3%, windows: [24h]}]\n", "monitor.yaml": formats,
		"payload.json": `{"schema":"acme-mail","version":1,"events":[{"kind":"hard","at":1772439304,"to":[{"address":"a@b.c"}],"reason":"full"}]}`,
	}))
	for args, says := range map[string]string{
		"test-policy tests.yaml":                                  "tests.yaml: 1 test, good",
		"check-config monitor.yaml":                               "monitor.yaml: good",
		"decode --format acme --config monitor.yaml payload.json": `{"type":"bounce","time":"2026-03-02T08:15:04Z","recipient":"a@b.c","tenant":"house","bounce":{"class":"soft"}}`,
	} {
		code, stdout, stderr := runMonitor(t.Context(), nil, strings.Fields(args)...)
		if code != exitOK || stdout != says+"\n" {
			t.Errorf("%s: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
}
