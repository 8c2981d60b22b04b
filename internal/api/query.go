package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/problem"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// query reads the parameters of a request and gathers every mistake, so that a caller sees them all at once.
type query struct {
	values   url.Values
	mistakes []problem.Field
}

// parseQuery accepts only these parameters, each at most once.
func parseQuery(r *http.Request, known ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.fail("query", "not well formed: percent-encode special characters, separate parameters with &")
	}
	for name, texts := range values {
		switch {
		case !slices.Contains(known, name) && len(known) == 0:
			q.fail(paramName(name), "unknown parameter; this call takes none")
		case !slices.Contains(known, name):
			q.fail(paramName(name), "unknown parameter; this call takes %s", strings.Join(known, ", "))
		case len(texts) > 1:
			q.fail(name, "given more than once; give it once")
		}
	}
	slices.SortFunc(q.mistakes, func(a, b problem.Field) int { return strings.Compare(a.Name, b.Name) })
	return q
}

// paramName shows the name of an unknown parameter unless it could be somebody's address in the wrong place.
func paramName(name string) string {
	if len(name) > 40 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '@' }) {
		return "(a name not shown here)"
	}
	return name
}

func (q *query) fail(name, format string, args ...any) {
	q.mistakes = append(q.mistakes, problem.Field{Name: name, Detail: fmt.Sprintf(format, args...)})
}

// err is nil or the problem that names all mistakes.
func (q *query) err() error {
	if len(q.mistakes) == 0 {
		return nil
	}
	texts := make([]string, len(q.mistakes))
	for i, m := range q.mistakes {
		texts[i] = m.Name + ": " + m.Detail
	}
	p := problem.New(http.StatusBadRequest, "%s", strings.Join(texts, "; "))
	p.Errors = q.mistakes
	return p
}

func (q *query) has(name string) bool { return q.values.Has(name) }

// text is the parameter's value, "" when absent.
func (q *query) text(name string) string { return q.values.Get(name) }

// required is the value of a parameter that must be there and not empty.
func (q *query) required(name, example string) string {
	v := q.values.Get(name)
	if v == "" {
		q.fail(name, "missing; add it, like %s=%s", name, example)
	}
	return v
}

// time reads an RFC 3339 time; zero when absent.
func (q *query) time(name string) time.Time {
	text := q.values.Get(name)
	if text == "" {
		if q.has(name) {
			q.fail(name, "empty; write a time like 2026-03-01T12:00:00Z")
		}
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		// A plus sign that was not encoded arrives as a space: the commonest mistake.
		t, err = time.Parse(time.RFC3339, strings.ReplaceAll(text, " ", "+"))
	}
	switch {
	case err != nil:
		q.fail(name, "%s is not an RFC 3339 time; write it like 2026-03-01T12:00:00Z", answer.Quote(text))
	case t.IsZero():
		q.fail(name, "that time is not possible; write one like 2026-03-01T12:00:00Z")
	}
	return t.UTC()
}

func (q *query) requiredTime(name string) time.Time {
	if q.values.Get(name) == "" && !q.has(name) {
		q.fail(name, "missing; add it, like %s=2026-03-01T12:00:00Z", name)
		return time.Time{}
	}
	return q.time(name)
}

// limit reads how many to answer with.
func (q *query) limit() int {
	text := q.values.Get("limit")
	if text == "" && !q.has("limit") {
		return answer.DefaultPage
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > answer.MaxPage {
		q.fail("limit", "%s is not allowed; use 1 to %d", answer.Quote(text), answer.MaxPage)
	}
	return n
}

// filter reads window and rate.
func (q *query) filter() policy.Filter {
	f := policy.Filter{Window: q.values.Get("window")}
	text := q.values.Get("rate")
	if text == "" {
		return f
	}
	rate, ok := windows.ParseRate(text)
	if !ok {
		var names []string
		for r := range windows.NumRates {
			names = append(names, windows.Rate(r).String())
		}
		q.fail("rate", "%s is not a rate; use %s", answer.Quote(text), strings.Join(names, ", "))
		return f
	}
	f.Rate = &rate
	return f
}

// verdicts reads one verdict or several with commas between them.
func (q *query) verdicts() []policy.Verdict {
	text := q.values.Get("verdict")
	if text == "" {
		return nil
	}
	all := []policy.Verdict{policy.NoData, policy.LowVolume, policy.OK, policy.Watch, policy.Breach}
	var out []policy.Verdict
	for name := range strings.SplitSeq(text, ",") {
		i := slices.IndexFunc(all, func(v policy.Verdict) bool { return v.String() == strings.TrimSpace(name) })
		if i < 0 {
			q.fail("verdict", "%s is not a verdict; use no_data, low_volume, ok, watch, breach, or several with commas", answer.Quote(name))
			return nil
		}
		out = append(out, all[i])
	}
	return out
}

// state reads firing, resolved or all; absent is all.
func (q *query) state() *alerts.State {
	switch text := q.values.Get("status"); text {
	case "", "all":
		return nil
	case "firing":
		return new(alerts.Firing)
	case "resolved":
		return new(alerts.Closed)
	default:
		q.fail("status", "%s is not a status; use firing, resolved or all", answer.Quote(text))
		return nil
	}
}

// step reads a bucket size.
func (q *query) step() windows.Step {
	text := q.required("step", "1h")
	s, ok := windows.ParseStep(text)
	if !ok && text != "" {
		q.fail("step", "%s is not a step; use 1m, 1h or 1d", answer.Quote(text))
	}
	return s
}
