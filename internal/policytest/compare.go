package policytest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"sendwatch/internal/alerts"
)

// Expectation is an alert record that has to come. Empty texts ask for nothing.
type Expectation struct {
	Line     int
	At       *Span // nil = whenever
	Change   string
	Severity string
	Policy   string
	Limit    string // its name
	Rate     string
	Window   string
	Subject  string // its key
}

// Span is when a record may come, after the start, both ends included.
type Span struct{ From, To time.Duration }

func (s Span) String() string {
	if s.From == s.To {
		return durationText(s.From)
	}
	return durationText(s.From) + ".." + durationText(s.To)
}

func (x *Expectation) fields() [7]string {
	return [7]string{x.Change, x.Severity, x.Policy, x.Limit, x.Rate, x.Window, x.Subject}
}

// Difference is what was expected and did not come (Got is nil), what came and was not expected (Want is nil), or what came
// otherwise than it was expected.
type Difference struct {
	Want *Expectation
	Got  *alerts.Record
}

// Compare finds an own record for each expectation, as many as can be, and returns what is left over: in the order of the
// expectations, then in that of the records.
func (c *Case) Compare(got []alerts.Record) []Difference {
	recordOf := c.match(got)
	taken := make([]bool, len(got))
	for _, i := range recordOf {
		if i >= 0 {
			taken[i] = true
		}
	}
	var list []Difference
	for x := range c.Want {
		if recordOf[x] >= 0 {
			continue
		}
		d := Difference{Want: &c.Want[x]}
		if i := c.nearest(&c.Want[x], got, taken); i >= 0 {
			taken[i] = true
			d.Got = &got[i]
		}
		list = append(list, d)
	}
	for i := range got {
		if !taken[i] {
			list = append(list, Difference{Got: &got[i]})
		}
	}
	return list
}

// match gives expectations records that meet them: a largest matching by augmenting paths, so that one which asks for little
// does not take the record that another needs. It returns the record of each expectation, -1 for none.
func (c *Case) match(got []alerts.Record) []int {
	recordOf, takenBy := make([]int, len(c.Want)), make([]int, len(got))
	for i := range takenBy {
		takenBy[i] = -1
	}
	var find func(x int, seen []bool) bool
	find = func(x int, seen []bool) bool {
		for i := range got {
			if seen[i] || !c.meets(&c.Want[x], &got[i]) {
				continue
			}
			seen[i] = true
			if takenBy[i] < 0 || find(takenBy[i], seen) {
				takenBy[i], recordOf[x] = x, i
				return true
			}
		}
		return false
	}
	for x := range c.Want {
		recordOf[x] = -1
	}
	for x := range c.Want {
		find(x, make([]bool, len(got)))
	}
	return recordOf
}

func (c *Case) meets(x *Expectation, r *alerts.Record) bool { return len(c.misses(x, r)) == 0 }

// misses says in which fields the record is not what was expected.
func (c *Case) misses(x *Expectation, r *alerts.Record) []string {
	var list []string
	if at := r.EvaluatedAt.Sub(c.Start); x.At != nil && (at < x.At.From || at > x.At.To) {
		list = append(list, fmt.Sprintf("at is %s, expected %s", durationText(at), x.At))
	}
	got := fieldsOf(r)
	for i, want := range x.fields() {
		if want != "" && want != got[i] {
			list = append(list, fmt.Sprintf("%s is %s, expected %s", FieldNames()[i], quoted(got[i]), quoted(want)))
		}
	}
	return list
}

// nearest finds the record, not taken yet, that misses least of an expectation; none when they are about different things.
func (c *Case) nearest(x *Expectation, got []alerts.Record, taken []bool) int {
	const most = 2 // fields that may differ
	best, fewest := -1, most+1
	for i := range got {
		if n := len(c.misses(x, &got[i])); !taken[i] && n < fewest {
			best, fewest = i, n
		}
	}
	return best
}

// Lines tell a difference: "-" what was expected, "+" what came, as a file writes it, and what differs.
func (c *Case) Lines(d Difference) []string {
	var list []string
	if d.Want != nil {
		list = append(list, "- "+d.Want.String())
	}
	if d.Got != nil {
		list = append(list, "+ "+c.text(d.Got))
	}
	if d.Want != nil && d.Got != nil {
		list = append(list, "  "+strings.Join(c.misses(d.Want, d.Got), "; "))
	}
	return list
}

// String writes the expectation as a file does.
func (x *Expectation) String() string {
	at := ""
	if x.At != nil {
		at = x.At.String()
	}
	return entry(at, x.fields())
}

// text writes a record as the expectation of it, with its figures as a comment.
func (c *Case) text(r *alerts.Record) string {
	judged := "no data"
	if r.Observed.Judged != nil {
		judged = fmt.Sprintf("%.3g%%", *r.Observed.Judged*100)
	}
	return fmt.Sprintf("%s # %d of %d, %s", entry(durationText(r.EvaluatedAt.Sub(c.Start)), fieldsOf(r)), r.Observed.Numerator, r.Observed.Exposure, judged)
}

func entry(at string, fields [7]string) string {
	var parts []string
	if at != "" {
		parts = append(parts, "at: "+at)
	}
	for i, text := range fields {
		if text != "" {
			parts = append(parts, FieldNames()[i]+": "+quoted(text))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// quoted writes a text as YAML takes it between braces: as it is when it is plain, else as a JSON string.
func quoted(text string) string {
	if text != "" && strings.IndexFunc(text, func(r rune) bool {
		return !('a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune("=._-", r))
	}) < 0 {
		return text
	}
	b, _ := json.Marshal(text) // texts always can be
	return string(b)
}

// durationText writes a duration without the zeros that time.Duration adds: 15m, not 15m0s.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
