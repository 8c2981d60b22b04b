package payload_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"

	"pgregory.net/rapid"
)

func value(t *testing.T, text string) jsonvalue.Value {
	t.Helper()
	v, err := new(jsonvalue.Tree).Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestRecipients holds lists of any length against the definition: in order, each once.
func TestRecipients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got payload.Recipients
		var want []string
		for range rapid.IntRange(0, 100).Draw(t, "texts") {
			text := rapid.SampledFrom([]string{"", "nobody", "<A%d@x>", "a%d@x"}).Draw(t, "form")
			if strings.Contains(text, "%") {
				text = fmt.Sprintf(text, rapid.IntRange(0, 70).Draw(t, "who"))
			}
			address := event.Address(text)
			isNew := address != "" && !slices.Contains(want, address)
			if isNew {
				want = append(want, address)
			}
			if got.Add(text) != isNew || isNew && got.Last() != address {
				t.Fatalf("%q is new = %t, want %t", text, !isNew, isNew)
			}
		}
		if !slices.Equal(got.List(), want) {
			t.Fatalf("%q, want %q", got.List(), want)
		}
	})
}

func TestAddresses(t *testing.T) {
	v := value(t, `{"list":["B@x","a@x",7,"b@x"],"of":[{"who":"A@x"},{},{"who":["c@x"]}],"one":"A@x"}`)
	for name, c := range map[string]struct{ got, want []string }{
		"list":          {payload.AddressesOf(v.Get("list")), []string{"b@x", "a@x"}},
		"path":          {payload.AddressesOf(v.Get("of"), "who"), []string{"a@x"}},
		"no list":       {payload.AddressesOf(v.Get("one")), nil},
		"either a list": {payload.AddressesOfEither(v.Get("list")), []string{"b@x", "a@x"}},
		"or a text":     {payload.AddressesOfEither(v.Get("one")), []string{"a@x"}},
		"or nothing":    {payload.AddressesOfEither(v.Get("none")), nil},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
	}
}

func TestTime(t *testing.T) {
	v := value(t, `{"good":"1772439304","other":1,"bad":"soon","empty":" ","wrong":true}`)
	for name, c := range map[string]struct {
		sources []string
		want    event.Reason
	}{
		"good":               {[]string{"good", "other"}, ""},
		"absent, then good":  {[]string{"none", "empty", "wrong", "good"}, ""},
		"bad, then good":     {[]string{"bad", "good"}, ""},
		"absent":             {[]string{"none", "empty", "wrong"}, event.NoTime},
		"bad":                {[]string{"bad"}, event.BadTime},
		"bad before nothing": {[]string{"bad", "none"}, event.BadTime},
	} {
		var sources []jsonvalue.Value
		for _, s := range c.sources {
			sources = append(sources, v.Get(s))
		}
		when, rejection := payload.Time("field", sources...)
		switch {
		case c.want == "" && (rejection != nil || when.Unix() != 1772439304):
			t.Errorf("%s: %s, %v", name, when, rejection)
		case c.want != "" && (rejection == nil || rejection.Reason != c.want || !strings.HasPrefix(rejection.Detail, "field: ")):
			t.Errorf("%s: %v, want %s", name, rejection, c.want)
		}
		if sent := payload.SentAt(sources...); sent.IsZero() != (c.want != "") {
			t.Errorf("%s: sent at %s", name, sent)
		}
	}
}

func TestName(t *testing.T) {
	for text, want := range map[string]string{
		"email.sent": `"email.sent"`, "Rendering Failure": `"Rendering Failure"`, "": "nothing",
		"ann@example.org":        "a text with other characters than a name has",
		"a\nb":                   "a text with other characters than a name has",
		strings.Repeat("a", 100): "a long text",
	} {
		if got := payload.Name(text); got != want {
			t.Errorf("Name(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestOutKeepsTheFirstMistake(t *testing.T) {
	var out payload.Out
	out.Reset(time.Unix(1000, 0), time.Second)
	out.Event(event.Event{Type: event.Open, Time: time.Unix(2000, 0)})
	out.Reject(event.UnknownType, "event: %s", "x")
	out.Ignore()
	out.Each(event.Event{Type: event.Delivery, Time: time.Unix(1, 0), BounceCode: "5.1.1"}, []string{"a@x", "b@x"})
	out.One(event.Event{Type: event.Send, Time: time.Unix(1, 0), SentAt: time.Unix(1, 0)}, []string{"a@x", "b@x"})
	r := out.Result()
	if r.Rejected.Reason != event.AheadOfClock || r.Ignored != 1 || len(r.Events) != 3 || out.Outcomes() != 6 {
		t.Fatalf("%+v after %d outcomes", r, out.Outcomes())
	}
	if r.Events[1].Recipient != "b@x" || r.Events[0].BounceCode != "" || r.Events[2].Recipient != "" || !r.Events[2].SentAt.IsZero() {
		t.Errorf("%+v", r.Events)
	}
	out.Reset(time.Unix(1000, 0), 0)
	out.Event(event.Event{Type: event.Open, Time: time.Unix(2000, 0)})
	if r := out.Result(); r.Rejected != nil || len(r.Events) != 1 || r.Ignored != 0 {
		t.Errorf("%+v after Reset, without a limit", r)
	}
}
