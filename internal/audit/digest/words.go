package digest

import (
	"strconv"
	"strings"
	"time"
)

// Percent writes a share for people: three significant digits and a sign, "-" when there is none.
func Percent(share *float64) string {
	if share == nil {
		return "-"
	}
	text := strconv.FormatFloat(*share*100, 'g', 3, 64)
	if strings.Contains(text, "e") { // 1e+03, 1e-07
		decimals := -1
		if *share >= 1 {
			decimals = 0
		}
		text = strconv.FormatFloat(*share*100, 'f', decimals, 64)
	}
	return text + "%"
}

// Thousands groups the digits of a count: 1,234,567.
func Thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Count writes a number with its noun: "1 alert", "12 alerts".
func Count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Thousands(int64(n)) + " " + noun
}

// Moment writes a time to the second, in UTC; "-" for none.
func Moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// PolicyName is a policy with the name of its limit, where that has one.
func PolicyName(policy, limit string) string {
	if limit == "" {
		return policy
	}
	return policy + " (" + limit + ")"
}
