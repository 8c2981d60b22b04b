package provider_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/mapping"
	"sendwatch/internal/event/provider/providertest"
)

func from(paths ...string) mapping.Source { return mapping.Source{From: paths} }

func own(t testing.TB, s mapping.Spec) *mapping.Format {
	t.Helper()
	f, problems := mapping.New(s)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return f
}

// acme uses everything that a description has.
func acme() mapping.Spec {
	return mapping.Spec{
		Name: "acme",
		When: []mapping.Condition{{Path: "schema.name", Values: []string{"acme-mail", "acme-mail-2"}}, {Path: "version", Values: []string{"*"}}},
		Each: "events",
		Fields: map[string]mapping.Source{
			"type": {From: []string{"kind"}, Map: map[string]string{"OK": "delivery", "hard": "bounce", "full": "bounce", "fbl": "complaint", "left": "unsubscribe",
				"seen": "open", "joined": "optin", "hello": mapping.Ignore}},
			"time": from("at", "$.at"), "id": from("uid"), "recipient": from("rcpt", "to[*].mail"), "message_id": from("headers['message-id']"),
			"tenant": {From: []string{"$.account.id"}, Value: "house"}, "ip": from("out.ip"), "pool": {Value: "shared"}, "domain": from("sender"),
			"campaign": {From: []string{"tag"}, Map: map[string]string{"": "", "none": ""}}, "provider": from("isp"),
			"stream":       {From: []string{"s"}, Map: map[string]string{"1": "news", "*": "rest"}},
			"bounce.class": {From: []string{"class"}, Map: map[string]string{"mailbox-full": "soft"}}, "bounce.code": from("status", "text"),
			"bounce.category": from("reason"), "bounce.async": from("late"),
			"complaint.kind":     from("fbl"),
			"unsubscribe.method": {From: []string{"how"}, Map: map[string]string{"header": "one-click"}},
			"optin.double":       from("confirmed"), "machine": {From: []string{"agent"}, Map: map[string]string{"bot": "true", "*": "false"}},
			"sent_at": from("sent"),
		},
	}
}

func TestOwnFormat(t *testing.T) {
	limits := provider.Options{MaxAhead: providertest.MaxAhead, MaxBytes: 1 << 20, Own: []*mapping.Format{own(t, acme())}}
	auto, only := decoder(t, provider.Auto, limits), decoder(t, "acme", limits)
	record := func(elements string) string {
		return `{"schema":{"name":"acme-mail"},"version":2,"account":{"id":77},"events":[` + elements + `]}`
	}
	is := func(typ, fields string) string {
		return `{"type":"` + typ + `","time":"2026-03-02T08:15:04Z"` + strings.Replace(fields, "}", "", 1) + `,"tenant":"77","pool":"shared"`
	}
	at := `"at":1772439304`
	for _, c := range []providertest.Case{
		{"the least", record(`{"kind":"ok",` + at + `}`), is("delivery", ``) + `}`},
		{"names in any case", record(`{"kind":" Ok ",` + at + `}`), is("delivery", ``) + `}`},
		{"a native name", record(`{"kind":"send",` + at + `}`), is("send", ``) + `}`},
		{"what is ignored", record(`{"kind":"hello","at":"never"}`), "ignored"},
		{"unknown name", record(`{"kind":"exploded",` + at + `}`), "rejected: unknown_type"},
		{"no name", record(`{` + at + `}`), "rejected: unknown_type"},
		{"no time", record(`{"kind":"ok"}`), "rejected: no_time"},
		{"bad time", record(`{"kind":"ok","at":"today"}`), "rejected: bad_time"},
		{"ahead", record(`{"kind":"ok","at":"2026-06-01T12:10:01Z"}`), "rejected: ahead"},
		{"texts", record(`{"kind":"ok",` + at + `,"uid":19421777835146490,"rcpt":"Ann <Ann@Example.org>","headers":{"message-id":"<m1>"},"out":{"ip":"::ffff:192.0.2.1"},"sender":"Shop <x@Shop.example.com>","isp":"Hotmail","tag":" spring ","s":1}`),
			`{"type":"delivery","time":"2026-03-02T08:15:04Z","id":"19421777835146490","recipient":"ann@example.org","message_id":"m1","tenant":"77","ip":"192.0.2.1","pool":"shared","domain":"shop.example.com","campaign":"spring","stream":"news","provider":"outlook"}`},
		{"left out", record(`{"kind":"ok",` + at + `,"tag":"None","out":{"ip":"localhost"},"s":"x","isp":"gmx","sender":"Shop.Example."}`),
			is("delivery", ``) + `,"domain":"shop.example","stream":"rest","provider":"gmx"}`},
		{"constant", strings.Replace(record(`{"kind":"ok",`+at+`}`), "77", "null", 1), strings.Replace(is("delivery", ``)+`}`, "77", "house", 1)},
		{"batch", record(`{"kind":"ok",` + at + `},7,{"kind":"full",` + at + `}`), is("delivery", ``) + "}\n" + is("bounce", ``) + `,"bounce":{"class":"undetermined"}}` + "\nrejected: unknown_shape"},
		{"empty batch", record(``), "ignored"},
		{"no batch", strings.Replace(record(``), "[]", "{}", 1), "rejected: bad_payload"},
		{"the record's time", strings.Replace(record(`{"kind":"ok"}`), `"version"`, at+`,"version"`, 1), is("delivery", ``) + `}`},
		{"recipients", record(`{"kind":"ok",` + at + `,"to":[{"mail":"a@b.c"},{"mail":"nobody"},{"mail":"A@b.c"},{"mail":"d@b.c"}]}`),
			strings.Replace(is("delivery", ``), `Z"`, `Z","recipient":"a@b.c"`, 1) + "}\n" + strings.Replace(is("delivery", ``), `Z"`, `Z","recipient":"d@b.c"`, 1) + "}"},
		{"one complaint", record(`{"kind":"fbl",` + at + `,"rcpt":["a@b.c","d@b.c"],"fbl":"Fraud"}`), is("complaint", ``) + `,"complaint":{"kind":"fraud"}}`},
		{"opt-out", record(`{"kind":"fbl",` + at + `,"fbl":"opt-out"}`), is("unsubscribe", ``) + `}`},
		{"class by codes", record(`{"kind":"hard",` + at + `,"status":"5.0.0","text":"550 5.1.1 unknown","reason":"nobody","late":true}`),
			is("bounce", ``) + `,"bounce":{"class":"hard","category":"nobody","code":"5.1.1","async":true}}`},
		{"class by reply", record(`{"kind":"hard",` + at + `,"text":"452 try later"}`), is("bounce", ``) + `,"bounce":{"class":"soft"}}`},
		{"class by name", record(`{"kind":"hard",` + at + `,"class":"Mailbox-Full","status":"5.1.1"}`), is("bounce", ``) + `,"bounce":{"class":"soft","code":"5.1.1"}}`},
		{"class of an unknown name", record(`{"kind":"hard",` + at + `,"class":"odd","status":"5.1.1"}`), is("bounce", ``) + `,"bounce":{"class":"hard","code":"5.1.1"}}`},
		{"method", record(`{"kind":"left",` + at + `,"how":"HEADER"}`), is("unsubscribe", ``) + `,"unsubscribe":{"method":"one-click"}}`},
		{"unknown method", record(`{"kind":"left",` + at + `,"how":"phone"}`), is("unsubscribe", ``) + `}`},
		{"double", record(`{"kind":"joined",` + at + `,"confirmed":true}`), is("optin", ``) + `,"optin":{"double":true}}`},
		{"machine", record(`{"kind":"seen",` + at + `,"agent":"bot","sent":1772439000}`), is("open", ``) + `,"machine":true,"sent_at":"2026-03-02T08:10:00Z"}`},
		{"nobody's machine", record(`{"kind":"seen",` + at + `,"agent":"fox","late":true,"class":"hard"}`), is("open", ``) + `}`},
		{"what does not belong", record(`{"kind":"send",` + at + `,"sent":1772439000,"confirmed":true}`), is("send", ``) + `}`},
		{"control character", record(`{"kind":"ok",` + at + `,"tag":"a\u0007b"}`), "rejected: bad_value"},
		{"other versions of it", strings.Replace(record(`{"kind":"ok",`+at+`}`), "acme-mail", "acme-mail-2", 1), is("delivery", ``) + `}`},
	} {
		for name, d := range map[string]*provider.Decoder{"auto": auto, "acme": only} {
			r := d.Decode([]byte(c[1]), providertest.Now())
			if got := providertest.Outcome(r); got != c[2] {
				t.Errorf("%s, as %s: %s\n got %s\nwant %s", c[0], name, c[1], got, c[2])
			}
			if r.Rejected != nil && strings.Contains(r.Rejected.Detail, "@") {
				t.Errorf("%s: %v has an address", c[0], r.Rejected)
			}
			if got := providertest.Outcome(d.Decode(fmt.Appendf(nil, cloudEvent, c[1]), providertest.Now())); got != c[2] {
				t.Errorf("%s, in a CloudEvent as %s\n got %s\nwant %s", c[0], name, got, c[2])
			}
		}
	}
	for name, value := range map[string]string{"another": sendGrid, "native": open, "a part of the tests": `{"schema":{"name":"acme-mail"},"events":[]}`,
		"nothing": `{}`, "a mail": "From: a@b.c\n\n"} {
		if got := providertest.Outcome(only.Decode([]byte(value), providertest.Now())); got != "rejected: unknown_shape" && name != "a mail" {
			t.Errorf("%s as acme: %s", name, got)
		}
	}
	if got := providertest.Outcome(auto.Decode([]byte("["+record(`{"kind":"ok",`+at+`}`)+","+open+","+sendGrid+"]"), providertest.Now())); got != lines(is("delivery", ``)+"}", opened, fromGrid) {
		t.Errorf("a mixed batch: %s", got)
	}
}

// TestOwnFormatByName says that a format without tests takes every object of its topic, and none of another.
func TestOwnFormatByName(t *testing.T) {
	s := mapping.Spec{Name: "plain", Fields: map[string]mapping.Source{"type": from("data.type", "type"), "time": from("data.time", "time")}}
	limits := provider.Options{Own: []*mapping.Format{own(t, s)}}
	for _, c := range [][3]string{
		{"plain", open, opened}, {"plain", fmt.Sprintf(cloudEvent, open), opened}, {"plain", sendGrid, "rejected: unknown_type"},
		{"plain", "[" + open + "," + click + "]", lines(opened, clicked)}, {"plain", "", "ignored"}, {"plain", "x: y\n", "rejected: unknown_shape"},
		{provider.Auto, open, opened}, {provider.Auto, `{"data":{"type":"open","time":1}}`, "rejected: unknown_shape"},
	} {
		if got := providertest.Outcome(decoder(t, c[0], limits).Decode([]byte(c[1]), providertest.Now())); got != c[2] {
			t.Errorf("%s as %s\n got %s\nwant %s", c[1], c[0], got, c[2])
		}
	}
	if _, err := provider.NewDecoder("plane", limits); err == nil || !strings.Contains(err.Error(), "plain") {
		t.Errorf("error %v, want one that names the own format too", err)
	}
}

// TestOwnFormatsDoNotTouchOthers says that formats asked for by name stay what they are.
func TestOwnFormatsDoNotTouchOthers(t *testing.T) {
	greedy := own(t, mapping.Spec{Name: "greedy", When: []mapping.Condition{{Path: "type", Values: []string{"*"}}},
		Fields: map[string]mapping.Source{"type": {Value: "send"}, "time": from("time")}})
	limits := provider.Options{Own: []*mapping.Format{greedy}}
	for format, want := range map[string]string{"native": opened, "greedy": strings.Replace(opened, "open", "send", 1), provider.Auto: strings.Replace(opened, "open", "send", 1)} {
		if got := providertest.Outcome(decoder(t, format, limits).Decode([]byte(open), providertest.Now())); got != want {
			t.Errorf("as %s: %s", format, got)
		}
	}
}

// TestOwnFormatsAreFound holds the one pass over native events, which has to notice that one may be of an own format, against
// asking the formats first.
func TestOwnFormatsAreFound(t *testing.T) {
	words := rapid.SampledFrom([]string{"open", "x", "click", "*", "1"})
	keys := rapid.SampledFrom([]string{"type", "tenant", "id", "mark", "mark.a", "msys", "time"})
	rapid.Check(t, func(t *rapid.T) {
		var formats []*mapping.Format
		for i := range rapid.IntRange(1, 3).Draw(t, "formats") {
			s := mapping.Spec{Name: fmt.Sprintf("own%d", i), Fields: map[string]mapping.Source{"type": {Value: "reply"}, "time": from("time"), "id": {Value: fmt.Sprint(i)}}}
			for range rapid.IntRange(1, 2).Draw(t, "tests") {
				s.When = append(s.When, mapping.Condition{Path: keys.Draw(t, "key"), Values: rapid.SliceOfN(words, 1, 2).Draw(t, "values")})
			}
			f, problems := mapping.New(s)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			formats = append(formats, f)
		}
		payload := map[string]any{"type": rapid.SampledFrom([]string{"open", "click", "x"}).Draw(t, "type"), "time": 1772439304}
		for range rapid.IntRange(0, 3).Draw(t, "keys") {
			if key := keys.Draw(t, "key"); key == "mark.a" {
				payload["mark"] = map[string]any{"a": words.Draw(t, "word")}
			} else if key != "time" && key != "type" {
				payload[key] = words.Draw(t, "word")
			}
		}
		text, err := json.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		with, _ := provider.NewDecoder(provider.Auto, provider.Options{Own: formats})
		got := providertest.Outcome(with.Decode(text, providertest.Now()))
		without, _ := provider.NewDecoder(provider.Auto, provider.Options{})
		want := providertest.Outcome(without.Decode(text, providertest.Now()))
		v, err := new(jsonvalue.Tree).Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range formats {
			if f.Is(v) {
				want = fmt.Sprintf(`{"type":"reply","time":"2026-03-02T08:15:04Z","id":"%d"}`, i)
				break
			}
		}
		if got != want {
			t.Fatalf("%s\n got %s\nwant %s", text, got, want)
		}
	})
}

// FuzzOwnFormat looks for payloads that break what every format promises.
func FuzzOwnFormat(f *testing.F) {
	for _, s := range []string{
		`{"schema":{"name":"acme-mail"},"version":1,"events":[{"kind":"hard","at":1,"status":"5.1.1","to":[{"mail":"a@b.c"}]},{"kind":"fbl","fbl":"opt-out","at":"2026-03-02T08:15:04Z"}]}`,
		`[{"schema":{"name":"acme-mail"},"version":false,"events":[]}]`, open, sendGrid,
	} {
		f.Add([]byte(s))
	}
	limits := provider.Options{MaxAhead: providertest.MaxAhead, Own: []*mapping.Format{own(f, acme()),
		own(f, mapping.Spec{Name: "bare", Fields: map[string]mapping.Source{"type": from("a[0].b", "type"), "time": from("time"), "recipient": from("to")}})}}
	native := decoder(f, "native", provider.Options{})
	for _, format := range []string{provider.Auto, "acme", "bare"} {
		decoder(f, format, limits)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		before := string(value)
		for _, format := range []string{provider.Auto, "acme", "bare"} {
			d := decoder(t, format, limits)
			r := d.Decode(value, providertest.Now())
			if len(r.Events) == 0 && r.Ignored == 0 && r.Rejected == nil {
				t.Fatalf("%q becomes nothing, silently, as %s", value, format)
			}
			if r.Rejected != nil && strings.Contains(r.Rejected.Detail, "@") {
				t.Fatalf("%v has an address", r.Rejected)
			}
			for i := range r.Events {
				text := event.AppendJSON(nil, &r.Events[i])
				if again := native.Decode(text, providertest.Now()); again.Rejected != nil || len(again.Events) != 1 {
					t.Fatalf("%s is not native: %v", text, again.Rejected)
				}
			}
			if string(value) != before {
				t.Fatal("the payload was written to")
			}
		}
	})
}

func TestNativeEventsStayCheapBesideOwnFormats(t *testing.T) {
	d := decoder(t, provider.Auto, provider.Options{Own: []*mapping.Format{own(t, acme())}})
	value := []byte(`{"type":"bounce","time":1772439304,"recipient":"ann@example.org","tenant":"acme","bounce":{"class":"hard"}}`)
	if n := testing.AllocsPerRun(100, func() { d.Decode(value, providertest.Now()) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
