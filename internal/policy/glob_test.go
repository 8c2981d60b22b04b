package policy

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{"acme", "acme", true}, {"acme", "acme2", false}, {"acme*", "acme", true}, {"acme*", "acme-eu", true}, {"*acme", "big acme", true},
		{"a*e", "ae", true}, {"*", "", true}, {"", "", true}, {"", "x", false}, {"?", "é", true}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"ACME", "acme", false}, {`a\*`, "a*", true}, {`a\*`, "ab", false}, {`a\`, `a\`, true}, {"*a*b*", "xxaxxbxx", true},
		{"*a*b", "ab ab a", false}, {"198.51.100.*", "198.51.100.7", true}, {"198.51.100.*", "198.51.10007", false}, {"2001:db8::*", "2001:db8::1", true},
		{"[a]", "[a]", true}, {"[a]", "a", false}, {"?", "\xff", true}, {"\xfe", "\xff", false},
	} {
		if got := Glob(c.pattern, c.value); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.value, got)
		}
	}
	// No pattern may take more than a moment.
	if Glob(strings.Repeat("*a", 1000)+"b", strings.Repeat("a", 100_000)) {
		t.Error("a pattern that ends in b matches a text without one")
	}
}

func TestGlobAgainstRegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune(`ab*?\é`)), 0, 8, -1).Draw(t, "pattern")
		value := rapid.StringOfN(rapid.SampledFrom([]rune(`aab*é\`)), 0, 10, -1).Draw(t, "value")
		var form strings.Builder
		runes := []rune(pattern)
		for i := 0; i < len(runes); i++ {
			switch {
			case runes[i] == '*':
				form.WriteString(".*")
			case runes[i] == '?':
				form.WriteString(".")
			case runes[i] == '\\' && i+1 < len(runes):
				i++
				form.WriteString(regexp.QuoteMeta(string(runes[i])))
			default:
				form.WriteString(regexp.QuoteMeta(string(runes[i])))
			}
		}
		want := regexp.MustCompile(`(?s)^(?:` + form.String() + `)$`).MatchString(value)
		if got := Glob(pattern, value); got != want {
			t.Fatalf("%q on %q: %v, want %v", pattern, value, got, want)
		}
	})
}
