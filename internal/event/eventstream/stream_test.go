package eventstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"sendwatch/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func text(name, content string) Source {
	return Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

// told is everything that a stream said, in order.
type told struct{ lines []string }

func (l *told) add(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func read(t interface{ Fatal(...any) }, workers int, sources ...Source) []string {
	var l told
	err := Read(context.Background(), sources, Options{
		Now: func() time.Time { return now }, MaxAhead: 10 * time.Minute, Workers: workers,
		Rejected: func(source string, line int, r *event.Rejection) { l.add("%s:%d: %s", source, line, r.Reason) },
		Failed:   func(source string, err error) { l.add("%s: failed: %v", source, err) },
		Warn:     func(text string) { l.add("warning: %s", text) },
	}, func(r *event.Result) {
		for i := range r.Events {
			l.add("%s", event.AppendJSON(nil, &r.Events[i]))
		}
		if r.Ignored > 0 {
			l.add("ignored %d", r.Ignored)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return l.lines
}

func line(id string, second int) string {
	return fmt.Sprintf(`{"type":"send","time":"%s","id":"%s"}`, now.Add(time.Duration(second-3600)*time.Second).Format(time.RFC3339), id)
}

func idsOf(lines []string) string {
	var ids []string
	for _, l := range lines {
		_, after, ok := strings.Cut(l, `"id":"`)
		id, _, _ := strings.Cut(after, `"`)
		if !ok {
			id = l
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

func TestOneSourceKeepsItsOrder(t *testing.T) {
	got := read(t, 2, text("a", strings.Join([]string{line("3", 3), line("1", 1), "", `{"type":"nope"}`, "null", line("2", 2), "[]"}, "\n")))
	if want := "3 1 a:4: unknown_shape a:5: unknown_shape 2 ignored 1"; idsOf(got) != want {
		t.Errorf("got %s", idsOf(got))
	}
}

func TestSourcesAreMergedByTime(t *testing.T) {
	join := func(lines ...string) string { return strings.Join(lines, "\n") }
	for _, c := range []struct {
		name    string
		sources []Source
		want    string
	}{
		{"side by side", []Source{text("a", join(line("a1", 1), line("a4", 4))), text("b", join(line("b2", 2), line("b3", 3), line("b5", 5)))}, "a1 b2 b3 a4 b5"},
		{"one after the other, given the wrong way round", []Source{text("b", join(line("b5", 5), line("b6", 6))), text("a", join(line("a1", 1), line("a4", 4)))}, "a1 a4 b5 b6"},
		{"equal times in the order given", []Source{text("b", join(line("b1", 1))), text("a", join(line("a1", 1)))}, "b1 a1"},
		{"disorder inside one does not hold up the others", []Source{text("a", join(line("a9", 9), line("a1", 1), line("a10", 10))), text("b", join(line("b2", 2), line("b9", 9)))}, "b2 a9 a1 b9 a10"},
		{"one without events", []Source{text("a", "[]"), text("b", join(line("b2", 2)))}, "ignored 1 b2"},
		{"empty ones", []Source{text("a", ""), text("b", "\n \n")}, ""},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			if got := idsOf(read(t, 2, c.sources...)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// However many processors decode, and however the sources are cut, the stream is the same: every record once, each source in
// its own order, and never one before another that the merge puts first.
func TestStreamIsAlwaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sources []Source
		var all []string
		for i := range rapid.IntRange(1, 5).Draw(t, "sources") {
			var b strings.Builder
			second := 0
			for j := range rapid.IntRange(0, 30).Draw(t, "records") {
				second += rapid.IntRange(-3, 20).Draw(t, "step")
				id := fmt.Sprintf("%d-%d", i, j)
				all = append(all, id)
				b.WriteString(line(id, second) + "\n")
			}
			sources = append(sources, text(fmt.Sprint(i), b.String()))
		}
		first := read(t, 1, sources...)
		if diff := cmp.Diff(first, read(t, 3, sources...)); diff != "" {
			t.Fatal(diff)
		}
		ids := strings.Fields(idsOf(first))
		for i := range sources {
			var mine, want []string
			prefix := fmt.Sprintf("%d-", i)
			for _, id := range ids {
				if strings.HasPrefix(id, prefix) {
					mine = append(mine, id)
				}
			}
			for _, id := range all {
				if strings.HasPrefix(id, prefix) {
					want = append(want, id)
				}
			}
			if !slices.Equal(mine, want) {
				t.Fatalf("source %d: got %v, want %v", i, mine, want)
			}
		}
	})
}

// Texts that a decoder keeps in memory of its own must survive its next record.
func TestTextsSurvive(t *testing.T) {
	var b strings.Builder
	var want []string
	for i := range 5000 {
		fmt.Fprintf(&b, `{"type":"send","time":%d,"recipient":"USER%d@EXAMPLE.org","tenant":"t\u00e9%d"}`+"\n", now.Unix()-9999+int64(i), i, i)
		want = append(want, fmt.Sprintf(`"recipient":"user%d@example.org","tenant":"té%d"}`, i, i))
	}
	got := read(t, 2, text("a", b.String()))
	if len(got) != len(want) {
		t.Fatalf("%d events", len(got))
	}
	for i := range got {
		if !strings.HasSuffix(got[i], want[i]) {
			t.Fatalf("%d: got %s, want %s", i, got[i], want[i])
		}
	}
}

func TestLogFilesAndWarnings(t *testing.T) {
	powermta := "type,timeLogged,rcpt,dsnStatus\nd,2026-03-02 08:00:00+0000,a@b.c,2.0.0\nb,2026-03-02 08:00:01+0000,a@b.c,5.1.1\n"
	got := read(t, 2, text("acct.csv", powermta), text("a", line("a1", 1)))
	if len(got) != 3 || !strings.Contains(got[1], `"type":"bounce"`) || !strings.Contains(got[2], `"a1"`) {
		t.Errorf("got %q", got)
	}
	mainlog := "1772438400@m1@x@x@P@example.net@31@bulk\n"
	got = read(t, 2, text("mainlog", mainlog))
	if len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "warning: ") {
		t.Errorf("got %q", got)
	}
}

func TestFailuresAreToldAndPassedOver(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for i := range 3000 {
		fmt.Fprintln(w, line(fmt.Sprint("z", i), i))
	}
	w.Close()
	broken := packed.String()[:packed.Len()-9]
	gone := Source{Name: "gone", Open: func() (io.ReadCloser, error) { return nil, errors.New("no such file") }}
	bad := Source{Name: "bad", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(line("bad1", 1)+"\n"), iotest.ErrReader(errors.New("disk on fire")))), nil
	}}
	got := read(t, 2, gone, text("cut.gz", broken), bad, text("a", line("a1", 2)))
	var failed []string
	for _, l := range got {
		if strings.Contains(l, "failed: ") {
			failed = append(failed, l)
		}
	}
	want := []string{"gone: failed: no such file", "bad: failed: disk on fire",
		"cut.gz: failed: broken gzip data: it ends too early, the file was cut off"}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Error(diff)
	}
	if ids := idsOf(got); !strings.Contains(ids, "bad1") || !strings.Contains(ids, "a1") || !strings.Contains(ids, "z2999") {
		t.Error("good records of bad sources are missing")
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	because := errors.New("enough")
	endless := Source{Name: "endless", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(&repeating{text: line("x", 1) + "\n"}), nil
	}}
	n := 0
	err := Read(ctx, []Source{endless}, Options{Now: time.Now, Failed: func(name string, err error) { t.Error(name, err) }},
		func(*event.Result) {
			if n++; n == 3000 {
				cancel(because)
			}
		})
	if !errors.Is(err, because) {
		t.Errorf("got %v", err)
	}
}

// repeating gives the same text over and over.
type repeating struct {
	text string
	at   int
}

func (r *repeating) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

func BenchmarkRead(b *testing.B) {
	var file strings.Builder
	for i := range 200_000 {
		fmt.Fprintf(&file, `{"type":"delivery","time":"%s","id":"0102019c-7a51-4f60-9f4e-%012d","recipient":"user%d@example.org",`+
			`"message_id":"0102019made00001-%08d@mta1","tenant":"tenant-%d","ip":"203.0.113.%d","pool":"bulk","campaign":"spring-sale"}`+"\n",
			now.Add(time.Duration(i-3600_000)*time.Millisecond).Format(time.RFC3339Nano), i, i*7919%1_000_000, i, i%50, i%200)
	}
	b.SetBytes(int64(file.Len()))
	n := 0
	for b.Loop() {
		err := Read(b.Context(), []Source{text("a", file.String())}, Options{Now: time.Now, MaxAhead: time.Minute}, func(r *event.Result) { n += len(r.Events) })
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
}
