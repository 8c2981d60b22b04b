package jsonvalue_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sendwatch/internal/event/jsonvalue"
)

func parse(t *testing.T, text string) jsonvalue.Value {
	t.Helper()
	v, err := new(jsonvalue.Tree).Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestValue(t *testing.T) {
	v := parse(t, ` {"a":{"b":[" x ",7.50,null,{"c":true}],"b2":""},"n":1,"n":2,"o":{"k":1},"o":3,"t\u0061g":"\u00e4\n\ud83d","f":false} `)
	for name, c := range map[string]struct{ got, want any }{
		"trimmed text":          {v.Get("a", "b").First().Text(), "x"},
		"text as it is":         {v.Get("a", "b").First().Exact(), " x "},
		"last duplicate":        {v.Get("n").Text(), "2"},
		"last duplicate object": {v.Get("o", "k").Text(), ""},
		"escapes":               {v.Get("tag").Exact(), "ä\n\ufffd"},
		"through a text":        {v.Get("n", "x").IsPresent(), false},
		"absent":                {v.Get("zzz", "x").First().Text(), ""},
		"empty text":            {v.Get("a", "b2").IsPresent(), false},
		"empty text is none":    {v.Get("a", "b2").IsString(), false},
		"false is there":        {v.Get("f").IsPresent(), true},
		"false is not true":     {v.Get("f").IsTrue(), false},
		"a number is no string": {v.Get("n").Exact(), ""},
		"raw":                   {string(v.Get("a").Raw()), `{"b":[" x ",7.50,null,{"c":true}],"b2":""}`},
		"raw of a text":         {len(v.Get("tag").Raw()), 0},
		"no elements":           {v.Get("a").First().IsPresent(), false},
		"zero value":            {jsonvalue.Value{}.Get("x").IsPresent(), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %#v, want %#v", name, c.got, c.want)
		}
	}
	var texts []string
	for element := range v.Get("a", "b").Elements() {
		texts = append(texts, element.Text())
	}
	if want := []string{"x", "7.50", "", ""}; !slices.Equal(texts, want) {
		t.Errorf("elements %q, want %q", texts, want)
	}
}

func TestMembers(t *testing.T) {
	var got []string
	for key, member := range parse(t, `{"a":1,"b":{"x":[]},"a":2,"c":3}`).Members() {
		got = append(got, key+member.Text())
	}
	if want := []string{"b", "a2", "c3"}; !slices.Equal(got, want) {
		t.Errorf("members %q, want %q", got, want)
	}
	for range parse(t, `[1]`).Members() {
		t.Error("an array has no members")
	}
}

func TestNested(t *testing.T) {
	v := parse(t, `{"list":["{\"a\":\"\\u0041\"}","[1,","[7]",3]}`)
	var got []string
	for element := range v.Get("list").Elements() {
		inner, err := element.Nested()
		if err != nil {
			got = append(got, "error")
			continue
		}
		got = append(got, inner.Get("a").Text()+inner.First().Text())
	}
	if want := []string{"A", "error", "7", "error"}; !slices.Equal(got, want) {
		t.Errorf("nested %q, want %q", got, want)
	}
	if _, err := (jsonvalue.Value{}).Nested(); err == nil {
		t.Error("an absent text has nothing nested")
	}
}

func TestTextsSurviveNext(t *testing.T) {
	tree := new(jsonvalue.Tree)
	v, _ := tree.Parse([]byte(`{"a":"\u0041"}`))
	text := v.Get("a").Text()
	tree.Next()
	if _, err := tree.Parse([]byte(`{"a":"\u0042"}`)); err != nil || text != "A" {
		t.Fatalf("%q, want A (%v)", text, err)
	}
}

func TestDepth(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := strings.Repeat(`{"":`, jsonvalue.MaxDepth) + "{}" + strings.Repeat("}", jsonvalue.MaxDepth)
	for text, want := range map[string]bool{
		deep(jsonvalue.MaxDepth): true, deep(jsonvalue.MaxDepth + 1): false, objects: false,
		`["` + strings.Repeat("[", 3000) + `"]`:                              true,
		"[" + strings.Repeat("[],", 3000) + "[]]":                            true,
		"[" + strings.Repeat("[],", 3000) + deep(jsonvalue.MaxDepth-1) + "]": true,
		"[" + strings.Repeat("[],", 3000) + deep(jsonvalue.MaxDepth) + "]":   false,
		deep(20000): false,
	} {
		_, err := new(jsonvalue.Tree).Parse([]byte(text))
		if (err == nil) != want {
			t.Errorf("tree: %.20s… of %d bytes: %v, want good = %t", text, len(text), err, want)
		}
		if text[0] != '[' {
			continue
		}
		_, err = new(jsonvalue.Batch).Split([]byte(text))
		if (err == nil) != want {
			t.Errorf("batch: %.20s… of %d bytes: %v, want good = %t", text, len(text), err, want)
		}
	}
}

func TestErrorsQuoteNothing(t *testing.T) {
	for _, text := range []string{
		`{"ann@example.org":{"ann@example.org":ann@example.org}}`, `{"a":"ann@example.org`, `["ann@example.org"] ann@example.org`,
		`{"a":1,}`, `{"a" "ann@example.org"}`, `ann@example.org`, ``, ` `,
	} {
		_, err := new(jsonvalue.Tree).Parse([]byte(text))
		if err == nil || strings.Contains(err.Error(), "ann") {
			t.Errorf("%s: %v, want an error that quotes nothing", text, err)
		}
	}
}

func TestSteadyTreeAllocatesNothing(t *testing.T) {
	tree, text := new(jsonvalue.Tree), []byte(`{"a":["x\u0041",{"b":1}],"c":"d"}`)
	if got := testing.AllocsPerRun(100, func() {
		tree.Reset()
		if _, err := tree.Parse(text); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("%v allocations, want none", got)
	}
}

// FuzzParse holds the tree against the standard library: which texts are JSON, and what is in them.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,"x\ud83d",null,true],"a":{}}`, `[[],[1e5]]x`, `"\u0041"`, `{"a":1,}`, "[\"\xff\"]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := new(jsonvalue.Tree).Parse(text)
		if (err == nil) != json.Valid(text) {
			t.Fatalf("%q: %v, but valid = %t", text, err, json.Valid(text))
		}
		if err != nil {
			return
		}
		var std any
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(&std); err != nil {
			t.Fatal(err)
		}
		compare(t, v, std)
		if v.IsArray() {
			elements, err := new(jsonvalue.Batch).Split(text)
			if err != nil || len(elements) != len(std.([]any)) {
				t.Fatalf("%q: %d elements, %v", text, len(elements), err)
			}
		}
	})
}

func compare(t *testing.T, v jsonvalue.Value, std any) {
	t.Helper()
	switch std := std.(type) {
	case map[string]any:
		for key, member := range std {
			compare(t, v.Get(key), member)
		}
		if !json.Valid(v.Raw()) {
			t.Fatalf("raw %q", v.Raw())
		}
	case []any:
		i := 0
		for element := range v.Elements() {
			compare(t, element, std[i])
			i++
		}
		if i != len(std) {
			t.Fatalf("%d elements, want %d", i, len(std))
		}
	case string:
		if v.Exact() != std {
			t.Fatalf("%q, want %q", v.Exact(), std)
		}
	case json.Number:
		if v.Text() != std.String() {
			t.Fatalf("%s, want %s", v.Text(), std)
		}
	case bool:
		if v.IsTrue() != std {
			t.Fatalf("true = %t, want %t", v.IsTrue(), std)
		}
	case nil:
		if v.IsPresent() {
			t.Fatal("null is present")
		}
	}
}
