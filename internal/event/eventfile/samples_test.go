package eventfile_test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/eventfile"
)

// samplesDir holds published payloads of providers, one a file, in folders named for their formats. They are under the
// licences of those who published them and no part of this repository.
const samplesDir = "../../../../shared/samples"

// rejected are samples that are no JSON as they were published, have no time, or are no report.
func rejected() []string {
	return []string{
		"amazon-ses/anymail-complaint_event.json", "amazon-ses/anymail-sns-envelope-complaint_event.json",
		"azure-acs/docs-EmailDeliveryReportReceived.txt", "dsn/made-not-a-report.eml",
		"kumomta/docs-Delivery-annotated.txt", "kumomta/docs-Feedback-annotated.txt", "kumomta/tsa-torture-TransientFailure.txt",
		"mailgun/docs-event-clicked.txt", "mailgun/docs-event-list-member-upload-error.txt", "mailgun/docs-event-opened.txt",
		"mailgun/docs-event-unsubscribed.txt",
		"sparkpost/anymail-click_event.json", "sparkpost/anymail-open_event.json",
		"sparkpost/anymail-initial_open_event_as_opened.json", "sparkpost/anymail-initial_open_event_as_unknown.json",
	}
}

// silent are samples of what is no mail event.
func silent() []string {
	return []string{
		"amazon-ses/anymail-sns-SubscriptionConfirmation.json", "amazon-ses/anymail-sns-envelope-incorrect_received_event.json",
		"azure-acs/symfony-expanded.json", "mailgun/docs-event-list-member-uploaded.json", "mailgun/docs-event-stored.json",
		"postmark/anymail-subscription_change_bounce.json", "postmark/symfony-subscription_change.json",
		"sparkpost/webhook-validation.json",
	}
}

// folderFormats are the formats of folders that are not named like them. That of native envelopes takes any.
func folderFormat(folder string) string {
	switch folder {
	case "amazon-ses":
		return "ses"
	case "azure-acs":
		return "acs"
	case "cloudevents":
		return "native"
	}
	return folder
}

// TestSamples reads published payloads: those that can be read become events, as auto and as the format they have, and no
// other format takes them.
func TestSamples(t *testing.T) {
	samples := os.DirFS(samplesDir)
	if _, err := fs.Stat(samples, "README.md"); err != nil {
		t.Skip("the published samples are not here: they are kept outside of the repository, in " + samplesDir)
	}
	files, err := fs.Glob(samples, "*/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			text, err := fs.ReadFile(samples, name)
			if err != nil {
				t.Fatal(err)
			}
			events, mistakes := normal(t, "auto", text)
			wantEvents := !slices.Contains(rejected(), name) && !slices.Contains(silent(), name)
			if (len(events) > 0) != wantEvents || (mistakes > 0) != slices.Contains(rejected(), name) {
				t.Errorf("%d mistakes and events\n%s", mistakes, events)
			}
			own := folderFormat(path.Dir(name))
			if again, _ := normal(t, own, text); !bytes.Equal(again, events) {
				t.Errorf("as auto\n%s\nas %s\n%s", events, own, again)
			}
			for _, other := range eventfile.Formats() {
				if other == "auto" || other == own {
					continue
				}
				if events, _ := normal(t, other, text); len(events) > 0 {
					t.Errorf("%s takes it too:\n%s", other, events)
				}
			}
		})
	}
}

// normal gives the events of a file as decode prints them, and how many of its records have mistakes.
func normal(t *testing.T, format string, file []byte) (lines []byte, mistakes int) {
	t.Helper()
	d, err := eventfile.NewDecoder(format, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Open(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		result, err := r.Next(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC))
		if err == io.EOF {
			return lines, mistakes
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range result.Events {
			lines = append(event.AppendJSON(lines, &result.Events[i]), '\n')
		}
		if result.Rejected != nil {
			mistakes++
		}
	}
}
