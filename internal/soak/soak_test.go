package soak

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func someSamples(n int) []Sample {
	var list []Sample
	for i := range n {
		k := int64(i + 1)
		list = append(list, Sample{At: time.Duration(k) * 10 * time.Second, Written: 200_000 * k, Read: 200_000 * k, Lag: k % 3, RedisKeys: 1000, RedisBytes: 5 << 20,
			Processes: []Process{{Heap: 20 << 20, RSS: 50 << 20, Goroutines: 30, Files: 20}, {Heap: 10 << 20, RSS: 40 << 20, Goroutines: 31, Files: 21}}})
	}
	return list
}

func TestTableAndPlot(t *testing.T) {
	samples := someSamples(9)
	lines := strings.Split(strings.TrimSpace(table(samples)), "\n")
	if len(lines) != 10 || lines[1] != "10,200000,200000,0,1,0,0,1000,5242880,20971520,52428800,30,20,10485760,41943040,31,21" {
		t.Errorf("%d lines, the second is %q", len(lines), lines[1])
	}
	for _, line := range lines {
		if strings.Count(line, ",") != strings.Count(lines[0], ",") {
			t.Errorf("%q does not have the columns of %q", line, lines[0])
		}
	}
	drawn := 0
	for d := xml.NewDecoder(strings.NewReader(plot(samples))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			drawn++
		}
	}
	if drawn != 12 {
		t.Errorf("%d lines are drawn, not 4 of each of 2 processes and 4 more", drawn)
	}
	if text := growth(samples); !strings.Contains(text, "keys in Redis                                  1000.0         1000.0") {
		t.Errorf("growth: %s", text)
	}
}

func TestMetrics(t *testing.T) {
	have := metrics("# HELP a b\na 3\nb{x=\"1\"} 2\nb{x=\"2\"} 4e1\n")
	if len(have) != 2 || have["a"] != 3 || have["b"] != 42 {
		t.Errorf("read %v", have)
	}
}

// The same seed gives the same records, at the rate that was asked for in event time.
func TestSource(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	one, two := newSource(1, start, 4000, 48), newSource(1, start, 4000, 48)
	seen, repeats := map[string]bool{}, 0
	for n := range 100_000 {
		r := one.next()
		if other := two.next(); string(other.Value) != string(r.Value) {
			t.Fatalf("record %d: %s, and %s", n, r.Value, other.Value)
		}
		if seen[string(r.Value)] {
			repeats++
		}
		seen[string(r.Value)] = true
	}
	if want := (100_000 - recent) / again; repeats != want {
		t.Errorf("%d repeats, not %d", repeats, want)
	}
	newest := one.casts[0].Next().Time.Sub(start).Seconds()
	if want := 96_800.0 / 4000; newest < want*0.9 || newest > want*1.1 {
		t.Errorf("100,000 records take %.0f s of event time, not about %.0f", newest, want)
	}
}
