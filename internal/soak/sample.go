package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Sample is what was seen at one time.
type Sample struct {
	At            time.Duration // since the first record was written
	Written       int64         // records so far
	Read, Repeats int64         // events so far, and how many of them were repeats
	Lag           int64         // records that are not in the state yet
	Lost          int64         // records that were deleted before they were read
	Open          int64         // alerts
	RedisKeys     int64
	RedisBytes    int64 // used_memory
	Processes     []Process
}

// Process is what was seen of one monitor.
type Process struct {
	Heap, RSS, Goroutines, Files int64 // bytes, bytes, number, number
}

// figure names one number of a sample.
type figure struct {
	name string
	of   func(*Sample) int64
}

func (s *Sample) figures() []figure {
	list := []figure{
		{"seconds", func(s *Sample) int64 { return int64(s.At.Seconds()) }},
		{"written", func(s *Sample) int64 { return s.Written }},
		{"events_read", func(s *Sample) int64 { return s.Read }},
		{"repeats", func(s *Sample) int64 { return s.Repeats }},
		{"lag_records", func(s *Sample) int64 { return s.Lag }},
		{"lost_records", func(s *Sample) int64 { return s.Lost }},
		{"open_alerts", func(s *Sample) int64 { return s.Open }},
		{"redis_keys", func(s *Sample) int64 { return s.RedisKeys }},
		{"redis_bytes", func(s *Sample) int64 { return s.RedisBytes }},
	}
	for i := range s.Processes {
		list = append(list,
			figure{fmt.Sprintf("heap_bytes_%d", i+1), func(s *Sample) int64 { return s.Processes[i].Heap }},
			figure{fmt.Sprintf("rss_bytes_%d", i+1), func(s *Sample) int64 { return s.Processes[i].RSS }},
			figure{fmt.Sprintf("goroutines_%d", i+1), func(s *Sample) int64 { return s.Processes[i].Goroutines }},
			figure{fmt.Sprintf("open_files_%d", i+1), func(s *Sample) int64 { return s.Processes[i].Files }})
	}
	return list
}

// table is the samples as CSV, with a line of names first.
func table(samples []Sample) string {
	var b strings.Builder
	list := samples[0].figures()
	for i, f := range list {
		b.WriteString(map[bool]string{true: "", false: ","}[i == 0] + f.name)
	}
	b.WriteByte('\n')
	for k := range samples {
		for i, f := range list {
			b.WriteString(map[bool]string{true: "", false: ","}[i == 0] + strconv.FormatInt(f.of(&samples[k]), 10))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (s *Sample) text() string {
	out := fmt.Sprintf("%6.0fs  %d written, lag %d, %d alerts open; Redis %d keys %d MB", s.At.Seconds(), s.Written, s.Lag, s.Open, s.RedisKeys, s.RedisBytes>>20)
	for _, p := range s.Processes {
		out += fmt.Sprintf("; heap %d MB, RSS %d MB, %d goroutines, %d files", p.Heap>>20, p.RSS>>20, p.Goroutines, p.Files)
	}
	return out
}

// sample looks at everything.
func (s *soak) sample(ctx context.Context) (Sample, error) {
	out := Sample{At: time.Since(s.began), Written: s.written.Load()}
	for i, m := range s.monitors {
		got, err := get(ctx, m.URL()+"/metrics")
		if err != nil {
			return out, fmt.Errorf("%s: %w", m.Name(), err)
		}
		have := metrics(got)
		out.Processes = append(out.Processes, Process{Heap: int64(have["go_memstats_heap_alloc_bytes"]), RSS: int64(have["process_resident_memory_bytes"]),
			Goroutines: int64(have["go_goroutines"]), Files: int64(have["process_open_fds"])})
		if i == 0 {
			out.Lag, out.Lost, out.Open = int64(have["sendwatch_partition_lag_records"]), int64(have["sendwatch_lost_records_total"]), int64(have["sendwatch_alerts_open"])
		}
	}
	text, err := get(ctx, s.monitors[0].URL()+"/api/v1/status")
	if err != nil {
		return out, err
	}
	var status struct {
		Events struct{ Read, Duplicate int64 }
	}
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		return out, fmt.Errorf("status: %w", err)
	}
	out.Read, out.Repeats = status.Events.Read, status.Events.Duplicate
	return out, s.sampleRedis(&out)
}

func (s *soak) sampleRedis(out *Sample) error {
	node := s.redis.Nodes[0]
	text, err := node.Command("dbsize")
	if err != nil {
		return err
	}
	if out.RedisKeys, err = strconv.ParseInt(text, 10, 64); err != nil {
		return err
	}
	if text, err = node.Command("info", "memory"); err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			out.RedisBytes, err = strconv.ParseInt(rest, 10, 64)
			return err
		}
	}
	return fmt.Errorf("no used_memory in %q", text)
}

// metrics reads the text form of Prometheus, adding up what differs by labels only.
func metrics(text string) map[string]float64 {
	out := map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		at := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || at < 0 {
			continue
		}
		name, _, _ := strings.Cut(line[:at], "{")
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			out[name] += v
		}
	}
	return out
}

func get(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %.200s", request.URL.Path, response.Status, body)
	}
	return string(body), err
}

// ask has the processes answer, as people and dashboards do.
func (s *soak) ask(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		m := s.monitors[n%len(s.monitors)]
		for _, path := range []string{"/api/v1/rates?subject=all", fmt.Sprintf("/api/v1/rates?subject=tenant%%3Dtenant-%02d", n%50), "/api/v1/alerts?limit=20", "/"} {
			_, _ = get(ctx, m.URL()+path) // what is wrong shows in the samples
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
