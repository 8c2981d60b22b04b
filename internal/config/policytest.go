package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"sendwatch/internal/policy"
	"sendwatch/internal/policytest"
	"sendwatch/internal/windows"
)

// LoadPolicyTests reads a file of rule tests. What it does not say (policy, subjects, windows) is that of the configuration. The
// error is a Problems when the content is wrong, another one when the file cannot be read.
func LoadPolicyTests(path string, base *Config) (*policytest.Suite, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("policy tests: %w", err)
	}
	return ParsePolicyTests(path, data, base)
}

// ParsePolicyTests is LoadPolicyTests for a file that has been read already. Policy files that it names are read beside it.
func ParsePolicyTests(name string, data []byte, base *Config) (*policytest.Suite, error) {
	r := newReader(name)
	own := *base
	r.config = &own
	suite := &policytest.Suite{File: name}
	if root := r.root(data); root != nil {
		(value{r: r, allowed: "a mapping with the keys policy, subjects, windows and tests", node: root}).suite(suite)
	} else if len(r.problems) == 0 {
		r.bad(place{}, "an empty file", "a mapping with the keys policy and tests")
	}
	if err := r.mistakes(); err != nil {
		return nil, err
	}
	return suite, nil
}

// suite reads the whole file. Tests are read last: they are held against policies, subjects and windows.
func (v value) suite(s *policytest.Suite) {
	var tests *value
	read := map[string]func(value){
		"policy": func(v value) { v.path = "policy"; v.r.config.Policies = v.testedPolicies() },
		"subjects": func(v value) {
			v.path = "subjects"
			v.allowed = "a list of lists of dimensions, such as [[tenant]]"
			subjects(v.r, v)
		},
		"windows": value.testedWindows,
		"tests":   func(v value) { v.allowed = "a list of tests"; tests = &v },
	}
	if v.node.Kind != yaml.MappingNode {
		v.r.bad(v.place(), named("", describe(v.node)), v.allowed)
		return
	}
	v.mapping(read, []string{"policy", "subjects", "windows", "tests"})
	before := len(v.r.problems)
	v.r.windowsKept()
	if tests == nil {
		v.r.bad(v.place(), named("", "without tests"), v.allowed)
	}
	c := v.r.config
	s.Policies, s.Subjects, s.Windows = c.Policies, c.Subjects, c.Windows
	if len(v.r.problems) > before || tests == nil {
		return
	}
	names := map[string]bool{}
	tests.list(func(_ int, e value) {
		one := e.testCase(s)
		if one.Name != "" && names[one.Name] {
			e.wrong(strconv.Quote(one.Name) + " again")
		}
		names[one.Name] = true
		s.Cases = append(s.Cases, one)
	})
	if tests.node.Kind == yaml.SequenceNode && len(s.Cases) == 0 {
		tests.wrong("an empty list")
	}
}

// testedPolicies reads a built-in policy, a file with some, or a whole policy.
func (v value) testedPolicies() []policy.Policy {
	v.allowed = "a built-in policy (" + strings.Join(policy.PackNames(), ", ") + "), the path of a policy file, or {name: NAME, limits: [...]}"
	if v.node.Kind != yaml.ScalarNode {
		p, _ := v.policy()
		return []policy.Policy{p}
	}
	s, ok := v.scalar()
	if !ok {
		return nil
	}
	if p, ok := policy.Pack(s); ok {
		return []policy.Policy{p}
	}
	path := s
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(v.r.file), path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		v.wrong(strconv.Quote(s) + ", which is no file that can be read")
		return nil
	}
	list, err := ParsePolicies(path, data)
	if problems, ok := err.(Problems); ok {
		for _, p := range problems { // where they are, in the file that they are in
			v.r.problems = append(v.r.problems, located{p, v.node.Line})
		}
	}
	return list
}

// testedWindows reads names of windows of the configuration, and windows of the tests' own.
func (v value) testedWindows() {
	var list []windows.Window
	known := make([]string, len(v.r.config.Windows))
	for i, w := range v.r.config.Windows {
		known[i] = w.Name
	}
	v.allowed = "a list of " + strings.Join(known, ", ") + ", or of {name: NAME, length: DURATION, step: 1m|1h|1d}"
	if v.node.Kind != yaml.SequenceNode || !slices.ContainsFunc(v.node.Content, func(n *yaml.Node) bool { return resolve(n).Kind == yaml.ScalarNode }) {
		windowList(v.r, v)
		return
	}
	v.list(func(_ int, e value) {
		s, ok := e.scalar()
		if !ok {
			return
		}
		if i := slices.Index(known, s); i < 0 || slices.Contains(list, v.r.config.Windows[i]) {
			e.wrong(strconv.Quote(s))
		} else {
			list = append(list, v.r.config.Windows[i])
		}
	})
	v.r.config.Windows = list
}

// testStart is when tests begin that do not say: a Monday, so that days and weeks are easy to count.
func testStart() time.Time { return time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC) }

// maxTestEvents keeps a slip of the pen from running for hours.
const maxTestEvents = 5_000_000

func (v value) testCase(s *policytest.Suite) policytest.Case {
	c := policytest.Case{Line: v.node.Line, Start: testStart()}
	before := len(v.r.problems)
	given := map[string]value{}
	note := func(key string) func(value) { return func(v value) { given[key] = v } }
	keys := []string{"name", "start", "events", "until", "only", "alerts"}
	read := map[string]func(value){}
	for _, k := range keys {
		read[k] = note(k)
	}
	if !v.mapping(read, keys) {
		return c
	}
	for _, k := range []string{"name", "events", "alerts"} {
		if _, ok := given[k]; !ok {
			v.allowed = "name, events and alerts ([] when none may come)"
			v.wrong("without " + k)
		}
	}
	if len(v.r.problems) > before {
		return c
	}
	name := given["name"]
	name.allowed = "a text that says what is tested"
	c.Name, _ = name.onePath()
	if start, ok := given["start"]; ok {
		start.allowed = "a time such as 2026-01-05T00:00:00Z"
		c.Start = start.moment()
	}
	c.Steps = given["events"].steps(c.Start)
	if until, ok := given["until"]; ok {
		until.allowed = "a duration after the start, or a time, not before the last event"
		c.Until = until.after(c.Start)
		for i := range c.Steps {
			if c.Steps[i].Last() > c.Until && len(v.r.problems) == before {
				until.wrong("before the last event")
			}
		}
	}
	if only, ok := given["only"]; ok {
		c.Only = only.filter(s)
	}
	expected := given["alerts"]
	expected.allowed = "a list of {at: AFTER, rate: RATE, window: WINDOW, subject: KEY, …}"
	expected.list(func(_ int, e value) { c.Want = append(c.Want, e.expectation(s, c.Start)) })
	return c
}

func (v value) moment() time.Time {
	s, ok := v.scalar()
	if !ok {
		return testStart()
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		v.wrong(strconv.Quote(s))
		return testStart()
	}
	return t.UTC()
}

// after reads how long after the start something is: a duration, or a time.
func (v value) after(start time.Time) time.Duration {
	s, ok := v.scalar()
	if !ok {
		return 0
	}
	d, ok := parseAfter(s, start)
	if !ok {
		v.wrong(strconv.Quote(s))
	}
	return d
}

func parseAfter(s string, start time.Time) (time.Duration, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.Sub(start), !t.Before(start)
	}
	return parseDuration(s)
}

// span reads a moment after the start, or two with ".." between.
func (v value) span(start time.Time) *policytest.Span {
	v.allowed = "when after the start, such as 15m, 10m..20m or a time"
	s, ok := v.scalar()
	if !ok {
		return nil
	}
	first, last, isRange := strings.Cut(s, "..")
	if !isRange {
		last = first
	}
	from, ok := parseAfter(first, start)
	to, ok2 := parseAfter(last, start)
	if !ok || !ok2 || to < from {
		v.wrong(strconv.Quote(s))
		return nil
	}
	return &policytest.Span{From: from, To: to}
}
