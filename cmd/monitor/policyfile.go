package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

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
		} else if some, err = config.ParsePolicies(name, content); err != nil {
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
