package alerts

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/windows"
)

// TestEpisode follows one tenant's address from its first bounces to the end, and compares every record, byte for byte, with
// testdata/episode.ndjson. UPDATE=1 writes that file anew: read it against the contract before committing it.
func TestEpisode(t *testing.T) {
	const key = "tenant=acme,ip=203.0.113.9"
	e := NewEvaluator(dynamics(), ret)
	mail := func(at time.Time, delivered, bounced int64) {
		for _, subject := range []string{key, "tenant=acme,provider=gmail"} {
			count(e, subject, windows.Delivered, at, delivered)
			count(e, subject, windows.BouncedHard, at, bounced)
		}
	}
	var records []Record
	evaluate := func(after time.Duration) {
		at := t0.Add(after)
		for _, r := range e.Evaluate(Moment{at, at, true}) {
			if r.SubjectKey == key && (r.Window == "24h" || r.Window == "1h") {
				records = append(records, r)
			}
		}
	}
	mail(t0, 969, 31) // over the limit, could be chance
	evaluate(0)
	mail(t0.Add(20*time.Minute), 930, 70) // beyond chance
	evaluate(20*time.Minute + 1500*time.Millisecond)
	for minute := range 60 * 60 { // then nothing but time
		evaluate(21*time.Minute + time.Duration(minute)*time.Minute)
	}
	var got strings.Builder
	for i := range records {
		got.Write(records[i].Encode())
		got.WriteByte('\n')
	}
	file := filepath.Join("testdata", "episode.ndjson")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRecordKeys compares the names and the order of a record's keys with the contract's example.
func TestRecordKeys(t *testing.T) {
	e := NewEvaluator(dynamics(), ret)
	count(e, "tenant=acme,ip=203.0.113.9", windows.Delivered, t0, 969)
	count(e, "tenant=acme,ip=203.0.113.9", windows.BouncedHard, t0, 31)
	records := e.Evaluate(Moment{t0, t0, true})
	if len(records) == 0 {
		t.Fatal("nothing fired")
	}
	reading := "numerator denominator exposure ratio judged lower upper from to"
	want := "id seq incident change status severity policy rate window limit subject tenant ip subject_key observed " + reading + " at_fire " + reading +
		" peak " + reading + " starts_at ends_at evaluated_at causes dimension value numerator denominator share" +
		" labels alertname severity tenant ip rate window policy annotations summary description definition"
	if got := strings.Join(keysOf(t, records[0].Encode()), " "); got != want {
		t.Errorf("keys\n%s\nexpected\n%s", got, want)
	}
	again, err := Decode(records[0].Encode())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(records[0], again); diff != "" {
		t.Errorf("read back (-written +read):\n%s", diff)
	}
	if string(again.Encode()) != string(records[0].Encode()) {
		t.Error("read back and written again, the bytes differ")
	}
}

// keysOf lists the keys of all objects in the text, in order.
func keysOf(t *testing.T, text []byte) []string {
	var keys []string
	dec := json.NewDecoder(strings.NewReader(string(text)))
	var object []bool // the open brackets: whether each is an object's
	key := false      // the next text is one
	for {
		token, err := dec.Token()
		if err != nil {
			if len(object) == 0 {
				return keys
			}
			t.Fatal(err)
		}
		switch d := token.(type) {
		case json.Delim:
			if d == '{' || d == '[' {
				object = append(object, d == '{')
			} else {
				object = object[:len(object)-1]
			}
			key = len(object) > 0 && object[len(object)-1]
		default:
			if key {
				keys = append(keys, token.(string))
				key = false
			} else {
				key = len(object) > 0 && object[len(object)-1]
			}
		}
	}
}

func TestMessage(t *testing.T) {
	rec := Record{ID: "abc", Seq: 2, Change: Escalated, SubjectKey: "tenant=acme", Policy: "p", EvaluatedAt: t0.Add(time.Millisecond)}
	m := rec.Message(rec.Encode(), "/sendwatch")
	got := map[string]string{}
	for _, h := range m.Headers {
		got[h.Key] = string(h.Value)
	}
	want := map[string]string{
		"ce_id": "abc/2", "ce_type": "sendwatch.alert.escalated", "ce_source": "/sendwatch", "ce_time": "2026-03-02T09:30:00.001Z",
		"ce_specversion": "1.0", "ce_subject": "tenant=acme", "content-type": "application/json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if string(m.Key) != "tenant=acme" {
		t.Errorf("key %q", m.Key)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, text := range []string{
		"", "null", "{}", "[]", `{"id":"a","seq":0,"subject_key":"all","policy":"p"}`, `{"id":"a","seq":1,"subject_key":"all","policy":"p","change":"gone"}`,
		`{"id":"a","seq":1,"subject_key":"all","policy":"p","change":"fired","subject":[]}`,
	} {
		if r, err := Decode([]byte(text)); err == nil {
			t.Errorf("%s: read as %+v", text, r)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"id":"a","seq":1,"subject_key":"all","policy":"p","change":"fired","subject":{"tenant":"a"},"causes":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode(r.Encode())
		if err != nil || string(again.Encode()) != string(r.Encode()) {
			t.Fatalf("%s: %v", r.Encode(), err)
		}
	})
}

func TestPercent(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0%", 0.03: "3%", 0.001: "0.1%", 0.0314159: "3.14%", 0.935483: "93.5%", 1: "100%", 12.5: "1250%", 0.00000123: "0.000123%", 73.1: "7310%",
	} {
		if got := percent(x); got != want {
			t.Errorf("percent(%v) = %s, expected %s", x, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := group(n); got != want {
			t.Errorf("group(%d) = %s, expected %s", n, got, want)
		}
	}
}
