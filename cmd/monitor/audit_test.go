package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what is printed to testdata, to be looked at before it is kept")

func runMonitor(ctx context.Context, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	var out, messages bytes.Buffer
	code = run(ctx, args, stdin, &out, &messages)
	return code, out.String(), messages.String()
}

// auditStory is two days of an invented sender: a good mailing, and one to a bad list that a provider refuses; a few complaints;
// a machine, a repeat, a ping and a line that is broken.
func auditStory() string {
	var b strings.Builder
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	event := func(at time.Duration, kind, id, recipient, more string) {
		fmt.Fprintf(&b, `{"type":"%s","time":"%s","id":"%s","recipient":"%s","tenant":"acme","ip":"203.0.113.9"%s}`+"\n",
			kind, start.Add(at).Format(time.RFC3339Nano), id, recipient, more)
	}
	mailing := func(at time.Duration, name string, n int, bounces func(i int) bool) {
		for i := range n {
			domain := [...]string{"gmail.com", "yahoo.com", "example.org"}[i%3]
			recipient, campaign := fmt.Sprintf("%s-%d@%s", name, i, domain), `,"campaign":"`+name+`"`
			if bounces(i) {
				event(at, "bounce", fmt.Sprint(name, i), recipient, campaign+`,"bounce":{"class":"hard","code":"5.1.1"}`)
			} else {
				event(at, "delivery", fmt.Sprint(name, i), recipient, campaign)
			}
			at += 700 * time.Millisecond
		}
	}
	mailing(0, "spring", 900, func(i int) bool { return i%91 == 7 })
	event(20*time.Minute, "open", "o1", "spring-1@yahoo.com", "")
	event(20*time.Minute, "open", "o2", "spring-2@example.org", `,"machine":true`)
	event(21*time.Minute, "unsubscribe", "u1", "spring-3@gmail.com", "")
	event(21*time.Minute, "unsubscribe", "u1", "spring-3@gmail.com", "") // a repeat
	b.WriteString(`{"msys":{}}` + "\n" + `{"type":"delivery","recipient":"no-time@example.org"}` + "\n")
	mailing(3*time.Hour, "bought", 400, func(i int) bool { return i%3 == 0 && i%5 > 0 })
	for i := range 4 {
		event(5*time.Hour+time.Duration(i)*time.Minute, "complaint", fmt.Sprint("c", i), fmt.Sprintf("bought-%d@yahoo.com", 1+3*i), `,"campaign":"bought"`)
	}
	event(30*time.Hour, "delivery", "late", "spring-3@gmail.com", `,"campaign":"spring"`)
	mailing(33*time.Hour, "spring", 300, func(int) bool { return false }) // the same ids, within 48 hours: repeats
	event(46*time.Hour, "click", "k1", "spring-1@yahoo.com", "")
	return b.String()
}

// golden compares with a file of testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (want -, have +):\n%s", path, diff)
	}
}

func TestAuditTellsTheStory(t *testing.T) {
	dir := decodeFiles(t, map[string]string{"events.ndjson": auditStory()})
	file := filepath.Join(dir, "events.ndjson")
	code, out, messages := runMonitor(t.Context(), nil, "audit", "--top", "6", file)
	golden(t, "audit.table", out)
	if want := file + ":906: no_time: time: absent, every event needs a time\n"; code != exitBreach || !strings.HasSuffix(messages, want) {
		t.Errorf("exit %d, messages %q", code, messages)
	}
	code, out, _ = runMonitor(t.Context(), nil, "audit", "-o", "json", "--subjects", "tenant", "--window", "24h", file)
	golden(t, "audit.json", out)
	if code != exitBreach || !json.Valid([]byte(out)) {
		t.Errorf("exit %d", code)
	}
}

func TestAuditReportHasWhatTheContractSays(t *testing.T) {
	code, out, _ := runMonitor(t.Context(), strings.NewReader(auditStory()), "audit", "-o", "json", "-")
	var report struct {
		Events   map[string]any
		From, To string
		Rates    []map[string]any
		Worst    []map[string]any
		Alerts   []map[string]any
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitBreach {
		t.Fatal(code, err)
	}
	want := map[string]any{"read": 1612.0, "counted": 1313.0, "duplicate": 297.0, "late": 0.0, "ignored": 1.0, "rejected": map[string]any{"no_time": 1.0}}
	if diff := cmp.Diff(want, report.Events); diff != "" {
		t.Error(diff)
	}
	if report.From != "2026-03-02T08:00:00Z" || report.To != "2026-03-04T06:00:00Z" {
		t.Errorf("from %s to %s", report.From, report.To)
	}
	row := []string{"subject", "subject_key", "policy", "rate", "window", "from", "to", "numerator", "denominator", "exposure", "ratio",
		"judged", "lower", "upper", "limit", "verdict", "certain", "headroom", "definition"}
	for _, r := range slices.Concat(report.Rates, report.Worst) {
		for _, key := range row {
			if _, ok := r[key]; !ok {
				t.Fatalf("a row without %s: %v", key, r)
			}
		}
	}
	// 30 hours after an unsubscribe nothing is overdue; the campaign that went wrong has fired, and everything is told once.
	seqs := map[string]float64{}
	for _, a := range report.Alerts {
		id, seq := a["id"].(string), a["seq"].(float64)
		if seq != seqs[id]+1 {
			t.Errorf("alert %s: seq %v after %v", id, seq, seqs[id])
		}
		seqs[id] = seq
	}
	if len(report.Worst) == 0 || len(seqs) == 0 || report.Alerts[0]["change"] != "fired" {
		t.Errorf("%d worst rows, %d alerts", len(report.Worst), len(seqs))
	}
}

// However the same events come, the report is the same to the byte.
func TestAuditReadsAnything(t *testing.T) {
	story := auditStory()
	gz, zst := decodePacked(t, story)
	middle := strings.Index(story[len(story)/2:], "\n") + len(story)/2 + 1
	dir := decodeFiles(t, map[string]string{"whole": story, "packed.gz": gz, "packed.zst": zst})
	parts := decodeFiles(t, map[string]string{"z-first": story[:middle], "a-second": story[middle:], ".hidden": "nonsense"})
	_, want, _ := runMonitor(t.Context(), nil, "audit", "-o", "json", filepath.Join(dir, "whole"))
	for _, c := range []struct {
		name  string
		stdin string
		args  []string
	}{
		{"gzip", "", []string{filepath.Join(dir, "packed.gz")}},
		{"zstd", "", []string{filepath.Join(dir, "packed.zst")}},
		{"standard input", story, []string{"-"}},
		{"packed standard input", gz, []string{"-"}},
		{"a directory of parts", "", []string{parts}},
		{"parts the wrong way round", "", []string{filepath.Join(parts, "a-second"), filepath.Join(parts, "z-first")}},
		{"with an empty one", "", []string{filepath.Join(dir, "whole"), os.DevNull}},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			code, out, _ := runMonitor(t.Context(), strings.NewReader(c.stdin), append([]string{"audit", "-o", "json"}, c.args...)...)
			if diff := cmp.Diff(want, out); diff != "" || code != exitBreach {
				t.Errorf("exit %d\n%.2000s", code, diff)
			}
		})
	}
}

// Pipes, such as a shell makes of <(zcat FILE), can be read once: nothing of them may be lost to finding out which begins first.
func TestAuditReadsPipes(t *testing.T) {
	story := auditStory()
	middle := strings.Index(story[len(story)/2:], "\n") + len(story)/2 + 1
	dir := decodeFiles(t, map[string]string{"whole": story})
	_, want, _ := runMonitor(t.Context(), nil, "audit", "-o", "json", filepath.Join(dir, "whole"))
	pipes := []string{filepath.Join(dir, "late"), filepath.Join(dir, "early")}
	for i, part := range []string{story[middle:], story[:middle]} {
		if err := syscall.Mkfifo(pipes[i], 0o600); err != nil {
			t.Skip("no named pipes here: ", err)
		}
		go func() { _ = os.WriteFile(pipes[i], []byte(part), 0o600) }() // ends when it was read, or with the test
	}
	code, got, messages := runMonitor(t.Context(), nil, "audit", "-o", "json", pipes[0], pipes[1])
	if diff := cmp.Diff(want, got); diff != "" || code != exitBreach {
		t.Errorf("exit %d, %s\n%.2000s", code, messages, diff)
	}
}

// Files of any form that decode knows may stand beside each other, and in one file records of several.
func TestAuditMixesFormats(t *testing.T) {
	native := `{"type":"delivery","time":"2026-03-02T08:00:00Z","id":"n1","recipient":"a@example.org","tenant":"acme"}`
	sendgrid := `[{"email":"b@example.org","event":"delivered","timestamp":1772438401,"sg_event_id":"s1","sg_message_id":"m1"},` +
		`{"email":"c@example.org","event":"bounce","type":"bounce","timestamp":1772438402,"sg_event_id":"s2","sg_message_id":"m2","status":"5.1.1"}]`
	postmark := `{"RecordType":"Delivery","Recipient":"d@example.org","MessageID":"p1","DeliveredAt":"2026-03-02T08:00:03Z","ServerID":1}`
	powermta := "type,timeLogged,timeQueued,orig,rcpt,orcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat,srcType,srcMta,dlvType,dlvSourceIp,dlvDestinationIp\n" +
		"d,2026-03-02 08:00:04+0000,2026-03-02 08:00:00+0000,x@news.example,e@example.org,,relayed,2.0.0,,mx.example.org,,smtp,,smtp,203.0.113.9,198.51.100.1\n"
	gz, _ := decodePacked(t, postmark+"\n")
	dir := decodeFiles(t, map[string]string{"mixed.ndjson": native + "\n" + sendgrid + "\n", "postmark.gz": gz, "acct.csv": powermta})
	code, out, messages := runMonitor(t.Context(), nil, "audit", "-o", "json", dir)
	want := `{"events":{"read":5,"counted":5,"duplicate":0,"late":0,"ignored":0,"rejected":{}},"from":"2026-03-02T08:00:00Z","to":"2026-03-02T08:00:04Z",`
	if head, _, _ := strings.Cut(out, "\n"); head != want || code != exitOK || messages != "" {
		t.Errorf("exit %d, %q\n%s\nwant\n%s", code, messages, head, want)
	}
}

func TestAuditExitStatus(t *testing.T) {
	gz, _ := decodePacked(t, auditStory())
	good := strings.Join(strings.SplitAfter(auditStory(), "\n")[:600], "")
	dir := decodeFiles(t, map[string]string{
		"good": good, "bad": auditStory(), "cut.gz": gz[:len(gz)-20], "empty": "", "ping": `{"msys":{}}`,
		"policy.yaml": "name: mine\nlimits:\n  - {rate: bounce, below: 0.5%, min_volume: 100}\n",
		"list.yaml":   "- name: mine\n  limits:\n    - {rate: bounce, below: 1%}\n- strict\n",
		"full.yaml":   "policies:\n  - name: mine\n    limits: [{rate: bounce, below: 50%}]\nsubjects: [[tenant]]\n",
		"wrong.yaml":  "name: mine\nlimits:\n  - {rate: bounce, below: 3%}\n  - {rate: bounced, below: 3%}\n  - {rate: bounce, bellow: 3%}\n",
		"wrongs.yaml": "- name: mine\n  limits:\n    - {rate: bounce, below: 300}\n",
	})
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		name          string
		args          []string
		code          int
		out, messages string // parts of what is printed
	}{
		{"nothing broken", []string{in("good")}, exitOK, "GOOD: no limit was broken by any of 8 subjects.", ""},
		{"a limit broken", []string{in("bad")}, exitBreach, "LIMITS BROKEN: ", ""},
		{"no events", []string{in("empty"), in("ping")}, exitOK, "NO EVENTS", ""},
		{"a file that is not there", []string{in("good"), in("gone")}, exitFailed, "GOOD", "gone: no such file or directory\n"},
		{"a broken file, and breaches before", []string{in("cut.gz")}, exitFailed, "LIMITS BROKEN", "cut.gz: broken gzip data"},
		{"own policy", []string{"--policy", in("policy.yaml"), in("good")}, exitBreach, "mine", ""},
		{"own policies, and one built in", []string{"--policy", in("list.yaml"), "--top", "100", in("good")}, exitBreach, "strict", ""},
		{"policies of a configuration", []string{"--policy", in("full.yaml"), in("bad")}, exitOK, "GOOD", ""},
		{"a configuration", []string{"--config", in("full.yaml"), in("bad")}, exitOK, "GOOD: no limit was broken by any of 1 subject.", ""},
		{"a built-in policy", []string{"--policy", "amazon-ses", in("good")}, exitOK, "GOOD", ""},
		{"some subjects", []string{"--subjects", "all;tenant,campaign", in("good")}, exitOK, "any of 2 subjects", ""},
		{"some windows", []string{"--window", "7d", "--window", "24h", in("good")}, exitOK, "24h", ""},

		{"an unknown policy", []string{"--policy", "nope", in("good")}, exitUsage, "", "neither a file nor one of the built-in policies dynamics-365"},
		{"a policy twice", []string{"--policy", "strict", "--policy", "strict", in("good")}, exitUsage, "", `a policy "strict" was given before`},
		{"a wrong policy", []string{"--policy", in("wrong.yaml"), in("good")}, exitUsage, "", "wrong.yaml:4: "},
		{"its other mistake", []string{"--policy", in("wrong.yaml"), in("good")}, exitUsage, "", "wrong.yaml:5: "},
		{"a wrong list", []string{"--policy", in("wrongs.yaml"), in("good")}, exitUsage, "", "wrongs.yaml:3: "},
		{"an unknown dimension", []string{"--subjects", "tenant,colour", in("good")}, exitUsage, "", `--subjects "tenant,colour"`},
		{"an unknown window", []string{"--window", "9h", in("good")}, exitUsage, "", "expected one of 1h, 24h, 7d, 30d"},
		{"an unknown form of output", []string{"-o", "xml", in("good")}, exitUsage, "", "expected table or json"},
		{"no files", nil, exitUsage, "", "requires at least 1 arg"},
		{"standard input twice", []string{"-", "-"}, exitUsage, "", "given twice"},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			code, out, messages := runMonitor(t.Context(), strings.NewReader(""), append([]string{"audit"}, c.args...)...)
			if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(messages, c.messages) {
				t.Errorf("exit %d, want %d\n%s\n%s", code, c.code, out, messages)
			}
			if c.code == exitUsage && out != "" {
				t.Errorf("printed %q", out)
			}
		})
	}
}

func TestAuditIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, feed := io.Pipe()
	go func() {
		_, _ = io.WriteString(feed, auditStory())
		cancel() // and nothing more comes, nor an end
	}()
	defer feed.Close()
	code, out, messages := runMonitor(ctx, in, "audit", "-")
	if code != exitFailed || out != "" || !strings.Contains(messages, "canceled") {
		t.Errorf("exit %d\n%s\n%s", code, out, messages)
	}
}
