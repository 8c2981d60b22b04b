package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func from(paths ...string) Source { return Source{From: paths} }

func TestMistakes(t *testing.T) {
	good := func(change func(*Spec)) Spec {
		s := Spec{Name: "own", Fields: map[string]Source{"type": from("event"), "time": from("at")}}
		change(&s)
		return s
	}
	for name, c := range map[string]struct {
		spec Spec
		want string // KEY: FOUND, lines of which each begins so
	}{
		"good":                {good(func(*Spec) {}), ""},
		"nothing":             {Spec{}, "fields: without type and time"},
		"unknown field":       {good(func(s *Spec) { s.Fields["rcpt"] = from("x") }), "fields.rcpt: no field of an event"},
		"no source":           {good(func(s *Spec) { s.Fields["id"] = Source{} }), "fields.id: nothing"},
		"bad path":            {good(func(s *Spec) { s.Fields["id"] = from("a..b") }), `fields.id: "a..b", where a key is missing`},
		"bad path of several": {good(func(s *Spec) { s.Fields["id"] = from("a", "b[") }), `fields.id[1]: "b["`},
		"several":             {good(func(s *Spec) { s.Fields["id"] = from("a[*]") }), `fields.id: "a[*]"`},
		"several recipients":  {good(func(s *Spec) { s.Fields["recipient"] = from("a[*].b") }), ""},
		"the payload":         {good(func(s *Spec) { s.Fields["id"] = from("$") }), `fields.id: "$", which is the whole payload`},
		"unknown type":        {good(func(s *Spec) { s.Fields["type"] = Source{From: []string{"e"}, Map: map[string]string{"x": "sent"}} }), `fields.type.map.x: "sent"`},
		"no type":             {good(func(s *Spec) { s.Fields["type"] = Source{From: []string{"e"}, Map: map[string]string{"x": ""}} }), `fields.type.map.x: nothing`},
		"constant type":       {good(func(s *Spec) { s.Fields["type"] = Source{Value: "open"} }), ""},
		"wrong constant":      {good(func(s *Spec) { s.Fields["type"] = Source{Value: "opened"} }), `fields.type.value: "opened"`},
		"ignore":              {good(func(s *Spec) { s.Fields["type"] = Source{From: []string{"e"}, Map: map[string]string{"*": Ignore}} }), ""},
		"unknown class": {good(func(s *Spec) {
			s.Fields["bounce.class"] = Source{From: []string{"e"}, Map: map[string]string{"x": "firm", "y": ""}}
		}), `fields.bounce.class.map.x: "firm"`},
		"unknown kind":       {good(func(s *Spec) { s.Fields["complaint.kind"] = Source{Value: "spam"} }), `fields.complaint.kind.value: "spam"`},
		"unknown method":     {good(func(s *Spec) { s.Fields["unsubscribe.method"] = Source{Value: "phone"} }), `fields.unsubscribe.method.value: "phone"`},
		"neither":            {good(func(s *Spec) { s.Fields["machine"] = Source{Value: "yes"} }), `fields.machine.value: "yes"`},
		"map of times":       {good(func(s *Spec) { s.Fields["time"] = Source{From: []string{"at"}, Map: map[string]string{"x": "y"}} }), "fields.time.map: given for time"},
		"constant recipient": {good(func(s *Spec) { s.Fields["recipient"] = Source{Value: "a@b.c"} }), "fields.recipient.value: given for recipient"},
		"map without from":   {good(func(s *Spec) { s.Fields["id"] = Source{Map: map[string]string{"x": "y"}, Value: "z"} }), "fields.id.map: given without from"},
		"names that differ": {good(func(s *Spec) {
			s.Fields["id"] = Source{From: []string{"e"}, Map: map[string]string{"x": "y", "X": "z"}}
		}), `fields.id.map.x: "x" besides "X"`},
		"test without a value": {good(func(s *Spec) { s.When = []Condition{{Path: "a"}} }), "when[0]: no value"},
		"test of an empty one": {good(func(s *Spec) { s.When = []Condition{{"a", []string{"x"}}, {"b", []string{""}}} }), "when[1]: no value"},
		"test of nothing":      {good(func(s *Spec) { s.When = []Condition{{"[0].a", []string{"x"}}} }), `when[0]: "[0].a"`},
		"bad batch":            {good(func(s *Spec) { s.Each = "a[*]" }), `each: "a[*]"`},
	} {
		f, problems := New(c.spec)
		var got []string
		for _, p := range problems {
			if p.Want == "" {
				t.Errorf("%s: %s does not say what is allowed", name, p.Key)
			}
			got = append(got, p.Key+": "+p.Found)
		}
		if (f == nil) != (len(problems) > 0) {
			t.Errorf("%s: %v with %v", name, f, problems)
		}
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "\n")
		}
		ok := len(got) == len(want)
		for i := range want {
			ok = ok && strings.HasPrefix(got[i], want[i])
		}
		if !ok {
			t.Errorf("%s: %s", name, cmp.Diff(want, got))
		}
	}
}

func TestFieldNamesAreThoseOfTheNativeForm(t *testing.T) {
	want := "type time id recipient message_id tenant ip pool domain campaign stream provider bounce.class bounce.category bounce.code " +
		"bounce.async complaint.kind unsubscribe.method optin.double machine sent_at"
	if got := strings.Join(FieldNames(), " "); got != want {
		t.Errorf("fields %s", got)
	}
}
