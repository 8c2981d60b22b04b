package event_test

import (
	"testing"
	"time"

	"sendwatch/internal/event"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// at is the time in most of the events here, as they write it and as the normal form does.
const at, atNormal = `1772439304`, `"2026-03-02T08:15:04Z"`

func notForeign(string) bool { return false }

// read returns the normal form of an object, "" when it is not native, or the reason of its rejection.
func read(t *testing.T, object string) string {
	t.Helper()
	var e event.Event
	ok, rejection := event.NewNative().TryRead([]byte(object), notForeign, &e)
	switch {
	case !ok:
		return ""
	case rejection != nil:
		return string(rejection.Reason)
	}
	return string(event.AppendJSON(nil, &e))
}

func TestNative(t *testing.T) {
	for object, want := range map[string]string{
		// types and times
		`{"type":"reply","time":` + at + `}`:                               `{"type":"reply","time":` + atNormal + `}`,
		` {"time" : "2026-03-02T09:15:04+01:00" ,"type": "open" } `:        `{"type":"open","time":` + atNormal + `}`,
		`{"type":"open","time":" 1772439304000 "}`:                         `{"type":"open","time":` + atNormal + `}`,
		`{"type":"Open","time":` + at + `}`:                                ``,
		`{"type":" open","time":` + at + `}`:                               ``,
		`{"type":"unknown","time":` + at + `}`:                             ``,
		`{"type":"open"}`:                                                  ``,
		`{"type":"open","time":null}`:                                      ``,
		`{"type":"open","time":""}`:                                        ``,
		`{"type":"open","time":"soon"}`:                                    `bad_time`,
		`{"type":"open","time":-1}`:                                        `bad_time`,
		`{"type":"open","time":true}`:                                      `no_time`,
		`{"type":"open","time":{}}`:                                        `no_time`,
		`{"type":"open","time":"  "}`:                                      `no_time`,
		`{"Type":"open","TIME":1,"type":"click","time":` + at + `}`:        `{"type":"click","time":` + atNormal + `}`,
		`{"type":"click","type":"open","time":1,"time":` + at + `}`:        `{"type":"open","time":` + atNormal + `}`,
		`{"t\u0079pe":"o\u0070en","\u0074ime":"\u0031772439304"}`:          `{"type":"open","time":` + atNormal + `}`,
		`{"type":"open","time":` + at + `,"tenant":"a","tenant":null}`:     `{"type":"open","time":` + atNormal + `}`,
		`{"type":"open","time":` + at + `,"tenant":"a","tenant":{}}`:       `{"type":"open","time":` + atNormal + `}`,
		`{"type":"open","time":` + at + `,"":"x","x":[{"type":"bounce"}]}`: `{"type":"open","time":` + atNormal + `}`,
		// not one JSON object
		`{"type":"open","time":` + at + `}x`:  ``,
		`{"type":"open","time":` + at + `}{}`: ``,
		`{"type":"open","time":` + at + `,}`:  ``,
		`{"type":"open","time":` + at:         ``,
		`{"type":"open" "time":` + at + `}`:   ``,
		`[]`:                                  ``,
		`"type"`:                              ``,
		``:                                    ``,
		// texts
		`{"type":"delivery","time":` + at + `,"id":" n-1 ","recipient":" Ann <ANN@Example.org> ","message_id":"<m@x>","tenant":" acme ","ip":"2001:DB8::1","pool":"Bulk","domain":"Shop.Example.com.","campaign":"A b","stream":"s","provider":"GMail","sent_at":1772439300.25}`: `{"type":"delivery","time":` + atNormal + `,"id":"n-1","recipient":"ann@example.org","message_id":"m@x","tenant":"acme","ip":"2001:db8::1","pool":"Bulk","domain":"shop.example.com","campaign":"A b","stream":"s","provider":"GMail","sent_at":"2026-03-02T08:15:00.25Z"}`,
		`{"type":"open","time":` + at + `,"id":19421777835146490,"tenant":1.50e3,"campaign":-0,"pool":true,"stream":["x"],"ip":"::ffff:203.0.113.9"}`:                                                                                                                            `{"type":"open","time":` + atNormal + `,"id":"19421777835146490","tenant":"1.50e3","ip":"203.0.113.9","campaign":"-0"}`,
		`{"type":"open","time":` + at + `,"recipient":"nobody","ip":"mta-1","domain":"."}`:                                                                                                                                                                                       `{"type":"open","time":` + atNormal + `,"ip":"mta-1"}`,
		`{"type":"open","time":` + at + `,"tenant":"\u00c4\n\ud83d\ude00\ud83d"}`:                                                                                                                                                                                                `{"type":"open","time":` + atNormal + `,"tenant":"Ä\n😀�"}`,
		"{\"type\":\"open\",\"time\":" + at + ",\"tenant\":\"a\xffb\"}":                                                                                                                                                                                                          `{"type":"open","time":` + atNormal + `,"tenant":"a�b"}`,
		`{"type":"open","time":` + at + `,"recipient":"JÖRG@Example.org"}`:                                                                                                                                                                                                       `{"type":"open","time":` + atNormal + `,"recipient":"jörg@example.org"}`,
		`{"type":"open","time":` + at + `,"tenant":"\u00a0 x\u2003"}`:                                                                                                                                                                                                            `{"type":"open","time":` + atNormal + `,"tenant":"x"}`,
		`{"type":"open","time":` + at + `,"sent_at":"soon"}`:                                                                                                                                                                                                                     `{"type":"open","time":` + atNormal + `}`,
		`{"type":"send","time":` + at + `,"sent_at":1}`:                                                                                                                                                                                                                          `{"type":"send","time":` + atNormal + `}`,
		`{"type":"drop","time":` + at + `,"sent_at":1}`:                                                                                                                                                                                                                          `{"type":"drop","time":` + atNormal + `}`,
		`{"type":"deferral","time":` + at + `,"sent_at":1,"bounce":{"class":"hard"}}`:                                                                                                                                                                                            `{"type":"deferral","time":` + atNormal + `,"sent_at":"1970-01-01T00:00:01Z"}`,
		// what belongs to a type
		`{"type":"bounce","time":` + at + `}`: `{"type":"bounce","time":` + atNormal + `,"bounce":{"class":"undetermined"}}`,
		`{"type":"bounce","time":` + at + `,"bounce":{"class":" Hard ","category":" c ","code":"5.1.1 x","async":true}}`:                   `{"type":"bounce","time":` + atNormal + `,"bounce":{"class":"hard","category":"c","code":"5.1.1 x","async":true}}`,
		`{"type":"bounce","time":` + at + `,"bounce":{"class":"odd","category":7,"code":null,"async":"true"}}`:                             `{"type":"bounce","time":` + atNormal + `,"bounce":{"class":"undetermined","category":"7"}}`,
		`{"type":"bounce","time":` + at + `,"bounce":{"class":"hard","x":{"class":"soft"},"\u0063lass":"block","":1}}`:                     `{"type":"bounce","time":` + atNormal + `,"bounce":{"class":"block"}}`,
		`{"type":"bounce","time":` + at + `,"bounce":{"class":"hard"},"bounce":{"category":"x"}}`:                                          `{"type":"bounce","time":` + atNormal + `,"bounce":{"class":"undetermined","category":"x"}}`,
		`{"type":"bounce","time":` + at + `,"bounce":"hard"}`:                                                                              `{"type":"bounce","time":` + atNormal + `,"bounce":{"class":"undetermined"}}`,
		`{"type":"complaint","time":` + at + `}`:                                                                                           `{"type":"complaint","time":` + atNormal + `,"complaint":{"kind":"abuse"}}`,
		`{"type":"complaint","time":` + at + `,"complaint":{"kind":"NOT-spam"}}`:                                                           `{"type":"complaint","time":` + atNormal + `,"complaint":{"kind":"not-spam"}}`,
		`{"type":"complaint","time":` + at + `,"complaint":{"kind":"opt-out"}}`:                                                            `{"type":"complaint","time":` + atNormal + `,"complaint":{"kind":"other"}}`,
		`{"type":"complaint","time":` + at + `,"complaint":{"kind":"  "}}`:                                                                 `{"type":"complaint","time":` + atNormal + `,"complaint":{"kind":"abuse"}}`,
		`{"type":"complaint","time":` + at + `,"complaint":{"kind":3}}`:                                                                    `{"type":"complaint","time":` + atNormal + `,"complaint":{"kind":"other"}}`,
		`{"type":"unsubscribe","time":` + at + `,"unsubscribe":{"method":" one-click "}}`:                                                  `{"type":"unsubscribe","time":` + atNormal + `,"unsubscribe":{"method":"one-click"}}`,
		`{"type":"unsubscribe","time":` + at + `,"unsubscribe":{"method":"Link"}}`:                                                         `{"type":"unsubscribe","time":` + atNormal + `}`,
		`{"type":"optin","time":` + at + `,"optin":{"double":true}}`:                                                                       `{"type":"optin","time":` + atNormal + `,"optin":{"double":true}}`,
		`{"type":"optin","time":` + at + `,"optin":{"double":false},"machine":true}`:                                                       `{"type":"optin","time":` + atNormal + `}`,
		`{"type":"click","time":` + at + `,"machine":true,"bounce":{"class":"hard"},"complaint":{"kind":"virus"},"optin":{"double":true}}`: `{"type":"click","time":` + atNormal + `,"machine":true}`,
		`{"type":"open","time":` + at + `,"machine":"true"}`:                                                                               `{"type":"open","time":` + atNormal + `}`,
		`{"type":"delivery","time":` + at + `,"machine":true}`:                                                                             `{"type":"delivery","time":` + atNormal + `}`,
	} {
		if got := read(t, object); got != want {
			t.Errorf("%s\n got %s\nwant %s", object, got, want)
		}
	}
}

func TestNativeLeavesForeignObjects(t *testing.T) {
	var e event.Event
	foreign := func(key string) bool { return key == "events" }
	for _, object := range []string{
		`{"events":[],"type":"open","time":1}`, `{"type":"open","time":1,"\u0065vents":1}`,
	} {
		if ok, _ := event.NewNative().TryRead([]byte(object), foreign, &e); ok {
			t.Errorf("%s was taken for native", object)
		}
	}
}

// TestNativeSharesNothingBetweenReads says that texts stay valid from one object to the next, until Reset.
func TestNativeSharesNothingBetweenReads(t *testing.T) {
	n := event.NewNative()
	var first, second event.Event
	n.TryRead([]byte(`{"type":"open","time":1,"recipient":"A@Example.org","tenant":"\u0061cme"}`), notForeign, &first)
	n.TryRead([]byte(`{"type":"open","time":1,"recipient":"B@Example.org","tenant":"\u0062cme"}`), notForeign, &second)
	if first.Recipient != "a@example.org" || first.Tenant != "acme" || second.Recipient != "b@example.org" || second.Tenant != "bcme" {
		t.Fatalf("texts were overwritten: %+v %+v", first, second)
	}
}

func TestNativeAllocatesNothing(t *testing.T) {
	n := event.NewNative()
	object := []byte(`{"type":"bounce","time":"2026-03-02T09:15:04.5+01:00","id":"x\u0079","recipient":"A@Example.org",` +
		`"ip":"2001:DB8::1","domain":"Shop.Example.com.","bounce":{"class":"Hard","code":"5.1.1"},"sent_at":"1772439304.5","x":{"y":[1]}}`)
	if got := testing.AllocsPerRun(100, func() {
		n.Reset()
		var e event.Event
		if ok, rejection := n.TryRead(object, notForeign, &e); !ok || rejection != nil {
			t.Fatal(rejection)
		}
	}); got != 0 {
		t.Fatalf("%v allocations an event, want none", got)
	}
}

// drawEvent makes an event in its normal form.
func drawEvent(t *rapid.T) event.Event {
	text := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[a-zA-Z0-9_äß"\\/<-]{1,12}`))
	when := func(name string) time.Time {
		return time.Unix(rapid.Int64Range(0, 4e9).Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, name+" nanos")).UTC()
	}
	e := event.Event{
		Type:              event.Type(rapid.IntRange(int(event.Delivery), int(event.Drop)).Draw(t, "type")),
		Time:              when("time"),
		ID:                text.Draw(t, "id"),
		Recipient:         rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[a-z0-9.+"]{1,9}@[a-zä]{1,5}\.org`)).Draw(t, "recipient"),
		MessageID:         rapid.StringMatching(`([a-z0-9]{1,9}@[a-z]{1,5})?`).Draw(t, "message id"),
		Tenant:            text.Draw(t, "tenant"),
		IP:                rapid.SampledFrom([]string{"", "203.0.113.9", "2001:db8::1", "mta-1"}).Draw(t, "ip"),
		Pool:              text.Draw(t, "pool"),
		Domain:            rapid.StringMatching(`([a-z]{1,5}\.org)?`).Draw(t, "domain"),
		Campaign:          text.Draw(t, "campaign"),
		Stream:            text.Draw(t, "stream"),
		Provider:          text.Draw(t, "provider"),
		BounceClass:       event.BounceClass(rapid.IntRange(0, int(event.Admin)).Draw(t, "class")),
		BounceCategory:    text.Draw(t, "category"),
		BounceCode:        text.Draw(t, "code"),
		BounceAsync:       rapid.Bool().Draw(t, "async"),
		ComplaintKind:     event.ComplaintKind(rapid.IntRange(0, int(event.AuthFailure)).Draw(t, "kind")),
		UnsubscribeMethod: event.UnsubscribeMethod(rapid.IntRange(0, int(event.Manual)).Draw(t, "method")),
		OptInDouble:       rapid.Bool().Draw(t, "double"),
		Machine:           rapid.Bool().Draw(t, "machine"),
	}
	if rapid.Bool().Draw(t, "sent") {
		e.SentAt = when("sent at")
	}
	e.Tidy()
	return e
}

// TestNormalFormReadsAsItself holds the writer of the normal form against the reader of the native form.
func TestNormalFormReadsAsItself(t *testing.T) {
	n := event.NewNative()
	rapid.Check(t, func(t *rapid.T) {
		want := drawEvent(t)
		text := event.AppendJSON(nil, &want)
		var got event.Event
		n.Reset()
		if ok, rejection := n.TryRead(text, notForeign, &got); !ok || rejection != nil {
			t.Fatalf("%s is not native: %v", text, rejection)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s reads differently:\n%s", text, diff)
		}
	})
}

func TestCheck(t *testing.T) {
	now := time.Unix(1772439304, 0)
	long := string(make([]byte, event.MaxDimension+1))
	for name, c := range map[string]struct {
		change func(*event.Event)
		want   event.Reason
	}{
		"as it should be":      {func(e *event.Event) { e.Tenant = long[:0] }, ""},
		"just not ahead":       {func(e *event.Event) { e.Time = now.Add(10 * time.Minute) }, ""},
		"ahead":                {func(e *event.Event) { e.Time = now.Add(10*time.Minute + 1) }, event.AheadOfClock},
		"long tenant":          {func(e *event.Event) { e.Tenant = long }, event.BadValue},
		"control in ip":        {func(e *event.Event) { e.IP = "a\x1fb" }, event.BadValue},
		"control in pool":      {func(e *event.Event) { e.Pool = "\x7f" }, event.BadValue},
		"control in domain":    {func(e *event.Event) { e.Domain = "a\nb" }, event.BadValue},
		"control in campaign":  {func(e *event.Event) { e.Campaign = "a\x00" }, event.BadValue},
		"control in stream":    {func(e *event.Event) { e.Stream = "a\tb" }, event.BadValue},
		"control in provider":  {func(e *event.Event) { e.Provider = "a\rb" }, event.BadValue},
		"no control character": {func(e *event.Event) { e.Campaign = "a\u0080b" }, ""},
		"no dimension":         {func(e *event.Event) { e.ID, e.BounceCategory = long, "\n" }, ""},
	} {
		e := event.Event{Type: event.Bounce, Time: now}
		c.change(&e)
		got := event.Reason("")
		if r := e.Check(now, 10*time.Minute); r != nil {
			got = r.Reason
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if r := (&event.Event{Time: now.AddDate(9, 0, 0)}).Check(now, 0); r != nil {
		t.Errorf("without a limit: %v", r)
	}
}

func FuzzNative(f *testing.F) {
	f.Add([]byte(`{"type":"bounce","time":1772439304.5,"recipient":"A <A@b.c>","bounce":{"class":"hard","async":true}}`))
	f.Add([]byte(`{"type":"open","time":"2026-03-02T08:15:04Z","tenant":"\ud83d","ip":"::FFFF:1.2.3.4","machine":true}`))
	f.Fuzz(func(t *testing.T, object []byte) {
		n := event.NewNative()
		var e event.Event
		ok, rejection := n.TryRead(object, notForeign, &e)
		if !ok || rejection != nil {
			return
		}
		first := event.AppendJSON(nil, &e)
		var again event.Event
		if ok, rejection := n.TryRead(first, notForeign, &again); !ok || rejection != nil {
			t.Fatalf("%s became %s, which is not native: %v", object, first, rejection)
		}
		// Only the pair of '<' and '>' around an id, of which one is taken off each time, may differ.
		again.MessageID, again.Recipient = e.MessageID, e.Recipient
		if second := event.AppendJSON(nil, &again); string(second) != string(first) {
			t.Fatalf("%s became %s, and that %s", object, first, second)
		}
	})
}
