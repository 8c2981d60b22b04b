package policy

import "unicode/utf8"

// Glob tells whether a value matches a pattern as a whole: '*' stands for any characters, '?' for one, and a backslash takes
// the next character as it is. There are no classes, and case matters.
func Glob(pattern, value string) bool {
	// Only the last star can be wrong about how much it took, so there is at most one place to go back to.
	backPattern, backValue := "", ""
	star := false
	for {
		if pattern != "" && pattern[0] == '*' {
			pattern = pattern[1:]
			star, backPattern, backValue = true, pattern, value
			continue
		}
		if p, v, ok := oneCharacter(pattern, value); ok {
			pattern, value = p, v
			continue
		}
		if pattern == "" && value == "" {
			return true
		}
		if !star || backValue == "" {
			return false
		}
		_, size := utf8.DecodeRuneInString(backValue)
		backValue = backValue[size:]
		pattern, value = backPattern, backValue
	}
}

// oneCharacter takes one character off both sides.
func oneCharacter(pattern, value string) (string, string, bool) {
	if pattern == "" || value == "" {
		return "", "", false
	}
	want, size := utf8.DecodeRuneInString(pattern)
	_, got := utf8.DecodeRuneInString(value)
	if want == '?' {
		return pattern[size:], value[got:], true
	}
	if want == '\\' && len(pattern) > 1 {
		pattern = pattern[1:]
		_, size = utf8.DecodeRuneInString(pattern)
	}
	// Bytes are compared, not characters: two broken sequences are not the same text.
	if pattern[:size] != value[:got] {
		return "", "", false
	}
	return pattern[size:], value[got:], true
}
