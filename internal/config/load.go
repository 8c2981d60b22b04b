package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// EnvPrefix begins the name of every environment variable: SENDWATCH_KAFKA_BROKERS is kafka.brokers.
const EnvPrefix = "SENDWATCH_"

// Load reads the file at path ("" = none, the defaults) and then what the environment (as os.Environ gives it) sets above
// it. The error is a Problems when the content is wrong, another one when the file cannot be read.
func Load(path string, environ []string) (*Config, error) {
	if path == "" {
		return Parse("", nil, environ)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	return Parse(path, data, environ)
}

// Parse is Load for a file that has been read already; name is what messages call it.
func Parse(name string, data []byte, environ []string) (*Config, error) {
	r := newReader(name)
	r.document(data)
	r.environment(environ)
	r.finish()
	if err := r.mistakes(); err != nil {
		return nil, err
	}
	return r.config, nil
}

func newReader(file string) *reader {
	return &reader{file: file, keys: newKeys(), config: Default(), at: map[string]place{}, wrong: map[string]bool{}}
}

// reader collects what a file and an environment say, and every mistake in them.
type reader struct {
	file     string
	keys     []key
	config   *Config
	problems []located
	at       map[string]place // where each key was set, for checks of how keys fit together
	wrong    map[string]bool  // keys with a mistake of their own
	secrets  secrets
	named    []namedFormat // places where formats are named
	ownNames []string      // of the formats that are described
}

// place is where something was said: a line of the file, or an environment variable.
type place struct {
	line int
	env  string
}

type located struct {
	Problem
	line int
}

func (r *reader) bad(at place, found, allowed string) {
	where := at.env
	line := 1 << 30 // variables after the file
	if where == "" {
		line = at.line
		where = fmt.Sprintf("%s:%d", cmp.Or(r.file, "defaults"), max(line, 1))
	}
	r.problems = append(r.problems, located{Problem{where, found, allowed}, line})
}

func (r *reader) document(data []byte) {
	if root := r.root(data); root != nil { // else all defaults
		r.section("", root)
	}
}

// root returns the content of a file that is one YAML document, nil when it is empty or, which is reported, no YAML.
func (r *reader) root(data []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		r.bad(place{line: lineOf(err)}, "not YAML: "+oneLine(err), "a YAML mapping of the keys in the configuration reference")
		return nil
	}
	if decoder.Decode(&second) == nil {
		r.bad(place{line: second.Line}, "a second YAML document", "one document a file")
	}
	if len(doc.Content) == 0 || isNull(resolve(doc.Content[0])) {
		return nil
	}
	return resolve(doc.Content[0])
}

// mistakes returns what is wrong as a Problems, in the order of the file, nil when nothing is.
func (r *reader) mistakes() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b located) int { return cmp.Compare(a.line, b.line) })
	all := make(Problems, len(r.problems))
	for i, p := range r.problems {
		all[i] = p.Problem
	}
	return all
}

// section walks a mapping down to the keys that the table knows.
func (r *reader) section(path string, node *yaml.Node) {
	node = resolve(node)
	if isNull(node) {
		return // a section without keys: all defaults
	}
	if node.Kind != yaml.MappingNode {
		r.bad(place{line: node.Line}, named(path, describe(node)), "a mapping with the keys "+strings.Join(r.childrenOf(path), ", "))
		return
	}
	r.eachKey(path, node, func(name string, keyNode, value *yaml.Node) {
		full := join(path, name)
		if k, ok := r.findKey(full); ok {
			r.set(k, value, place{line: keyNode.Line})
			return
		}
		if len(r.childrenOf(full)) > 0 {
			r.section(full, value)
			return
		}
		r.unknown(place{line: keyNode.Line}, full, r.childrenOf(path))
	})
}

// eachKey visits the pairs of a mapping and reports keys that stand twice or are no text.
func (r *reader) eachKey(path string, node *yaml.Node, visit func(name string, key, value *yaml.Node)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			r.bad(place{line: key.Line}, "a key that is "+describe(key), "a name")
			continue
		}
		if first, ok := seen[key.Value]; ok {
			r.bad(place{line: key.Line}, fmt.Sprintf("%s again (first on line %d)", join(path, key.Value), first), "each key once")
			continue
		}
		seen[key.Value] = key.Line
		visit(key.Value, key, value)
	}
}

func (r *reader) unknown(at place, full string, known []string) {
	r.bad(at, "unknown key "+full, "one of "+strings.Join(known, ", "))
}

func (r *reader) set(k *key, node *yaml.Node, at place) {
	r.at[k.path] = at
	before := len(r.problems)
	defer func() {
		if len(r.problems) > before {
			r.wrong[k.path] = true
		}
	}()
	v := value{r: r, path: k.path, allowed: k.allowed, node: resolve(node), env: at.env}
	if isNull(v.node) && !k.nullable {
		v.wrong("nothing")
		return
	}
	k.read(r, v)
}

func (r *reader) environment(environ []string) {
	names := map[string]string{}
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, EnvPrefix) {
			names[name] = text
		}
	}
	for i := range r.keys {
		k := &r.keys[i]
		name := EnvName(k.path)
		text, ok := names[name]
		if !ok {
			continue
		}
		r.set(k, r.envNode(k, name, text), place{env: name})
	}
}

// envNode reads a variable's text as the key wants it: a text as it stands, anything else as YAML, and a list also as
// words between commas.
func (r *reader) envNode(k *key, name, text string) *yaml.Node {
	scalar := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if k.text {
		return scalar
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil || len(doc.Content) == 0 {
		return scalar
	}
	node := doc.Content[0]
	if k.list && node.Kind == yaml.ScalarNode {
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for word := range strings.SplitSeq(text, ",") {
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strings.TrimSpace(word)})
		}
		return list
	}
	return node
}

// EnvName is the environment variable of a key: SENDWATCH_KAFKA_SESSION_TIMEOUT for kafka.session_timeout.
func EnvName(path string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}
