// Package providertest holds formats to what all of them promise. A format's own test lists payloads with what they have to
// become, and calls Exercise; its fuzzer calls Fuzz.
package providertest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider"
)

// Case is what it shows, the value of a record, and what that has to become: a line for each outcome, first the events in
// their normal form, in order, then "ignored" for each element that is no mail event, then "rejected: <reason>".
type Case [3]string

// Now is the clock of the cases. Their events are earlier, but for those that show what happens to later ones.
func Now() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// MaxAhead is how far events of the cases may be ahead of Now.
const MaxAhead = 10 * time.Minute

// Outcome writes a result as a Case does.
func Outcome(r event.Result) string {
	var lines []string
	for i := range r.Events {
		lines = append(lines, string(event.AppendJSON(nil, &r.Events[i])))
	}
	for range r.Ignored {
		lines = append(lines, "ignored")
	}
	if r.Rejected != nil {
		lines = append(lines, "rejected: "+string(r.Rejected.Reason))
	}
	return strings.Join(lines, "\n")
}

func newDecoder(t testing.TB, format string, o provider.Options) *provider.Decoder {
	t.Helper()
	d, err := provider.NewDecoder(format, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Exercise runs the cases of one format: by themselves, in a batch, in a CloudEvent and against every other format. All of
// their payloads have to be objects of that format.
func Exercise(t *testing.T, format string, cases []Case) {
	t.Helper()
	limits := provider.Options{MaxAhead: MaxAhead, MaxBytes: 1 << 20}
	auto, own := newDecoder(t, provider.Auto, limits), newDecoder(t, format, limits)
	for _, c := range cases {
		name, payload, want := c[0], c[1], c[2]
		t.Run(name, func(t *testing.T) {
			value := []byte(payload)
			if got := Outcome(auto.Decode(value, Now())); got != want {
				t.Fatalf("%s\n got %s\nwant %s\n%v", payload, got, want, auto.Decode(value, Now()).Rejected)
			}
			if got := Outcome(own.Decode(value, Now())); got != want {
				t.Errorf("as %s\n got %s\nwant %s", format, got, want)
			}
			if string(value) != payload {
				t.Error("the payload was written to")
			}
			checkRejection(t, auto.Decode(value, Now()))
			checkStable(t, auto.Decode(value, Now()))
			checkOtherFormats(t, format, value)
			checkWrapped(t, auto, payload, want)
			checkEarlyClock(t, auto, value)
		})
	}
}

// checkRejection says that a rejection is told, and without anybody's address.
func checkRejection(t *testing.T, r event.Result) {
	t.Helper()
	if r.Rejected != nil && (strings.Contains(r.Rejected.Detail, "@") || r.Rejected.Detail == "") {
		t.Errorf("rejection %q has an address, or says nothing", r.Rejected)
	}
}

// checkOtherFormats says that no other format takes the payload.
func checkOtherFormats(t *testing.T, format string, value []byte) {
	t.Helper()
	for _, other := range provider.Names() {
		if other == format || other == provider.Auto {
			continue
		}
		if r := newDecoder(t, other, provider.Options{}).Decode(value, Now()); r.Rejected == nil || len(r.Events) > 0 || r.Ignored > 0 {
			t.Errorf("format %s takes it too: %s", other, Outcome(r))
		}
	}
}

// checkWrapped says that an object means the same by itself, in a batch with itself, and as data of a CloudEvent.
func checkWrapped(t *testing.T, d *provider.Decoder, payload, want string) {
	t.Helper()
	r := d.Decode([]byte(payload), Now())
	events, ignored, rejected := len(r.Events), r.Ignored, r.Rejected != nil
	r = d.Decode([]byte("["+payload+" ,\n"+payload+"]"), Now())
	if len(r.Events) != 2*events || r.Ignored != 2*ignored || (r.Rejected != nil) != rejected {
		t.Errorf("twice in a batch\n got %s\nwant %s, twice", Outcome(r), want)
	}
	cloudEvent := `{"specversion":"1.0","type":"com.example","source":"/x","id":"ce-1","data":%s}`
	for name, data := range map[string]string{"data": payload, "a list in data": "[" + payload + "]"} {
		if strings.Contains(payload, `"specversion"`) {
			continue // not twice
		}
		if got := Outcome(d.Decode(fmt.Appendf(nil, cloudEvent, data), Now())); got != want {
			t.Errorf("as %s of a CloudEvent\n got %s\nwant %s", name, got, want)
		}
	}
}

// checkEarlyClock says that events are rejected while the clock is behind them, and that what is no event is not.
func checkEarlyClock(t *testing.T, d *provider.Decoder, value []byte) {
	t.Helper()
	r := d.Decode(value, time.Unix(-1e9, 0))
	if len(r.Events) > 0 {
		t.Errorf("events of the future are taken: %s", Outcome(r))
	}
	late := d.Decode(value, Now())
	if late.Rejected == nil && len(late.Events) == 0 && r.Rejected != nil {
		t.Errorf("something is checked of what is no event: %v", r.Rejected)
	}
}

// Fuzz looks for payloads that break what every format promises. Seeds are objects of the format.
func Fuzz(f *testing.F, format string, seeds ...string) {
	f.Helper()
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	limits := provider.Options{MaxAhead: MaxAhead}
	auto, own := newDecoder(f, provider.Auto, limits), newDecoder(f, format, limits)
	f.Fuzz(func(t *testing.T, value []byte) {
		before := bytes.Clone(value)
		r := auto.Decode(value, Now())
		if len(r.Events) == 0 && r.Ignored == 0 && r.Rejected == nil {
			t.Fatalf("%q becomes nothing, silently", value)
		}
		outcome := Outcome(r)
		checkStable(t, r)
		checkRejection(t, r)
		if again := Outcome(auto.Decode(value, Now())); again != outcome {
			t.Fatalf("%q becomes\n%s\nand then\n%s", value, outcome, again)
		}
		r = own.Decode(value, Now())
		if len(r.Events) == 0 && r.Ignored == 0 && r.Rejected == nil {
			t.Fatalf("%q becomes nothing, silently, as %s", value, format)
		}
		if !bytes.Equal(value, before) {
			t.Fatal("the payload was written to")
		}
	})
}

// checkStable says that events come out native, and as themselves but for the brackets of ids, of which one pair is taken
// off each time.
func checkStable(t *testing.T, r event.Result) {
	t.Helper()
	native := newDecoder(t, "native", provider.Options{})
	for i := range r.Events {
		e := r.Events[i].Clone()
		text := event.AppendJSON(nil, &e)
		again := native.Decode(text, Now())
		if again.Rejected != nil || len(again.Events) != 1 {
			t.Fatalf("%s is not native: %v", text, again.Rejected)
		}
		same := again.Events[0]
		same.MessageID = e.MessageID
		if e.Recipient != "" && strings.ContainsAny(e.Recipient, "<>") {
			same.Recipient = e.Recipient
		}
		if second := event.AppendJSON(nil, &same); !bytes.Equal(second, text) {
			t.Fatalf("%s becomes %s", text, second)
		}
	}
}
