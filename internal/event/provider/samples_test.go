package provider_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/providertest"
	"sendwatch/internal/event/record"

	"github.com/google/go-cmp/cmp"
)

// samples returns the directory of published payloads that lies beside the repository. They are other projects' and no
// part of it, so a clone alone goes without these tests; each format's own test covers its tables.
func samples(t *testing.T) string {
	t.Helper()
	dir := filepath.Join("..", "..", "..", "..", "shared", "samples")
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		t.Skip("no published payloads beside the repository: skipped, the formats' own tests do not need them")
	}
	return dir
}

// outcomeOf decodes a file as the commands do, and returns what its records become. It is false for log files, which are
// not for this package.
func outcomeOf(t *testing.T, path string) (string, bool) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := record.Open(file, record.Detect)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer r.Close()
	if r.Form() == record.PowerMTA || r.Form() == record.Momentum {
		return "", false
	}
	d := decoder(t, provider.Auto, provider.Options{MaxAhead: 10 * time.Minute})
	var outcomes []string
	for {
		value, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines(outcomes...), true
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		outcomes = append(outcomes, providertest.Outcome(d.Decode(value, providertest.Now())))
	}
}

// listed returns the files that a section of the samples' own description names.
func listed(t *testing.T, dir, section string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(text), "## "+section+"\n")
	if !found {
		t.Fatalf("the samples' description has no section %q", section)
	}
	after, _, _ = strings.Cut(after, "\n## ")
	var files []string
	for _, m := range regexp.MustCompile("`([a-z-]+/[^`]+)`").FindAllStringSubmatch(after, -1) {
		matches, err := filepath.Glob(filepath.Join(dir, m[1]))
		if err != nil || len(matches) == 0 {
			t.Fatalf("section %q names %s, which is not there (%v)", section, m[1], err)
		}
		files = append(files, matches...)
	}
	return files
}

// TestSamples says of every published payload whether it becomes events, nothing, or a rejection.
func TestSamples(t *testing.T) {
	dir := samples(t)
	rejected, nothing := listed(t, dir, "Must be rejected"), listed(t, dir, "No event, no error")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, path := range files {
		outcome, ok := outcomeOf(t, path)
		if !ok {
			continue
		}
		hasEvents, isRejected := strings.Contains(outcome, `{"type"`), strings.Contains(outcome, "rejected: ")
		switch {
		case slices.Contains(rejected, path):
			if hasEvents || !isRejected {
				t.Errorf("%s must be rejected:\n%s", path, outcome)
			}
		case slices.Contains(nothing, path):
			if hasEvents || isRejected || outcome == "" {
				t.Errorf("%s must become nothing:\n%s", path, outcome)
			}
		case !hasEvents || isRejected:
			t.Errorf("%s must become events:\n%s", path, outcome)
		}
	}
}

// TestSampleEvents compares the events of published payloads with those written down in testdata, folder by folder. With
// UPDATE_SNAPSHOTS=1 it writes them anew: read the difference before keeping it.
func TestSampleEvents(t *testing.T) {
	dir := samples(t)
	for _, folder := range []string{
		"native", "cloudevents", "amazon-ses", "sendgrid", "mailgun", "postmark", "sparkpost", "mailjet", "brevo",
	} {
		t.Run(folder, func(t *testing.T) {
			files, err := filepath.Glob(filepath.Join(dir, folder, "*"))
			if err != nil || len(files) == 0 {
				t.Fatalf("no files: %v", err)
			}
			var got bytes.Buffer
			for _, path := range files {
				outcome, _ := outcomeOf(t, path)
				got.WriteString("== " + filepath.Base(path) + "\n" + outcome + "\n")
			}
			snapshot := filepath.Join("testdata", "samples", folder+".txt")
			if os.Getenv("UPDATE_SNAPSHOTS") == "1" {
				if err := os.WriteFile(snapshot, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(snapshot)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
				t.Errorf("other events than written down:\n%s", diff)
			}
		})
	}
}
