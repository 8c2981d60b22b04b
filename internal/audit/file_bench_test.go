package audit

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/eventstream"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// BenchmarkFile is the whole way from an uncompressed NDJSON file to the report, with repeats and recipients on. Beside it
// stands what reading and decoding the same file costs.
func BenchmarkFile(b *testing.B) {
	const events = 3_000_000
	name := filepath.Join(b.TempDir(), "events.ndjson")
	if err := writeEvents(name, stream(events, 1_000_000, 72*time.Hour)); err != nil {
		b.Fatal(err)
	}
	source := eventstream.Source{Name: name, Open: func() (io.ReadCloser, error) { return os.Open(name) }}
	read := func(b *testing.B, take func(*event.Result)) {
		err := eventstream.Read(b.Context(), []eventstream.Source{source}, eventstream.Options{Now: time.Now, MaxAhead: time.Minute}, take)
		if err != nil {
			b.Fatal(err)
		}
	}
	report := func(b *testing.B, before int64) {
		n := float64(b.N) * events
		b.ReportMetric(n/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64(cpuTime()-before)/n, "cpu-ns/event")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("decode", func(b *testing.B) {
		before := cpuTime()
		for b.Loop() {
			read(b, func(*event.Result) {})
		}
		report(b, before)
	})
	b.Run("audit", func(b *testing.B) {
		pack, _ := policy.Pack("dynamics-365")
		before := cpuTime()
		for b.Loop() {
			a := New(options([]policy.Policy{pack}, windows.DefaultWindows()))
			take, wait := a.Pipeline()
			read(b, take)
			wait()
			if r := a.Finish(); r.Events.Counted != events {
				b.Fatal(fmt.Sprint(r.Events))
			}
		}
		report(b, before)
	})
}

func writeEvents(name string, list []event.Event) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	w := bufio.NewWriterSize(file, 1<<20)
	var line []byte
	for i := range list {
		line = append(event.AppendJSON(line[:0], &list[i]), '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	return w.Flush()
}
