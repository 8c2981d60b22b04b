package config

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// value is one node of the file (or one environment variable) on its way into the Config. Its readers report what is wrong
// and then return false; they never return half a value.
type value struct {
	r       *reader
	path    string
	allowed string
	node    *yaml.Node
	env     string
}

func (v value) place() place { return place{line: v.node.Line, env: v.env} }

func (v value) wrong(found string) { v.r.bad(v.place(), v.path+" is "+found, v.allowed) }

// sub is a value inside this one.
func (v value) sub(path, allowed string, node *yaml.Node) value {
	return value{r: v.r, path: path, allowed: allowed, node: resolve(node), env: v.env}
}

// scalar is the text of a single value, whatever YAML takes it for.
func (v value) scalar() (string, bool) {
	if v.node.Kind != yaml.ScalarNode || isNull(v.node) {
		v.wrong(describe(v.node))
		return "", false
	}
	return v.node.Value, true
}

func (v value) name() (string, bool) {
	s, ok := v.scalar()
	if ok && (!names.MatchString(s) || s == "." || s == "..") {
		v.wrong(strconv.Quote(s))
		return "", false
	}
	return s, ok
}

// names are what Kafka allows for topics and groups; sendwatch's own names keep to it too.
var names = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)

func (v value) boolean() (bool, bool) {
	s, ok := v.scalar()
	if !ok {
		return false, false
	}
	switch s {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	v.wrong(strconv.Quote(s))
	return false, false
}

func (v value) integer(low, high int) (int, bool) {
	s, ok := v.scalar()
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(strings.ReplaceAll(s, "_", ""))
	if err != nil || n < low || n > high {
		v.wrong(strconv.Quote(s))
		return 0, false
	}
	return n, true
}

func (v value) duration(low, high time.Duration) (time.Duration, bool) {
	s, ok := v.scalar()
	if !ok {
		return 0, false
	}
	d, ok := parseDuration(s)
	if !ok || d < low || d > high {
		v.wrong(strconv.Quote(s))
		return 0, false
	}
	return d, true
}

func (v value) oneOf(words ...string) (string, bool) {
	s, ok := v.scalar()
	if !ok {
		return "", false
	}
	for _, w := range words {
		if s == w {
			return s, true
		}
	}
	v.wrong(strconv.Quote(s))
	return "", false
}

// list visits the elements of a sequence.
func (v value) list(visit func(i int, element value)) bool {
	if v.node.Kind != yaml.SequenceNode {
		v.wrong(describe(v.node))
		return false
	}
	for i, n := range v.node.Content {
		visit(i, v.sub(fmt.Sprintf("%s[%d]", v.path, i), v.allowed, n))
	}
	return true
}

// mapping visits the pairs of a mapping whose keys the table knows; others are reported.
func (v value) mapping(known map[string]func(value), order []string) bool {
	if v.node.Kind != yaml.MappingNode {
		v.wrong(describe(v.node))
		return false
	}
	v.r.eachKey(v.path, v.node, func(name string, key, node *yaml.Node) {
		read, ok := known[name]
		if !ok {
			v.r.unknown(place{line: key.Line, env: v.env}, join(v.path, name), order)
			return
		}
		read(v.sub(join(v.path, name), v.allowed, node))
	})
	return true
}

func (v value) address() (string, bool) {
	s, ok := v.scalar()
	if !ok {
		return "", false
	}
	_, port, err := net.SplitHostPort(s)
	if n, errPort := strconv.Atoi(port); err != nil || errPort != nil || n < 0 || n > 65535 {
		v.wrong(strconv.Quote(s))
		return "", false
	}
	return s, true
}

var durationPart = regexp.MustCompile(`^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)`)

// parseDuration reads "1h30m", "30d", "500ms", "0". A day is 24 hours.
func parseDuration(s string) (time.Duration, bool) {
	if s == "0" {
		return 0, true
	}
	units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	var total float64
	for rest := s; rest != ""; {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil {
			return 0, false
		}
		n, err := strconv.ParseFloat(part[1], 64)
		if err != nil {
			return 0, false
		}
		total += n * float64(units[part[2]])
		rest = rest[len(part[0]):]
	}
	if s == "" || total > float64(100*365*24*time.Hour) {
		return 0, false
	}
	return time.Duration(total), true
}

func resolve(n *yaml.Node) *yaml.Node {
	for i := 0; n.Kind == yaml.AliasNode && n.Alias != nil && i < 10; i++ {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

func named(path, what string) string {
	if path == "" {
		return "the file is " + what
	}
	return path + " is " + what
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

var lineInError = regexp.MustCompile(`line (\d+)`)

func lineOf(err error) int {
	if m := lineInError.FindStringSubmatch(err.Error()); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return 1
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " ")
}
