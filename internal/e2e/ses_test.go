package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

// samples are published payloads, which are not part of this repository.
const samples = "../../../shared/samples/amazon-ses"

// TestPublishedSESPayloads produces the payloads of Amazon SES as they are published, with their days moved to yesterday because
// old events are late, and holds what is counted against what docs/PROVIDERS.md says of each.
func TestPublishedSESPayloads(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(samples, "*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("the published payloads of Amazon SES are not at hand")
	}
	w := sharedWorld(t, "")
	testparts.CreateTopic(t, w.brokers, w.topic(), 1)
	day := regexp.MustCompile(`20\d\d-\d\d-\d\dT`)
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Format(time.DateOnly) + "T"
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w.produce(w.topic(), kafka.Record{Value: day.ReplaceAll(text, []byte(yesterday))})
	}
	// 27 payloads: one of two deliveries; two control messages; two complaints without a time; the bounce and the delivery that
	// also come in an envelope or from another manual are the same events.
	m := w.process("monitor")
	s := w.counted(m, 30*time.Second, 28)
	if got := s.Events; got.Counted != 22 || got.Duplicate != 2 || got.Ignored != 2 || got.Late != 0 || got.Rejected["no_time"] != 2 {
		t.Errorf("%+v", got)
	}
	state := w.state(1)
	for subject, want := range map[string]map[windows.Counter]int64{
		"all": {windows.Delivered: 5, windows.BouncedHard: 3, windows.Complained: 3, windows.Opened: 3, windows.Dropped: 4, windows.Sent: 3, windows.OptedIn: 1},
		"tenant=123456789012": {windows.Delivered: 1, windows.BouncedHard: 3, windows.Complained: 3, windows.Opened: 1, windows.Dropped: 1,
			windows.Sent: 1},
		"tenant=111122223333":              {windows.Dropped: 1, windows.OptedIn: 1},
		"tenant=default":                   {windows.Delivered: 2, windows.Opened: 2, windows.Dropped: 2, windows.Sent: 2},
		"tenant=acme":                      {windows.Delivered: 2},
		"tenant=acme,campaign=spring-sale": {windows.Delivered: 2},
		"tenant=acme,ip=203.0.113.17":      {windows.Delivered: 2},
		"ip=203.0.113.17":                  {windows.Delivered: 2},
		"ip=192.0.2.0":                     {windows.Delivered: 1},
	} {
		series, err := state.Series(t.Context(), subject, state.Kept(time.Now())...)
		if err != nil {
			t.Fatal(err)
		}
		sum := series.Sum(windows.SpanAt(windows.Day, 48*time.Hour, time.Now()))
		got := map[windows.Counter]int64{}
		for c, n := range sum {
			if c := windows.Counter(c); n != 0 && c < windows.DeliveredReporting {
				got[c] = n
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s -expected +found:\n%s", subject, diff)
		}
	}
	if letters := w.records(w.deadLetters(), 1); len(letters) != 2 {
		t.Errorf("%d dead letters, 2 expected", len(letters))
	}
}
