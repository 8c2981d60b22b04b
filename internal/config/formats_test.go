package config

import (
	"os"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/providertest"
)

// exampleOf is the commented lines that follow a line of the reference.
func exampleOf(t *testing.T, line string) string {
	t.Helper()
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(data), "\n"+line+"\n")
	if !found {
		t.Fatalf("the reference has no line %q", line)
	}
	var example strings.Builder
	for l := range strings.Lines(after) {
		text, commented := strings.CutPrefix(l, "  # ")
		if !commented {
			break
		}
		example.WriteString("  " + text)
	}
	return example.String()
}

func TestTheExampleOfAFormat(t *testing.T) {
	text := "formats:\n" + exampleOf(t, "formats: {}") + "kafka: {topics: [{name: mail, format: acme}]}\n"
	c, err := Parse("monitor.yaml", []byte(text), nil)
	if err != nil || len(c.Formats) != 1 || c.Formats[0].Name() != "acme" || c.Kafka.Topics[0].Format != "acme" {
		t.Fatalf("%v\n%s", err, text)
	}
	d, err := provider.NewDecoder(provider.Auto, provider.Options{MaxAhead: time.Minute, Own: c.Formats})
	if err != nil {
		t.Fatal(err)
	}
	payload := `{"schema":"acme-mail","version":2,"account":{"id":7},"events":[` +
		`{"kind":"full","at":1772439304,"uid":"e1","to":[{"address":"Ann@example.org"}],"headers":{"message-id":"<m1>"},"status":"5.2.2"},` +
		`{"kind":"fbl","at":1772439304,"report":"rude","robot":true},{"kind":"ping"}]}`
	want := `{"type":"bounce","time":"2026-03-02T08:15:04Z","id":"e1","recipient":"ann@example.org","message_id":"m1","tenant":"7","pool":"shared","bounce":{"class":"soft","code":"5.2.2"}}
{"type":"complaint","time":"2026-03-02T08:15:04Z","tenant":"7","pool":"shared","complaint":{"kind":"other"}}
ignored`
	if got := providertest.Outcome(d.Decode([]byte(payload), providertest.Now())); got != want {
		t.Errorf("the example reads\n%s\nas\n%s\nwant\n%s", payload, got, want)
	}
}

func TestFormatsFromTheEnvironment(t *testing.T) {
	c, err := Parse("f", []byte("formats: {one: {fields: {type: a, time: b}}}"), []string{
		"SENDWATCH_FORMATS={two: {fields: {type: a, time: b}}}", "SENDWATCH_KAFKA_TOPICS=[{name: x, format: two}]"})
	if err != nil || len(c.Formats) != 1 || c.Formats[0].Name() != "two" {
		t.Errorf("%v %v, want the format of the environment alone", c, err)
	}
	_, err = Parse("f", []byte("kafka:\n  topics: [{name: x, format: one}]\nformats: {one: {fields: {type: a, time: b}}}"), []string{
		"SENDWATCH_FORMATS={two: {fields: {type: a, time: }}}"})
	if err == nil || !strings.Contains(err.Error(), `f:2: kafka.topics[0].format is "one"`) ||
		!strings.Contains(err.Error(), "SENDWATCH_FORMATS: formats.two.fields.time is nothing") {
		t.Errorf("error %v", err)
	}
}

func TestWhoseWebhooksOfAnOwnFormatHaveToSayHowTheyAreKnown(t *testing.T) {
	_, err := Parse("f", []byte("formats: {own: {fields: {type: a, time: b}}}\ningest:\n  sources:\n    - {name: hook, format: own}\n"), nil)
	if err == nil || !strings.Contains(err.Error(), "f:4: ingest.sources: one is hook, without verify") {
		t.Errorf("error %v", err)
	}
}
