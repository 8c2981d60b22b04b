package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIngestSources(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("# rotated\nthe-new-secret-of-ours\nthe-old-secret-of-ours\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("f", []byte(`
kafka: {topics: [first, second]}
ingest:
  listen: 0.0.0.0:443
  allow_plain: true
  admin: ""
  sources:
    - {name: gun, format: mailgun, secret_file: `+path+`, max_age: 30m}
    - {name: ses, format: ses, topic_arns: ["arn:aws:sns:eu-west-1:123456789012:mail", "arn:aws-cn:sns:cn-north-1:123456789012:mail"]}
    - {name: pm, format: postmark, verify: basic, username: hooks, secret: the-password-of-ours}
    - {name: local, verify: none}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []IngestSource{
		{Name: "gun", Format: "mailgun", Verify: "mailgun", Secret: "# rotated\nthe-new-secret-of-ours\nthe-old-secret-of-ours\n", MaxAge: 30 * time.Minute},
		{Name: "ses", Format: "ses", Verify: "sns", TopicARNs: []string{"arn:aws:sns:eu-west-1:123456789012:mail", "arn:aws-cn:sns:cn-north-1:123456789012:mail"}},
		{Name: "pm", Format: "postmark", Verify: "basic", Username: "hooks", Secret: "the-password-of-ours"},
		{Name: "local", Format: "auto", Verify: "none"},
	}
	if diff := cmp.Diff(want, c.Ingest.Sources); diff != "" {
		t.Error(diff)
	}
	if c.Ingest.Admin != "" || c.Ingest.TopicOf(c) != "first" {
		t.Errorf("%+v", c.Ingest)
	}
	c.Ingest.Topic = "third"
	if topic := c.Ingest.TopicOf(c); topic != "third" {
		t.Error(topic)
	}
}

func TestIngestTopicApart(t *testing.T) {
	_, err := Parse("f", []byte("ingest:\n  topic: mail.alerts"), nil)
	if err == nil || !strings.Contains(err.Error(), "f:2: ingest.topic is mail.alerts, which sendwatch writes") {
		t.Error(err)
	}
}

func TestIngestFromTheEnvironment(t *testing.T) {
	c, err := Parse("", nil, []string{"SENDWATCH_INGEST_LISTEN=127.0.0.1:1", "SENDWATCH_INGEST_SOURCES=[{name: a, verify: none}]"})
	if err != nil || c.Ingest.Listen != "127.0.0.1:1" || len(c.Ingest.Sources) != 1 {
		t.Errorf("%v %v", c, err)
	}
	_, err = Parse("", nil, []string{"SENDWATCH_INGEST_SOURCES=[{name: a, secret: my-very-secret-secret}]"})
	if err == nil || strings.Contains(err.Error(), "my-very") || !strings.Contains(err.Error(), "SENDWATCH_INGEST_SOURCES: ingest.sources[0] is a, without verify") {
		t.Errorf("error %v", err)
	}
}
