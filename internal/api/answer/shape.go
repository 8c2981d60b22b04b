package answer

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/api/problem"
	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// Shape is the part of the configuration that says what can be asked for.
type Shape struct {
	Combinations []windows.Combination
	Windows      []windows.Window
	Retention    windows.Retention
	MaxAhead     time.Duration // events may lie so far ahead of the clock
	Engagement   engagement.Rules
	Policies     []string // names, for people
}

// Combination finds the configured combination of these dimensions, in any order.
func (s *Shape) Combination(dimensions []windows.Dimension) (windows.Combination, bool) {
	want := slices.Sorted(slices.Values(dimensions))
	for _, c := range s.Combinations {
		if slices.Equal(slices.Sorted(slices.Values(c)), want) {
			return c, true
		}
	}
	return nil, false
}

// Subject brings a subject key into the form in which it is kept: dimensions in configured order. The problem says which
// keys there can be.
func (s *Shape) Subject(key string) (string, *problem.Problem) {
	labels, ok := windows.ParseSubject(key)
	if !ok {
		return "", problem.New(http.StatusBadRequest, "subject: %s is not a subject key; write it like tenant=acme,provider=gmail "+
			"with %%, comma and = in values percent-encoded, or all for everything", Quote(key))
	}
	dimensions := make([]windows.Dimension, len(labels))
	for i, l := range labels {
		dimensions[i] = l.Dimension
	}
	c, ok := s.Combination(dimensions)
	if !ok {
		return "", problem.New(http.StatusBadRequest, "subject: subjects of [%s] are not counted; the configuration counts %s",
			windows.Combination(dimensions), s.combinationNames())
	}
	values := make([]string, len(c))
	for i, d := range c {
		values[i] = windows.Labels(labels).Get(d)
	}
	return string(c.AppendSubject(nil, values...)), nil
}

// Dimensions reads "tenant,provider"; the empty text is the combination of the subject "all".
func (s *Shape) Dimensions(text string) (windows.Combination, *problem.Problem) {
	var dimensions []windows.Dimension
	if text != "" {
		for name := range strings.SplitSeq(text, ",") {
			d, ok := windows.ParseDimension(strings.TrimSpace(name))
			if !ok {
				return nil, problem.New(http.StatusBadRequest, "dimensions: %s is not a dimension; the configuration counts %s",
					Quote(name), s.combinationNames())
			}
			dimensions = append(dimensions, d)
		}
	}
	c, ok := s.Combination(dimensions)
	if !ok {
		return nil, problem.New(http.StatusBadRequest, "dimensions: [%s] is not counted; the configuration counts %s",
			windows.Combination(dimensions), s.combinationNames())
	}
	return c, nil
}

// Window finds a window by its name; "" is none and right.
func (s *Shape) Window(name string) *problem.Problem {
	if name == "" || slices.ContainsFunc(s.Windows, func(w windows.Window) bool { return w.Name == name }) {
		return nil
	}
	names := make([]string, len(s.Windows))
	for i, w := range s.Windows {
		names[i] = w.Name
	}
	return problem.New(http.StatusBadRequest, "window: %s is not configured; use %s", Quote(name), strings.Join(names, ", "))
}

func (s *Shape) combinationNames() string {
	names := make([]string, len(s.Combinations))
	for i, c := range s.Combinations {
		names[i] = "[" + c.String() + "]"
	}
	return strings.Join(names, " ")
}

var harmless = regexp.MustCompile(`^[A-Za-z0-9_.:+=,/ -]{1,60}$`)

// Quote shows a value that was sent in a message about it, unless it is long or could hold an address.
func Quote(value string) string {
	if harmless.MatchString(value) {
		return `"` + value + `"`
	}
	return "this value"
}
