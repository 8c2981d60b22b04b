package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/mapping"
)

func formatKeys() []key {
	return []key{{path: "formats", allowed: "a mapping from names to {when: {PATH: TEXT}, each: PATH, fields: {FIELD: PATH}}", nullable: true, read: ownFormats}}
}

// ownFormats reads the formats that a configuration describes.
func ownFormats(r *reader, v value) {
	r.config.Formats, r.ownNames = nil, nil
	if isNull(v.node) {
		return
	}
	if v.node.Kind != yaml.MappingNode {
		v.wrong(describe(v.node))
		return
	}
	r.eachKey(v.path, v.node, func(name string, key, node *yaml.Node) {
		at := place{line: key.Line, env: v.env}
		if !names.MatchString(name) {
			r.bad(at, v.path+" has the name "+strconv.Quote(name), aName)
			return
		}
		if slices.Contains(append(provider.Names(), provider.FileNames()...), name) {
			r.bad(at, v.path+" has the name "+strconv.Quote(name)+", which is a built-in format", "another name")
			return
		}
		r.ownNames = append(r.ownNames, name) // whatever is wrong with it, it is there
		before := len(r.problems)
		spec, places := v.sub(v.path+"."+name, "a mapping with the keys when, each and fields", node).format(name)
		if len(r.problems) > before {
			return
		}
		f, problems := mapping.New(spec)
		for _, p := range problems {
			r.bad(nearest(places, p.Key), v.path+"."+name+"."+p.Key+" is "+p.Found, p.Want)
		}
		if f != nil {
			r.config.Formats = append(r.config.Formats, f)
		}
	})
}

// format reads one description, and where its parts stand.
func (v value) format(name string) (mapping.Spec, map[string]place) {
	spec := mapping.Spec{Name: name, Fields: map[string]mapping.Source{}}
	places := map[string]place{"": v.place()}
	isMapping := v.mapping(map[string]func(value){
		"when": func(v value) {
			v.allowed = "a mapping of paths to what stands there, such as {schema: acme-1, version: [1, 2]}"
			spec.When = v.conditions(places)
		},
		"each": func(v value) {
			places["each"] = v.place()
			v.allowed = "the path of an array, such as events"
			spec.Each, _ = v.onePath()
		},
		"fields": func(v value) {
			places["fields"] = v.place()
			v.allowed = "a mapping of fields to where they come from, such as {type: event, time: at}"
			v.fields(spec.Fields, places)
		},
	}, []string{"when", "each", "fields"})
	if _, ok := places["fields"]; isMapping && !ok {
		v.wrong("without fields")
	}
	return spec, places
}

func (v value) onePath() (string, bool) {
	s, ok := v.scalar()
	if ok && s == "" {
		v.wrong(`""`)
		return "", false
	}
	return s, ok
}

// conditions reads what a payload has to have.
func (v value) conditions(places map[string]place) []mapping.Condition {
	if v.node.Kind != yaml.MappingNode || len(v.node.Content) == 0 {
		v.wrong(describe(v.node))
		return nil
	}
	var list []mapping.Condition
	v.r.eachKey(v.path, v.node, func(path string, _, node *yaml.Node) {
		c := mapping.Condition{Path: path}
		one := v.sub(v.path+"."+path, "a text, or a list of them", node)
		places[fmt.Sprintf("when[%d]", len(list))] = one.place()
		c.Values = one.texts()
		list = append(list, c)
	})
	return list
}

// texts reads one text or a list of them.
func (v value) texts() []string {
	if v.node.Kind != yaml.SequenceNode {
		if s, ok := v.scalar(); ok {
			return []string{s}
		}
		return nil
	}
	var list []string
	v.list(func(_ int, e value) {
		if s, ok := e.scalar(); ok {
			list = append(list, s)
		}
	})
	return list
}

func (v value) fields(into map[string]mapping.Source, places map[string]place) {
	if v.node.Kind != yaml.MappingNode {
		v.wrong(describe(v.node))
		return
	}
	v.r.eachKey(v.path, v.node, func(name string, key, node *yaml.Node) {
		at := "fields." + name
		places[at] = place{line: key.Line, env: v.env}
		into[name] = v.sub(v.path+"."+name, "a path, a list of paths, or {from: PATH, map: {TEXT: TEXT}, value: TEXT}", node).source(at, places)
	})
}

// source reads where a field comes from.
func (v value) source(at string, places map[string]place) mapping.Source {
	var s mapping.Source
	if v.node.Kind != yaml.MappingNode {
		s.From = v.texts()
		return s
	}
	v.mapping(map[string]func(value){
		"from": func(v value) { v.allowed = "a path, or a list of paths"; s.From = v.texts() },
		"map": func(v value) {
			places[at+".map"] = v.place()
			v.allowed = "a mapping of texts to what they stand for"
			s.Map = v.words(at+".map", places)
		},
		"value": func(v value) {
			places[at+".value"] = v.place()
			v.allowed = anyText
			s.Value, _ = v.scalar()
		},
	}, []string{"from", "map", "value"})
	return s
}

// words reads a mapping of texts; nothing stands for leaving the field out.
func (v value) words(at string, places map[string]place) map[string]string {
	words := map[string]string{}
	if v.node.Kind != yaml.MappingNode {
		v.wrong(describe(v.node))
		return words
	}
	v.r.eachKey(v.path, v.node, func(word string, key, node *yaml.Node) {
		places[at+"."+word] = place{line: key.Line, env: v.env}
		if node = resolve(node); isNull(node) {
			words[word] = ""
			return
		}
		words[word], _ = v.sub(v.path+"."+word, v.allowed, node).scalar()
	})
	return words
}

// namedFormat is the name of a format where one stands, to be looked up once all formats are known.
type namedFormat struct {
	value
	key string // of the configuration
}

// formatName reads the name of a format, which may be described further on.
func (v value) formatName(key string) string {
	v.allowed = "the name of a format"
	s, ok := v.scalar()
	if ok {
		v.r.named = append(v.r.named, namedFormat{v, key})
	}
	return s
}

// formatsKnown reports names that no format has.
func (r *reader) formatsKnown() {
	known := append(provider.Names(), r.ownNames...)
	for _, n := range r.named {
		if !slices.Contains(known, n.node.Value) {
			n.allowed = strings.Join(known, ", ")
			n.wrong(strconv.Quote(n.node.Value))
			r.wrong[n.key] = true
		}
	}
}
