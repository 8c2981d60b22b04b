package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/event"
	"sendwatch/internal/policytest"
)

const testedPolicy = `policy:
  name: mine
  limits:
    - {name: lists, rate: bounce, below: 3%, windows: [24h]}
subjects: [[tenant], [tenant, ip]]
windows: [24h, 1h]
tests:
`

func TestPolicyTestFile(t *testing.T) {
	s, err := ParsePolicyTests("f", []byte(testedPolicy+`  - name: one
    start: 2026-03-02T08:00:00+01:00
    events:
      - {at: 5m, type: delivery, tenant: "t{n}", count: 10, every: 30s, recipient: "Ann <Ann{n}@Example.org>", id: e}
      - {at: 2026-03-02T08:00:00Z, type: bounce, class: hard, code: 5.1.1, category: none, async: true, count: 60, over: 1h, ip: "::ffff:192.0.2.1"}
      - {at: 0s, type: open, machine: true, every: 1s, over: 1m}
      - {at: 1h, type: unsubscribe, method: link, domain: Example.ORG.}
    until: 30h
    only: {change: [fired, resolved], severity: warning, subject: ["tenant=a", "tenant=a,ip=192.0.2.1"]}
    alerts:
      - {at: 5m, rate: bounce, window: 24h, subject: tenant=t1}
      - {at: 10m..2026-03-02T08:00:00Z, change: resolved, severity: critical, policy: mine, limit: lists}
  - {name: two, events: [], alerts: []}
`), Default())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Policies) != 1 || len(s.Subjects) != 2 || len(s.Windows) != 2 || s.Windows[0].Name != "24h" || len(s.Cases) != 2 {
		t.Errorf("%+v", s)
	}
	minute := time.Minute
	want := policytest.Case{
		Name: "one", Line: 8, Start: time.Date(2026, 3, 2, 7, 0, 0, 0, time.UTC), Until: 30 * time.Hour,
		Steps: []policytest.Step{
			{At: 5 * minute, Every: 30 * time.Second, Count: 10, Event: event.Event{Type: event.Delivery, Tenant: "t{n}", Recipient: "ann{n}@example.org", ID: "e"}},
			{At: 60 * minute, Every: minute, Count: 60, Event: event.Event{Type: event.Bounce, BounceClass: event.Hard, BounceCode: "5.1.1", BounceCategory: "none", BounceAsync: true, IP: "192.0.2.1"}},
			{Every: time.Second, Count: 60, Event: event.Event{Type: event.Open, Machine: true}},
			{At: 60 * minute, Count: 1, Event: event.Event{Type: event.Unsubscribe, UnsubscribeMethod: event.Link, Domain: "example.org"}},
		},
		Only: policytest.Filter{Change: []string{"fired", "resolved"}, Severity: []string{"warning"}, Subject: []string{"tenant=a", "tenant=a,ip=192.0.2.1"}},
		Want: []policytest.Expectation{
			{Line: 18, At: &policytest.Span{From: 5 * minute, To: 5 * minute}, Change: "fired", Rate: "bounce", Window: "24h", Subject: "tenant=t1"},
			{Line: 19, At: &policytest.Span{From: 10 * minute, To: 60 * minute}, Change: "resolved", Severity: "critical", Policy: "mine", Limit: "lists"},
		},
	}
	if diff := cmp.Diff(want, s.Cases[0]); diff != "" {
		t.Error(diff)
	}
}

func TestPolicyTestMistakes(t *testing.T) {
	one := func(fields string) string { return testedPolicy + "  - {name: x, alerts: [], " + fields + "}\n" }
	events := func(step string) string { return one("events: [{" + step + "}]") }
	want := func(expectation string) string {
		return testedPolicy + "  - {name: x, events: [], alerts: [{" + expectation + "}]}\n"
	}
	for name, c := range map[string]struct{ file, want string }{
		"nothing":                   {"", "f:1: an empty file"},
		"a list":                    {"- x\n", "f:1: the file is a list, allowed: a mapping with the keys policy"},
		"no tests":                  {"policy: strict\n", "f:1: the file is without tests"},
		"no list":                   {"tests: x\n", `f:1: tests is "x", allowed: a list of tests`},
		"no test":                   {"tests: []\n", "f:1: tests is an empty list"},
		"unknown key":               {"polcy: strict\ntests: []\n", "f:1: unknown key polcy, allowed: one of policy, subjects"},
		"no such policy":            {"policy: lax\ntests: [{name: x, events: [], alerts: []}]\n", `f:1: policy is "lax", which is no file that can be read, allowed: a built-in policy (dynamics-365`},
		"a wrong policy":            {"policy: {name: x, limits: [{rate: bounce}]}\ntests: []\n", "f:1: policy.limits[0] is without below"},
		"a wrong subject":           {"subjects: [[shoe]]\ntests: []\n", `f:1: subjects[0][0] is "shoe"`},
		"no such window":            {"windows: [24h, 25h]\ntests: []\n", `f:1: windows[1] is "25h", allowed: a list of 1h, 24h, 7d, 30d`},
		"a window that is not kept": {"windows: [{name: 6h, length: 6h, step: 1m}]\ntests: []\n", "f:1: window 6h is longer than its 1m buckets are kept"},
		"no name":                   {testedPolicy + "  - {events: [], alerts: []}\n", "f:8: tests[0] is without name"},
		"no alerts":                 {testedPolicy + "  - {name: x, events: []}\n", "f:8: tests[0] is without alerts, allowed: name, events and alerts"},
		"name again":                {testedPolicy + "  - {name: x, events: [], alerts: []}\n  - {name: x, events: [], alerts: []}\n", `f:9: tests[1] is "x" again`},
		"unknown test key":          {one("events: [], expect: []"), "f:8: unknown key tests[0].expect, allowed: one of name, start, events"},
		"a wrong start":             {one("events: [], start: monday"), `f:8: tests[0].start is "monday"`},
		"early end":                 {one("events: [{at: 1h, type: open}], until: 30m"), "f:8: tests[0].until is before the last event"},
		"no type":                   {events("at: 1h"), "f:8: tests[0].events[0] is without type"},
		"unknown type":              {events("type: opened"), `f:8: tests[0].events[0].type is "opened", allowed: delivery, bounce`},
		"unknown event key":         {events("type: open, user: x"), "f:8: unknown key tests[0].events[0].user, allowed: one of at, every"},
		"a wrong time":              {events("type: open, at: soon"), `f:8: tests[0].events[0].at is "soon"`},
		"before the start":          {events("type: open, at: 2026-01-04T00:00:00Z"), "f:8: tests[0].events[0].at is"},
		"every alone":               {events("type: open, every: 1s"), "f:8: tests[0].events[0] is without count, allowed: two of every, count and over"},
		"over alone":                {events("type: open, over: 1h"), "f:8: tests[0].events[0] is without count"},
		"all three":                 {events("type: open, over: 1h, every: 1s, count: 2"), "f:8: tests[0].events[0] is given all three"},
		"none in the time":          {events("type: open, over: 1s, every: 1h"), "f:8: tests[0].events[0] is every 1h0m0s over 1s"},
		"no event":                  {events("type: open, count: 0"), `f:8: tests[0].events[0].count is "0"`},
		"too many":                  {one("events: [{type: open, count: 3000000}, {type: open, count: 3000000}]"), "f:8: tests[0].events is 6000000 events"},
		"class of an open":          {events("type: open, class: hard"), "f:8: tests[0].events[0].class is given for open, allowed: on events of the type bounce"},
		"machine bounce":            {events("type: bounce, machine: true"), "f:8: tests[0].events[0].machine is given for bounce, allowed: on events of the type open or click or reply"},
		"no mailbox":                {events("type: open, recipient: ann"), "f:8: tests[0].events[0].recipient is none"},
		"no IP":                     {events("type: open, ip: here"), `f:8: tests[0].events[0].ip is "here"`},
		"a control":                 {events(`type: open, tenant: "a\tb"`), "f:8: tests[0].events[0] is an event with tenant"},
		"unknown change":            {want("change: shot"), `f:8: tests[0].alerts[0].change is "shot", allowed: fired, escalated, reminder, resolved`},
		"unknown rate":              {want("rate: complaint"), `f:8: tests[0].alerts[0].rate is "complaint", allowed: bounce`},
		"unknown window":            {want("window: 7d"), `f:8: tests[0].alerts[0].window is "7d", allowed: 24h, 1h`},
		"unknown limit":             {want("limit: list"), `f:8: tests[0].alerts[0].limit is "list", allowed: lists`},
		"unknown policy":            {want("policy: strict"), `f:8: tests[0].alerts[0].policy is "strict", allowed: mine`},
		"not counted":               {want("subject: all"), `f:8: tests[0].alerts[0].subject is "all", allowed: the key of a subject that is counted`},
		"other order":               {want(`subject: "ip=192.0.2.1,tenant=a"`), `f:8: tests[0].alerts[0].subject is "ip=192.0.2.1,tenant=a"`},
		"a wrong range":             {want("at: 20m..10m"), `f:8: tests[0].alerts[0].at is "20m..10m"`},
		"unknown expectation":       {want("when: 1m"), "f:8: unknown key tests[0].alerts[0].when, allowed: one of at, change"},
		"a wrong filter":            {one("events: [], only: {change: [fired, shot]}"), `f:8: tests[0].only.change[1] is "shot"`},
		"no filter":                 {one("events: [], only: fired"), `f:8: tests[0].only is "fired", allowed: a mapping with the keys change`},
	} {
		_, err := ParsePolicyTests("f", []byte(c.file), Default())
		if _, ok := errors.AsType[Problems](err); !ok || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: error %v\nwant %s", name, err, c.want)
		}
	}
}

func TestPolicyTestsNameFilesBesideThem(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"mine.yaml": onePolicy, "wrong.yaml": "name: x\nlimits: [{rate: bounce}]\n",
		"good.test.yaml": "policy: mine.yaml\ntests: [{name: x, events: [], alerts: []}]\n", "bad.test.yaml": "policy: wrong.yaml\ntests: [{name: x, events: [], alerts: []}]\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := LoadPolicyTests(filepath.Join(dir, "good.test.yaml"), Default())
	if err != nil || len(s.Policies) != 1 || s.Policies[0].Name != "mine" {
		t.Errorf("%v %v", s, err)
	}
	_, err = LoadPolicyTests(filepath.Join(dir, "bad.test.yaml"), Default())
	if err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, "wrong.yaml")+":2: policy.limits[0] is without below") {
		t.Errorf("error %v", err)
	}
	_, err = LoadPolicyTests(filepath.Join(dir, "absent.yaml"), Default())
	if _, ok := errors.AsType[Problems](err); err == nil || ok {
		t.Errorf("error %v", err)
	}
}

func FuzzParsePolicyTests(f *testing.F) {
	for _, s := range []string{testedPolicy + "  - {name: x, events: [{type: open, every: 1s, over: 1m}], until: 1h, only: {change: fired}, alerts: [{at: 1m..2m}]}", "tests: &a [*a]", "windows: [24h]\ntests: []"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParsePolicyTests("f", data, Default())
		if _, ok := errors.AsType[Problems](err); err != nil && !ok || (s == nil) == (err == nil) {
			t.Fatalf("%v, error %v", s, err)
		}
	})
}
