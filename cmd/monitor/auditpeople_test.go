package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLimitsOnRecipients checks both limits on recipients' states with nothing but their defaults, from the configuration to alerts: one
// delivery after an unsubscribe that had to be honoured is critical, one within the time for honouring is not; a share of engaged
// below 80% is watched and never alerted; by default there is neither.
func TestLimitsOnRecipients(t *testing.T) {
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	var b strings.Builder
	n := 0
	event := func(at time.Duration, kind, recipient, more string) {
		n++
		fmt.Fprintf(&b, `{"type":%q,"time":%q,"id":"%d","recipient":"%s@example.com","tenant":"acme"%s}`+"\n", kind, start.Add(at).Format(time.RFC3339Nano), n, recipient, more)
	}
	for i := range 300 {
		who := fmt.Sprint("r", i)
		event(0, "delivery", who, "")
		switch {
		case i < 100:
			event(time.Minute, "open", who, "")
		case i < 200:
			event(time.Minute, "open", who, `,"machine":true`) // makes nobody engaged
		}
	}
	event(time.Hour, "unsubscribe", "r1", "")
	event(time.Hour, "complaint", "r2", "")
	event(time.Hour, "unsubscribe", "r3", "")
	event(2*time.Hour, "optin", "r3", "")
	event(49*time.Hour, "delivery", "r1", "") // to the nanosecond 48 hours later
	event(49*time.Hour, "delivery", "r2", "")
	event(60*time.Hour, "delivery", "r3", "") // opted in since
	for i := range 300 {
		event(61*time.Hour, "delivery", fmt.Sprint("r", 1000+i), "")
	}
	within := b.String()
	event(62*time.Hour, "delivery", "r1", "")

	audit := func(limits, events string) (code int, report struct {
		Rates []struct {
			SubjectKey string `json:"subject_key"`
			Rate       string
			Verdict    string
			Numerator  int64
			Limit      float64
		}
		Alerts []struct {
			Change, Severity, Rate, Window string
			SubjectKey                     string `json:"subject_key"`
			Observed                       struct{ Numerator int64 }
			Labels                         map[string]string
		}
	}) {
		config := filepath.Join(t.TempDir(), "monitor.yaml")
		noError(t, os.WriteFile(config, []byte(limits), 0o600))
		code, stdout, stderr := runMonitor(t.Context(), strings.NewReader(events), "audit", "--config", config, "-o", "json", "-")
		if err := json.Unmarshal([]byte(stdout), &report); err != nil {
			t.Fatalf("exit %d: %v\n%s", code, err, stderr)
		}
		return code, report
	}
	const both = "subjects: [[tenant]]\nwindows: [{name: 7d, length: 7d, step: 1h}]\npolicies: [{name: people, limits: [{rate: suppressed}, {rate: engaged}]}]\n"

	code, report := audit(both, within)
	if code != exitOK || len(report.Alerts) > 0 {
		t.Errorf("all was honoured: exit %d, %+v", code, report.Alerts)
	}
	for _, r := range report.Rates {
		switch r.Rate {
		case "suppressed":
			if r.Verdict != "ok" || r.Numerator != 0 || r.Limit != 0 {
				t.Errorf("%+v", r)
			}
		case "engaged": // r1, r2 and r3 were engaged at their second delivery
			if r.Verdict != "watch" || r.Numerator != 3 || r.Limit != 0.8 {
				t.Errorf("%+v", r)
			}
		}
	}
	code, report = audit(both, b.String())
	if code != exitBreach || len(report.Alerts) != 1 {
		t.Fatalf("one was not honoured: exit %d, %+v", code, report.Alerts)
	}
	if a := report.Alerts[0]; a.Change != "fired" || a.Severity != "critical" || a.Rate != "suppressed" || a.SubjectKey != "tenant=acme" ||
		a.Observed.Numerator != 1 || a.Labels["severity"] != "critical" {
		t.Errorf("%+v", a)
	}
	if code, report = audit("subjects: [[tenant]]\n", b.String()); len(report.Alerts) > 0 {
		t.Errorf("by default: exit %d, %+v", code, report.Alerts)
	}
}
