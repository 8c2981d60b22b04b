package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"sendwatch/internal/config"
	"sendwatch/internal/policy"
)

// namedPolicies are the policies that names stand for: built-in ones, and those of files.
func namedPolicies(cmd *cobra.Command, names []string) ([]policy.Policy, error) {
	var found []policy.Policy
	for _, name := range names {
		some := []policy.Policy{}
		if pack, ok := policy.Pack(name); ok {
			some = append(some, pack)
		} else if content, err := os.ReadFile(name); errors.Is(err, os.ErrNotExist) {
			return nil, usagef("--policy %q is neither a file nor one of the built-in policies %s", name, strings.Join(policy.PackNames(), ", "))
		} else if err != nil {
			return nil, err
		} else if some, err = parsePolicies(name, content); err != nil {
			fmt.Fprintln(cmd.ErrOrStderr(), err)
			return nil, &exitError{code: exitUsage}
		}
		for _, p := range some {
			if slices.ContainsFunc(found, func(o policy.Policy) bool { return o.Name == p.Name }) {
				return nil, usagef("--policy %s: a policy %q was given before", name, p.Name)
			}
			found = append(found, p)
		}
	}
	return found, nil
}

// parsePolicies reads the policies of a file: a configuration with the key policies, a list of policies, or a single one. The
// environment changes nothing.
func parsePolicies(name string, content []byte) ([]policy.Policy, error) {
	text, before := asConfig(content)
	c, err := config.Parse(name, []byte(text), nil)
	if problems, ok := errors.AsType[config.Problems](err); ok {
		for i := range problems {
			problems[i].Where = earlier(problems[i].Where, before)
		}
		return nil, problems
	}
	if err != nil {
		return nil, err
	}
	return c.Policies, nil
}

// asConfig turns a list of policies, or a single one, into a configuration that has them, and says how many lines it put
// before them.
func asConfig(content []byte) (text string, before int) {
	var doc yaml.Node
	if yaml.Unmarshal(content, &doc) != nil || len(doc.Content) == 0 {
		return string(content), 0
	}
	switch root := doc.Content[0]; {
	case root.Kind == yaml.SequenceNode && root.Style&yaml.FlowStyle == 0:
		return "policies:\n" + string(content), 1
	case root.Kind == yaml.MappingNode && hasKey(root, "limits"):
		lines := strings.Split(string(content), "\n")
		return "policies:\n-\n  " + strings.Join(lines, "\n  "), 2
	}
	return string(content), 0
}

func hasKey(mapping *yaml.Node, key string) bool {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return true
		}
	}
	return false
}

// earlier moves the line of FILE:LINE up.
func earlier(where string, lines int) string {
	i := strings.LastIndexByte(where, ':')
	if n, err := strconv.Atoi(where[i+1:]); err == nil && i > 0 {
		return where[:i+1] + strconv.Itoa(max(1, n-lines))
	}
	return where
}
