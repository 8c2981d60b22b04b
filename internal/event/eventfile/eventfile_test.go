package eventfile_test

import (
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/event"
	"sendwatch/internal/event/eventfile"
)

// read gives what the records of a file become, each with its line: types of events, "ignored", reasons of rejections.
func read(t *testing.T, format, file string) []string {
	t.Helper()
	d, err := eventfile.NewDecoder(format, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Open(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for {
		result, err := r.Next(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strconv.Itoa(r.Line())+": "+outcome(&result))
	}
}

func outcome(r *event.Result) string {
	var words []string
	for _, e := range r.Events {
		words = append(words, e.Type.String())
	}
	for range r.Ignored {
		words = append(words, "ignored")
	}
	if r.Rejected != nil {
		words = append(words, string(r.Rejected.Reason))
	}
	return strings.Join(words, " ")
}

const (
	native   = `{"type":"delivery","time":1772439304}`
	sendGrid = `{"event":"open","sg_event_id":"x","timestamp":1772439304,"email":"a@example.org"}`
	mails    = "Date: Mon, 2 Mar 2026 08:15:04 +0000\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n"
	notice   = "Date: Mon, 2 Mar 2026 08:15:04 +0000\nContent-Type: message/delivery-status\n\nA: b\n\nAction: failed\n"
	pmta     = "type,timeLogged\nd,1772439304\n\ntype,timeLogged,rcpt\nz,1\nb,1772439304\n"
	momentum = "1772439304@m1@x@x@D@x@y@p\n1772439304@@@@P\n\n1772439304@@@@M\n1772439304@m1@x@x@Q\n"
)

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		name, format, file string
		want               []string
	}{
		{"lines", "auto", native + "\n\n[" + native + "," + sendGrid + "]\nnot JSON\n[]\n{}\n", []string{"1: delivery", "3: delivery open", "4: not_json", "5: ignored", "6: unknown_shape"}},
		{"one format", "sendgrid", native + "\n" + sendGrid, []string{"1: unknown_shape", "2: open"}},
		{"one value", "auto", "[\n" + native + ",\n" + sendGrid + "\n]\n", []string{"1: delivery open"}},
		{"one value, then more", "auto", "{\n\"type\":\"delivery\"}\n" + native, []string{"1: not_json"}},
		{"larger than a record of a topic", "auto", `{"type":"delivery","time":1772439304,"x":"` + strings.Repeat("x", 2<<20) + `"}`, []string{"1: delivery"}},
		{"ahead of the clock", "auto", `{"type":"delivery","time":1872439304}`, []string{"1: ahead"}},
		{"long ago", "auto", `{"type":"delivery","time":2}`, []string{"1: delivery"}},
		{"feedback", "auto", mails, []string{"1: complaint"}},
		{"feedback as arf", "arf", mails, []string{"1: complaint"}},
		{"feedback as dsn", "dsn", mails, []string{"1: unknown_shape"}},
		{"feedback as native", "native", mails, []string{"1: unknown_shape"}},
		{"notice as dsn", "dsn", notice, []string{"1: bounce"}},
		{"words", "auto", "hello\n", []string{"1: not_json"}},
		{"number", "auto", "17\n18\n", []string{"1: not_json"}},
		{"nothing", "auto", "", nil},
		{"PowerMTA", "auto", pmta, []string{"2: delivery", "5: unknown_type", "6: bounce"}},
		{"PowerMTA asked for", "powermta", pmta, []string{"2: delivery", "5: unknown_type", "6: bounce"}},
		{"PowerMTA asked for, columns in another order", "powermta", "timeLogged,type\n1772439304,d\n", []string{"2: delivery"}},
		{"PowerMTA as native", "native", "type,timeLogged\nd,1772439304\n", []string{"1: unknown_shape", "2: unknown_shape"}},
		{"PowerMTA as Momentum", "momentum", "type,timeLogged\n", []string{"1: unknown_type"}},
		{"Momentum", "auto", momentum, []string{"1: delivery", "2: ignored", "4: ignored", "5: unknown_type"}},
		{"Momentum asked for", "momentum", "x\n" + momentum, []string{"1: unknown_type", "2: delivery", "3: ignored", "5: ignored", "6: unknown_type"}},
		{"Momentum as ses", "ses", "1772439304@@@@M\n", []string{"1: unknown_shape"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, read(t, c.format, c.file)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestUnknownFormat(t *testing.T) {
	_, err := eventfile.NewDecoder("mailchimp", 0)
	if err == nil || !strings.Contains(err.Error(), "momentum") || !strings.Contains(err.Error(), "sendgrid") {
		t.Errorf("error %v, want one that lists the formats", err)
	}
	for _, name := range eventfile.Formats() {
		if _, err := eventfile.NewDecoder(name, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSeveralFiles checks that one decoder reads one file after the other, each with a header of its own.
func TestSeveralFiles(t *testing.T) {
	d, err := eventfile.NewDecoder("auto", 0)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"type,timeLogged\nd,1772439304": "delivery", "type,x,timeLogged\nb,,1772439304": "bounce", native: "delivery"} {
		r, err := d.Open(strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		result, err := r.Next(time.Unix(1772439304, 0))
		if got := outcome(&result); got != want || err != nil {
			t.Errorf("%q becomes %q, error %v, want %q", file, got, err, want)
		}
		r.Close()
	}
}

func TestMomentumBounces(t *testing.T) {
	d, err := eventfile.NewDecoder("auto", 0)
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string][2]int{momentum: {1, 0}, native: {0, 0}} {
		r, err := d.Open(strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = r.Next(time.Unix(1772439304, 0))
		}
		p, b := r.MomentumBounces()
		if got := [2]int{p, b}; got != want {
			t.Errorf("%q: %v, want %v", file, got, want)
		}
		r.Close()
	}
}

// TestLinesAllocateNothing checks the path of a large log: lines of native events.
func TestLinesAllocateNothing(t *testing.T) {
	line := `{"type":"bounce","time":"2026-03-02T08:15:04Z","recipient":"ann@example.org","bounce":{"class":"hard","code":"5.1.1"}}` + "\n"
	d, err := eventfile.NewDecoder("auto", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Open(strings.NewReader(strings.Repeat(line, 20_000)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1772439304, 0)
	if n := testing.AllocsPerRun(10_000, func() {
		if result, err := r.Next(now); err != nil || len(result.Events) != 1 {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a record, want none", n)
	}
}

func FuzzReader(f *testing.F) {
	for _, seed := range []string{native, sendGrid, mails, notice, pmta, momentum} {
		f.Add([]byte(seed), byte(0))
	}
	formats := eventfile.Formats()
	f.Fuzz(func(t *testing.T, file []byte, format byte) {
		d, err := eventfile.NewDecoder(formats[int(format)%len(formats)], time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		r, err := d.Open(strings.NewReader(string(file)))
		if err != nil {
			return
		}
		defer r.Close()
		for line := 0; ; line = r.Line() {
			result, err := r.Next(time.Unix(1772439304, 0))
			if err != nil {
				return
			}
			if r.Line() <= line || outcome(&result) == "" {
				t.Fatalf("line %d after line %d, outcome %q", r.Line(), line, outcome(&result))
			}
		}
	})
}
