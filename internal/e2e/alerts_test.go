package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

// figures are a reading as records write it.
type figures struct {
	Numerator, Denominator, Exposure int64
	Ratio, Judged, Lower, Upper      float64
	From, To                         time.Time
}

// wire is an alert record as contract section 5 writes it.
type wire struct {
	ID, Incident, Change, Status, Severity string
	Seq                                    int64
	Policy, Rate, Window                   string
	LimitName                              string `json:"limit_name"`
	Limit                                  float64
	Subject                                map[string]string
	SubjectKey                             string `json:"subject_key"`
	Observed                               figures
	AtFire                                 figures    `json:"at_fire"`
	Peak                                   figures    `json:"peak"`
	StartsAt                               time.Time  `json:"starts_at"`
	EndsAt                                 *time.Time `json:"ends_at"`
	EvaluatedAt                            time.Time  `json:"evaluated_at"`
	Causes                                 []cause
	Labels, Annotations                    map[string]string
	Definition                             string
}

type cause struct {
	Dimension, Value       string
	Numerator, Denominator int64
	Share                  float64
}

const scriptedPolicy = `
policies:
  - name: scripted
    limits:
      - {name: lists, rate: bounce, below: 3%, windows: [24h], subjects: [[tenant], [tenant, ip]], keep_firing_for: 1s, remind_every: 3s}
      - {rate: complaint, below: 0.1%, windows: [24h], subjects: [[tenant]], keep_firing_for: 1s}
alerts: {evaluate_every: 200ms}
`

// TestAlertsOfAScript tells a story in single records, each of which is applied whole, and holds every record of the alert topic
// against what contract section 5 says.
func TestAlertsOfAScript(t *testing.T) {
	w := sharedWorld(t, scriptedPolicy)
	testparts.CreateTopic(t, w.brokers, w.topic(), 2)
	m := w.process("monitor")
	w.eventually(20*time.Second, "ready", func() string { return ready(m) })
	began := time.Now().Truncate(time.Millisecond)

	// 31 of 1,000, by the bounds a warning; 29 of them at gmail.
	w.tell(mails(969, "delivery", "acme", "203.0.113.9", "gmail.com"), mails(29, "bounce", "acme", "203.0.113.9", "gmail.com"),
		mails(2, "bounce", "acme", "203.0.113.9", "example.org"))
	w.alertsUntil(func(all []wire) bool { return len(by(all, "fired")) == 2 })
	// 51 of 1,020: beyond chance.
	w.tell(mails(20, "bounce", "acme", "203.0.113.9", "gmail.com"))
	w.alertsUntil(func(all []wire) bool { return len(by(all, "escalated")) == 2 })
	// Another tenant, another rate: 3 complaints of 2,000.
	w.tell(mails(2000, "delivery", "other", "", "outlook.com"), mails(3, "complaint", "other", "", "outlook.com"))
	w.alertsUntil(func(all []wire) bool { return len(by(all, "fired")) == 3 && len(by(all, "reminder")) >= 2 })
	// 51 of 2,020 are allowed; 3 of 3,001 too.
	w.tell(mails(1000, "delivery", "acme", "203.0.113.9", "gmail.com"))
	w.tell(mails(1001, "delivery", "other", "", "outlook.com"))
	story := w.alertsUntil(func(all []wire) bool { return len(by(all, "resolved")) == 3 })
	ended := time.Now()

	byID := map[string][]wire{}
	for _, r := range story {
		byID[r.ID] = append(byID[r.ID], r)
	}
	if len(byID) != 3 {
		t.Fatalf("%d episodes, 3 expected", len(byID))
	}
	day := figuresOf(began)
	incidents := map[string]string{}
	for id, records := range byID {
		first, last := records[0], records[len(records)-1]
		for i, r := range records {
			if r.Seq != int64(i+1) {
				t.Errorf("%s: seq %d where %d is due", id, r.Seq, i+1)
			}
			if r.StartsAt != first.StartsAt || r.AtFire != first.AtFire || r.Incident != first.Incident || r.Definition != first.Definition || r.SubjectKey != first.SubjectKey {
				t.Errorf("%s: record %d does not go on where the first began", id, r.Seq)
			}
			if r.EvaluatedAt.Before(began) || r.EvaluatedAt.After(ended) || i > 0 && r.EvaluatedAt.Before(records[i-1].EvaluatedAt) {
				t.Errorf("%s/%d evaluated at %s", id, r.Seq, r.EvaluatedAt)
			}
			if (r.EndsAt != nil) != (r.Change == "resolved") || (r.Status == "resolved") != (r.Change == "resolved") {
				t.Errorf("%s/%d: change %s, status %s, ends_at %v", id, r.Seq, r.Change, r.Status, r.EndsAt)
			}
		}
		if first.Change != "fired" || last.Change != "resolved" || first.StartsAt != first.EvaluatedAt {
			t.Errorf("%s goes from %s to %s", id, first.Change, last.Change)
		}
		if b, ok := incidents[first.Subject["tenant"]]; ok && b != first.Incident {
			t.Errorf("two incidents of one tenant and rate: %s and %s", b, first.Incident)
		}
		incidents[first.Subject["tenant"]] = first.Incident
		if byID[first.Incident] == nil || byID[first.Incident][0].Subject["tenant"] != first.Subject["tenant"] {
			t.Errorf("incident %s of %s is none of its alerts", first.Incident, id)
		}
		changes := changesOf(records)
		switch first.SubjectKey {
		case "tenant=acme", "tenant=acme,ip=203.0.113.9":
			if !slices.Equal(changes, []string{"fired", "escalated", "reminder", "resolved"}) {
				t.Errorf("%s of %s: %v", id, first.SubjectKey, changes)
			}
			w.same(first, "fired", "warning", day(31, 1000), day(31, 1000), day(31, 1000))
			w.same(first, "fired", "warning", first.Observed, first.AtFire, first.Peak)
			w.same(records[1], "escalated", "critical", day(51, 1020), day(31, 1000), day(51, 1020))
			w.same(records[2], "reminder", "critical", day(51, 1020), day(31, 1000), day(51, 1020))
			w.same(last, "resolved", "critical", day(51, 2020), day(31, 1000), day(51, 1020))
			w.bounceAlert(first)
		case "tenant=other":
			if !slices.Equal(changes, []string{"fired", "resolved"}) {
				t.Errorf("%s of %s: %v", id, first.SubjectKey, changes)
			}
			w.same(first, "fired", "warning", day(3, 2000), day(3, 2000), day(3, 2000))
			w.same(last, "resolved", "warning", day(3, 3001), day(3, 2000), day(3, 2000))
			if first.Limit != 0.001 || first.Rate != "complaint" || first.LimitName != "" || first.Labels["alertname"] != "ComplaintRateAboveLimit" {
				t.Errorf("%+v", first)
			}
		default:
			t.Errorf("an alert of %s", first.SubjectKey)
		}
	}
	w.askedFor(m, byID)
}

// changesOf lists what changed, reminders in a row as one.
func changesOf(records []wire) []string {
	var all []string
	for _, r := range records {
		all = append(all, r.Change)
	}
	return slices.Compact(all)
}

// figuresOf makes figures of the 24h window that began lies in: Wilson's bounds at z = 1.6448536269514722, written down anew.
func figuresOf(began time.Time) func(n, d int64) figures {
	to := began.UTC().Truncate(time.Hour).Add(time.Hour)
	return func(n, d int64) figures {
		const z = 1.6448536269514722
		k, e := float64(n), float64(d)
		p := k / e
		mid := (p + z*z/(2*e)) / (1 + z*z/e)
		half := z / (1 + z*z/e) * math.Sqrt(p*(1-p)/e+z*z/(4*e*e))
		return figures{Numerator: n, Denominator: d, Exposure: d, Ratio: p, Judged: p, Lower: mid - half, Upper: mid + half, From: to.Add(-24 * time.Hour), To: to}
	}
}

// same compares figures: whole numbers exactly, shares but for the last digits. The story may go over the end of an hour.
func (w *world) same(r wire, change, severity string, observed, atFire, peak figures) {
	w.t.Helper()
	if r.Change != change || r.Severity != severity || r.Labels["severity"] != severity {
		w.t.Errorf("%s/%d: %s %s, expected %s %s", r.ID, r.Seq, r.Change, r.Severity, change, severity)
	}
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-12 })
	times := cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) || a.Sub(b).Abs() == time.Hour })
	for name, pair := range map[string][2]figures{"observed": {observed, r.Observed}, "at_fire": {atFire, r.AtFire}, "peak": {peak, r.Peak}} {
		if diff := cmp.Diff(pair[0], pair[1], near, times); diff != "" {
			w.t.Errorf("%s/%d %s of %s:\n%s", r.ID, r.Seq, name, r.SubjectKey, diff)
		}
	}
}

// bounceAlert checks what only has to be right once.
func (w *world) bounceAlert(r wire) {
	w.t.Helper()
	labels := map[string]string{"alertname": "BounceRateAboveLimit", "severity": "warning", "tenant": "acme", "rate": "bounce", "window": "24h", "policy": "scripted"}
	if r.SubjectKey != "tenant=acme" {
		labels["ip"] = "203.0.113.9"
	}
	for k, v := range labels {
		if r.Labels[k] != v {
			w.t.Errorf("label %s of %s is %q, expected %q", k, r.SubjectKey, r.Labels[k], v)
		}
	}
	if r.Policy != "scripted" || r.LimitName != "lists" || r.Limit != 0.03 || r.Rate != "bounce" || r.Window != "24h" {
		w.t.Errorf("%+v", r)
	}
	if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Definition == "" {
		w.t.Errorf("texts are missing: %+v", r)
	}
	want := []cause{{"bounce_class", "hard", 31, 1000, 1}}
	if r.SubjectKey == "tenant=acme" { // parts with one dimension more
		want = append(want, cause{"ip", "203.0.113.9", 31, 1000, 1}, cause{"provider", "gmail", 29, 998, 29. / 31}, cause{"provider", "other", 2, 2, 2. / 31})
	}
	if diff := cmp.Diff(want, r.Causes); diff != "" {
		w.t.Errorf("causes of %s:\n%s", r.SubjectKey, diff)
	}
}

// askedFor compares the answers over HTTP with the topic.
func (w *world) askedFor(m *testparts.Monitor, byID map[string][]wire) {
	w.t.Helper()
	var list struct{ Alerts []wire }
	if err := get(m, "/api/v1/alerts?status=all", &list); err != nil {
		w.t.Fatal(err)
	}
	if len(list.Alerts) != len(byID) {
		w.t.Errorf("%d alerts listed, %d expected", len(list.Alerts), len(byID))
	}
	for id, records := range byID {
		var one struct {
			wire
			History []wire
		}
		if err := get(m, "/api/v1/alerts/"+id, &one); err != nil {
			w.t.Error(err)
			continue
		}
		if diff := cmp.Diff(records, one.History); diff != "" {
			w.t.Errorf("history of %s -published +answered:\n%s", id, diff)
		}
	}
}

// mails are n events of one kind, by themselves.
func mails(n int, kind, tenant, ip, domain string) []string {
	all := make([]string, n)
	for i := range all {
		e := fmt.Sprintf(`{"type":%q,"time":%q,"tenant":%q,"recipient":"%s%d@%s"`, kind, time.Now().UTC().Format(time.RFC3339Nano), tenant, kind, i, domain)
		if ip != "" {
			e += fmt.Sprintf(`,"ip":%q`, ip)
		}
		if kind == "bounce" {
			e += `,"bounce":{"class":"hard"}`
		}
		all[i] = e + "}"
	}
	return all
}

// tell writes events as one record, which is applied in one step.
func (w *world) tell(parts ...[]string) {
	w.t.Helper()
	w.produce(w.topic(), kafka.Record{Value: []byte("[" + strings.Join(slices.Concat(parts...), ",") + "]")})
}

func by(all []wire, change string) []wire {
	return slices.DeleteFunc(slices.Clone(all), func(r wire) bool { return r.Change != change })
}

// alertsUntil reads the alert topic until it holds what is waited for, and checks the form of every record on the way.
func (w *world) alertsUntil(there func([]wire) bool) []wire {
	w.t.Helper()
	var all []wire
	w.eventually(20*time.Second, "alerts published", func() string {
		all = nil
		for _, r := range w.records(w.alerts(), 1) {
			all = append(all, w.wellFormed(r))
		}
		if there(all) {
			return ""
		}
		var have []string
		for _, r := range all {
			have = append(have, fmt.Sprintf("%s %s/%d %d/%d", r.Change, r.SubjectKey, r.Seq, r.Observed.Numerator, r.Observed.Exposure))
		}
		return "there is " + strings.Join(have, ", ")
	})
	return all
}

var (
	topKeys = strings.Fields(`id seq incident change status severity policy rate window limit subject subject_key observed at_fire peak
		starts_at ends_at evaluated_at causes labels annotations definition`)
	dates = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`)
)

// wellFormed decodes a record of the alert topic and checks key, headers and keys.
func (w *world) wellFormed(r record) wire {
	w.t.Helper()
	var out wire
	if err := json.Unmarshal(r.value, &out); err != nil {
		w.t.Fatalf("%v: %s", err, r.value)
	}
	var keys []string
	dec := json.NewDecoder(bytes.NewReader(r.value))
	_, _ = dec.Token()
	for dec.More() {
		key, err := dec.Token()
		var value json.RawMessage
		if err != nil || dec.Decode(&value) != nil {
			w.t.Fatalf("%s", r.value)
		}
		if key != "limit_name" {
			keys = append(keys, key.(string))
		}
	}
	if !slices.Equal(keys, topKeys) {
		w.t.Errorf("keys %v, expected %v", keys, topKeys)
	}
	want := map[string]string{"ce_id": fmt.Sprintf("%s/%d", out.ID, out.Seq), "ce_type": "sendwatch.alert." + out.Change, "ce_specversion": "1.0",
		"content-type": "application/json", "ce_source": r.headers["ce_source"], "ce_time": r.headers["ce_time"], "ce_subject": out.SubjectKey}
	if diff := cmp.Diff(want, r.headers); diff != "" {
		w.t.Errorf("headers:\n%s", diff)
	}
	at, err := time.Parse(time.RFC3339Nano, r.headers["ce_time"])
	if err != nil || !at.Equal(out.EvaluatedAt) || !dates.MatchString(r.headers["ce_time"]) || r.headers["ce_source"] == "" {
		w.t.Errorf("ce_time %q, ce_source %q; evaluated at %s", r.headers["ce_time"], r.headers["ce_source"], out.EvaluatedAt)
	}
	if r.key != out.SubjectKey {
		w.t.Errorf("key %q, subject %q", r.key, out.SubjectKey)
	}
	return out
}
