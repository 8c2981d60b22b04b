package config

import (
	"fmt"
	"strings"
)

// Problem is one mistake: where it is, what was found there and what is allowed.
type Problem struct {
	Where   string // FILE:LINE, or the name of an environment variable
	Found   string
	Allowed string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s: %s, allowed: %s", p.Where, p.Found, p.Allowed)
}

// Problems are all mistakes of a configuration, in the order of the file. As an error it has a line for each.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}
