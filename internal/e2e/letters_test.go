package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

// TestDeadLetters: what cannot be understood goes to the dead-letter topic byte for byte, with headers that say why and where it
// was; the good elements of a bad batch count.
func TestDeadLetters(t *testing.T) {
	w := sharedWorld(t, "events: {max_bytes: 300000}\n")
	testparts.CreateTopic(t, w.brokers, w.topic(), 3)
	now := time.Now().UTC().Format(time.RFC3339)
	good := `{"type":"delivery","time":"` + now + `","recipient":"ann@example.com"}`
	bad := map[string]string{ // value: reason
		"hello": "not_json",
		"{\"type\":\"delivery\",\xff\xfe\r\n\x00": "not_json",
		good + "x":                               "not_json",
		`{"type":"opened","time":"` + now + `"}`: "unknown_type",
		`{"type":"delivery","time":"2026-13-01T00:00:00Z"}`:                                         "bad_time",
		`{"type":"delivery","time":"` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `"}`: "ahead",
		`{"type":"delivery","time":"` + now + `","ip":"` + strings.Repeat("1", 201) + `"}`:          "bad_value",
		`{"a":1}`: "unknown_shape",
		`"text"`:  "unknown_shape",
		"[" + good + `,{"type":"delivery","time":-1},` + strings.Replace(good, "ann", "bob", 1) + "]": "bad_time",
		`{"type":"delivery","time":"` + now + `","pad":"` + strings.Repeat("y", 300_000) + `"}`:       "too_large",
	}
	type place struct {
		partition int
		offset    int64
	}
	sent := map[place]string{}
	for value := range bad {
		for i := range 3 {
			w.produce(w.topic(), kafka.Record{Value: []byte(good)})
			at := w.produce(w.topic(), kafka.Record{Key: []byte(fmt.Sprint(i)), Value: []byte(value), Headers: []kafka.Header{{Key: "trace", Value: []byte("1")}}})
			sent[place{at[0].Partition, at[0].Offset}] = value
		}
	}
	m := w.process("monitor")
	// Good ones between: one for each bad one; two in each bad batch.
	s := w.counted(m, 30*time.Second, int64(3*len(bad)+3*len(bad)+3*2))
	want := map[string]int64{}
	for _, reason := range bad {
		want[reason] += 3
	}
	if !maps.Equal(want, s.Events.Rejected) {
		t.Errorf("rejected %v, expected %v", s.Events.Rejected, want)
	}
	found := map[place]bool{}
	for _, r := range w.records(w.deadLetters(), 1) {
		var at place
		if _, err := fmt.Sscan(r.headers["sendwatch-partition"], &at.partition); err != nil {
			t.Fatalf("%v: %v", r.headers, err)
		}
		if _, err := fmt.Sscan(r.headers["sendwatch-offset"], &at.offset); err != nil {
			t.Fatalf("%v: %v", r.headers, err)
		}
		value, ok := sent[at]
		switch {
		case !ok:
			t.Errorf("a letter of %+v, where nothing bad was", at)
			continue
		case found[at]:
			t.Errorf("two letters of %+v", at) // nothing went wrong that would excuse it
		}
		found[at] = true
		if !bytes.Equal(r.value, []byte(value)) {
			t.Errorf("letter of %+v: %.80q, expected %.80q", at, r.value, value)
		}
		if len(r.headers) != 4 || r.headers["sendwatch-reason"] != bad[value] || r.headers["sendwatch-topic"] != w.topic() {
			t.Errorf("letter of %+v has %v, reason %s expected", at, r.headers, bad[value])
		}
	}
	if len(found) != len(sent) {
		t.Errorf("%d letters, %d expected", len(found), len(sent))
	}
}
