package config

import (
	"fmt"
	"os"

	"go.yaml.in/yaml/v4"

	"sendwatch/internal/policy"
)

// LoadPolicies is ParsePolicies for a file. The error is a Problems when the content is wrong, another one when the file cannot
// be read.
func LoadPolicies(path string) ([]policy.Policy, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return ParsePolicies(path, data)
}

// ParsePolicies reads the policies of a file, written as in the key policies: one ({name: …, limits: […]}), a list of them and
// of names of packs, or a whole configuration that has the key. The environment changes nothing. name is what messages call the
// file.
func ParsePolicies(name string, data []byte) ([]policy.Policy, error) {
	r := newReader(name)
	root := r.root(data)
	switch {
	case len(r.problems) > 0:
	case root == nil:
		r.bad(place{}, "an empty file", "a policy, a list of policies, or a configuration with the key policies")
	case root.Kind == yaml.MappingNode && !hasPolicies(root):
		if p, ok := (value{r: r, path: "policy", allowed: "a policy: {name: NAME, limits: [...]}", node: root}).policy(); ok {
			r.config.Policies = []policy.Policy{p}
		}
	case root.Kind == yaml.SequenceNode:
		k, _ := r.findKey("policies")
		r.set(k, root, place{line: root.Line})
	default:
		r.section("", root)
		r.finish()
	}
	if err := r.mistakes(); err != nil {
		return nil, err
	}
	return r.config.Policies, nil
}

// hasPolicies tells a configuration from a single policy.
func hasPolicies(root *yaml.Node) bool {
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "policies" {
			return true
		}
	}
	return false
}
