package jsonvalue

import (
	"iter"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Value is a place in a Tree. The zero value is absent: every question to it has the answer of something that is not
// there.
type Value struct {
	tree *Tree
	at   int
}

func (v Value) node() node {
	if v.tree == nil {
		return node{}
	}
	return v.tree.nodes[v.at]
}

func (v Value) kind() jsontext.Kind {
	if v.tree == nil {
		return 0
	}
	return v.tree.nodes[v.at].kind
}

// IsPresent reports whether there is anything but null and "".
func (v Value) IsPresent() bool {
	n := v.node()
	return n.kind != 0 && n.kind != 'n' && (n.kind != '"' || n.text != "")
}

// IsObject reports whether v is an object.
func (v Value) IsObject() bool { return v.kind() == '{' }

// IsArray reports whether v is an array.
func (v Value) IsArray() bool { return v.kind() == '[' }

// IsString reports whether v is a string that is not empty.
func (v Value) IsString() bool { return v.kind() == '"' && v.node().text != "" }

// IsTrue reports whether v is true, and not merely something that could be taken for it.
func (v Value) IsTrue() bool { return v.kind() == 't' }

// Get follows a path of keys through objects. It is absent where a key is, or where something else than an object is.
func (v Value) Get(path ...string) Value {
	for _, key := range path {
		v = v.member(key)
	}
	return v
}

func (v Value) member(key string) Value {
	found := Value{}
	if !v.IsObject() {
		return found
	}
	nodes := v.tree.nodes
	for i := v.at + 1; i < nodes[v.at].next; i = nodes[i].next {
		if nodes[i].key == key {
			found = Value{v.tree, i} // of duplicates the last counts
		}
	}
	return found
}

// Elements ranges over the elements of an array. Anything else has none.
func (v Value) Elements() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if !v.IsArray() {
			return
		}
		end := v.node().next
		for i := v.at + 1; i < end; i = v.tree.nodes[i].next { // Nested may have moved the nodes
			if !yield(Value{v.tree, i}) {
				return
			}
		}
	}
}

// First is the first element of an array, absent for an empty one and for anything else.
func (v Value) First() Value {
	for element := range v.Elements() {
		return element
	}
	return Value{}
}

// Exact is the content of a string as it is, "" for anything else: for names that are compared and not carried.
func (v Value) Exact() string {
	if v.kind() != '"' {
		return ""
	}
	return v.node().text
}

// Text is what a field of text is filled with: a string without the white space around it, a number's digits as they were
// written, "" for anything else.
func (v Value) Text() string {
	switch n := v.node(); n.kind {
	case '"':
		return strings.TrimSpace(n.text)
	case '0':
		return n.text
	}
	return ""
}

// Raw is an object or array as it was written, nil for anything else. It must not be written to.
func (v Value) Raw() []byte {
	if !v.IsObject() && !v.IsArray() {
		return nil
	}
	return bytesOf(v.node().text)
}

// Nested parses the JSON text that a string holds. The result is valid as long as v is.
func (v Value) Nested() (Value, error) {
	return v.tree.nested(v.Exact())
}

// Members ranges over the members of an object, of duplicate keys the last. Anything else has none.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if !v.IsObject() {
			return
		}
		end := v.node().next
		last := map[string]int{}
		for i := v.at + 1; i < end; i = v.tree.nodes[i].next {
			last[v.tree.nodes[i].key] = i
		}
		for i := v.at + 1; i < end; i = v.tree.nodes[i].next {
			if key := v.tree.nodes[i].key; last[key] == i && !yield(key, Value{v.tree, i}) {
				return
			}
		}
	}
}
