package mapping

import (
	"strings"
	"testing"

	"sendwatch/internal/event/jsonvalue"
)

func parse(t testing.TB, text string) jsonvalue.Value {
	t.Helper()
	v, err := new(jsonvalue.Tree).Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestPaths(t *testing.T) {
	record := parse(t, `{"a":{"b":1,"x.y":2,"it's":3},"list":[{"n":4},{"n":5}],"@type":6,"account":7,"events":[{"account":8,"to":[{"m":"p"},{"m":"q"}]}]}`)
	element := record.Get("events").First()
	for path, want := range map[string]string{
		"$.a.b": "1", "$.a['x.y']": "2", `$.a["it's"]`: "3", "$.list[0].n": "4", "$.list[1].n": "5", "$.list[-1].n": "5", "$.list[-2]['n']": "4",
		"$.list[2].n": "", "$.list[-3].n": "", "$.list.n": "", "$.a[0]": "", "$['@type']": "6", "$.@type": "6", "account": "8", "@.account": "8",
		"@['account']": "8", "$.account": "7", "$['account']": "7", "to[*].m": "p q", "$.events[*].account": "8", "$.list[*].n": "4 5",
		"to.m": "", "['to'][0].m": "p", "absent[*].m": "", "$.events[0].to[*].m": "p q",
	} {
		p, err := ParsePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var got []string
		for v := range p.all(record, element) {
			if text := v.Text(); text != "" {
				got = append(got, text)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s leads to %q, want %q", path, got, want)
		}
	}
}

func TestBadPaths(t *testing.T) {
	for path, want := range map[string]string{
		"": "an empty text", "a.": "a key is missing", "a..b": "a key is missing", ".": "a key is missing", "$.": "a key is missing",
		"$a": "without a dot", "a[0]b": "without a dot", "a[": "not closed", "a['b": "not closed", "a['b'": "not closed", "a['b'.c": "not closed",
		"a[x]": "neither a number", "a[]": "neither a number", "a[1.5]": "neither a number", "a[99999999]": "neither a number",
		"a b": "needs ['…']", "a]": "needs ['…']", "a'b": "needs ['…']", "a[*].b[*]": "[*] twice",
	} {
		if _, err := ParsePath(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", path, err, want)
		}
	}
}

// FuzzParsePath looks for paths that are taken and lead astray: each has to stop at what is there.
func FuzzParsePath(f *testing.F) {
	for _, s := range []string{"a.b", "$.a[0]['x.y']", "@", "@[-1]", "a[*].b", "[''].c", "$"} {
		f.Add(s)
	}
	record := parse(f, `{"a":[{"b":1},{"":2}],"":{"c":3},"x":{"a":[[4]]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePath(text)
		if err != nil {
			return
		}
		for v := range p.all(record, record) {
			_ = scalar(v)
		}
		if again, err := ParsePath(p.String()); err != nil && p.String() != "" || err == nil && len(again.steps) != len(p.steps) {
			t.Errorf("%q is told as %q, which is another path: %v", text, p, err)
		}
	})
}
