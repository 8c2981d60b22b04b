package ingest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/kafka"
)

func sendGrid(n int, name string) string {
	return fmt.Sprintf(`{"sg_event_id":"%d-%s","event":"%s","email":"r%d@example.org","timestamp":1772439304,"sg_message_id":"m%d"}`, n, name, name, n%3, n)
}

func TestCut(t *testing.T) {
	sg := sendGrid(1, "delivered") + "," + sendGrid(2, "open") + "," + sendGrid(4, "click")
	ses := `{"eventType":"Delivery","mail":{"timestamp":"2026-03-02T08:00:00Z","messageId":"m1"},"delivery":{"timestamp":"2026-03-02T08:00:01Z","recipients":["ann@example.org","bob@example.org"]}}`
	mailgun := func(n int) string {
		return fmt.Sprintf(`{"event":"opened","id":"i%d","timestamp":1772439304.5,"recipient":"r%d@example.org"}`, n, n)
	}
	mandrill := func(n int) string {
		return fmt.Sprintf(`{"event":"open","ts":1772439304,"msg":{"_id":"m%d","email":"r%d@example.org"}}`, n, n)
	}
	tests := map[string]struct {
		format, payload string
		keys            string // of the records, with commas between; "-" for none
		ignored         int
		rejected        event.Reason
	}{
		"a batch":                       {"sendgrid", "[" + sg + "]", "r1@example.org,r2@example.org,r1@example.org", 0, ""},
		"a batch of any format":         {"auto", "[" + sg + "," + ses + "]", "r1@example.org,r2@example.org,r1@example.org,ann@example.org", 0, ""},
		"one element":                   {"sendgrid", "[" + sendGrid(1, "open") + "]", "r1@example.org", 0, ""},
		"several recipients":            {"ses", ses, "ann@example.org", 0, ""},
		"no recipient":                  {"auto", `[{"type":"open","time":1772439304,"id":"1"},{"type":"open","time":1772439304,"id":"2"}]`, "-,-", 0, ""},
		"nothing":                       {"sparkpost", `[{"msys":{}}]`, "", 1, ""},
		"nothing among events":          {"postmark", `[{"RecordType":"Inbound","TextBody":"private"},{"RecordType":"Open","Recipient":"ann@example.org","ReceivedAt":"2026-03-02T08:00:00Z"}]`, "ann@example.org", 1, ""},
		"an empty batch":                {"sendgrid", `[]`, "", 1, ""},
		"a bad element":                 {"sendgrid", "[" + sendGrid(1, "open") + "," + sendGrid(2, "exploded") + "," + sendGrid(4, "open") + "]", "r1@example.org,-,r1@example.org", 0, event.UnknownType},
		"an element that is no object":  {"sendgrid", "[" + sendGrid(1, "open") + ",7]", "r1@example.org,-", 0, event.UnknownShape},
		"an array in an array":          {"sendgrid", "[" + sendGrid(1, "open") + ",[" + sendGrid(2, "open") + "]]", "r1@example.org", 0, event.UnknownShape},
		"broken behind the first":       {"sendgrid", "[" + sendGrid(1, "open") + ",{]", "-", 0, event.NotJSON},
		"not JSON":                      {"sendgrid", "hello", "-", 0, event.NotJSON},
		"another format":                {"sendgrid", mailgun(1), "-", 0, event.UnknownShape},
		"a page of Mailgun's":           {"mailgun", `{"items":[` + mailgun(1) + "," + mailgun(2) + `],"paging":{"next":"https://example.org/"}}`, "r1@example.org,r2@example.org", 0, ""},
		"a batch of Mandrill's":         {"mandrill", `{"mandrill_events":[` + mandrill(1) + "," + mandrill(2) + `]}`, "r1@example.org,r2@example.org", 0, ""},
		"one that holds a bad element":  {"mandrill", `{"mandrill_events":[` + mandrill(1) + `,7]}`, "r1@example.org", 0, event.UnknownType},
		"a batch of Mailtrap's":         {"mailtrap", `{"events":[{"event":"open","email":"a@b.example","timestamp":1772439304,"event_id":"1"},{"event":"open","email":"b@b.example","timestamp":1772439304,"event_id":"2"}]}`, "a@b.example,b@b.example", 0, ""},
		"records of a Lambda function":  {"ses", `{"Records":[{"Sns":{"MessageId":"1","Message":` + quote(ses) + `}},{"Sns":{"MessageId":"2","Message":` + quote(ses) + `}}]}`, "ann@example.org,ann@example.org", 0, ""},
		"a mark beside another's batch": {"auto", `{"sg_event_id":"1","event":"open","email":"ann@example.org","timestamp":1772439304,"items":[{},{}]}`, "ann@example.org", 0, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := newCutter(tt.format)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time in used memory
				got := c.cut([]byte(tt.payload), now())
				var keys []string
				for _, r := range got.records {
					if r.Key == nil {
						keys = append(keys, "-")
						continue
					}
					keys = append(keys, string(r.Key))
				}
				var rejected event.Reason
				if got.rejected != nil {
					rejected = got.rejected.Reason
				}
				if diff := cmp.Diff([]any{tt.keys, tt.ignored, tt.rejected}, []any{strings.Join(keys, ","), got.ignored, rejected}); diff != "" {
					t.Errorf("(-want +got)\n%s", diff)
				}
				sameEvents(t, tt.format, tt.payload, got)
			}
		})
	}
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// sameEvents holds what is published against what was sent: they are read as the same events, in the same order.
func sameEvents(t *testing.T, format, payload string, got cut) {
	t.Helper()
	events := func(lines []string) []string {
		var out []string
		for _, l := range lines {
			if !strings.HasPrefix(l, "rejected") {
				out = append(out, l)
			}
		}
		return out
	}
	want := events(read(t, format, []kafka.Record{{Value: []byte(payload)}}))
	if diff := cmp.Diff(want, events(read(t, format, got.records))); diff != "" {
		t.Errorf("read as something else (-sent +published):\n%s", diff)
	}
	if len(want) != got.events {
		t.Errorf("%d events said, %d read", got.events, len(want))
	}
}

func TestAnyBatchIsReadAsItWasSent(t *testing.T) {
	elements := []string{sendGrid(1, "open"), sendGrid(2, "exploded"), `{"RecordType":"Inbound"}`, `7`, `null`, `{}`, `[]`, `[` + sendGrid(3, "open") + `]`,
		`{"type":"open","time":1772439304}`, `{"items":[{"event":"opened","timestamp":1,"recipient":"a@b.example"},{"event":"x"}]}`,
		`{"mandrill_events":"[]"}`, `{"events":[]}`, `{"events":[{"event":"open","email":"A@b.example","timestamp":1,"event_id":"1"}]}`,
		`{"type":"bounce","time":"2026-03-02T08:00:00Z","recipient":"Ann@example.org"}`}
	c, err := newCutter(provider.Auto)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		list := rapid.SliceOfN(rapid.SampledFrom(elements), 0, 6).Draw(rt, "elements")
		payload := rapid.SampledFrom([]string{`[%s]`, `{"events":[%s]}`, `{"items":[%s]}`, `{"mandrill_events":[%s]}`, `{"results":[%s]}`, "\xef\xbb\xbf [%s] "}).Draw(rt, "envelope")
		payload = fmt.Sprintf(payload, strings.Join(list, ","))
		sameEvents(t, provider.Auto, payload, c.cut([]byte(payload), now()))
		if t.Failed() {
			rt.Fatalf("%s", payload)
		}
	})
}

// Published payloads lie beside the repository and are no part of it.
func TestPublishedPayloadsAreReadAsTheyWereSent(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "samples", "*", "*.json"))
	if len(files) == 0 {
		t.Skip("no published payloads beside the repository")
	}
	c, err := newCutter(provider.Auto)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		payload, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(file), func(t *testing.T) { sameEvents(t, provider.Auto, string(payload), c.cut(payload, now())) })
	}
}

func FuzzCut(f *testing.F) {
	for _, s := range []string{"[" + sendGrid(1, "open") + "," + sendGrid(2, "open") + "]", `{"items":[{},{}]}`, `{"Records":[{"Sns":{"Message":"{}"}},{}]}`, "[1,", ""} {
		f.Add([]byte(s))
	}
	c, err := newCutter(provider.Auto)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		sameEvents(t, provider.Auto, string(payload), c.cut(payload, now()))
	})
}
