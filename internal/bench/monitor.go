package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sendwatch/internal/testparts"
)

func build(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", to, "./cmd/monitor")
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

type mode struct {
	name string
	env  []string
	live time.Duration
}

// measured is one run of the monitor on a Redis of its own.
type measured struct {
	mode
	binary, dir, broker string
	brokerPID           int
	events              int
	readOnly            float64

	address string
	pid     int
	redis   *testparts.RedisServer
}

func (m *measured) run(ctx context.Context) error {
	var err error
	if m.redis, err = testparts.NewRedis(filepath.Join(m.dir, strings.ReplaceAll(m.name, " ", "-")), testparts.RedisOptions{}); err != nil {
		return err
	}
	if err := m.redis.Start(); err != nil {
		return err
	}
	defer m.redis.Kill()
	if m.address, err = freeAddress(ctx); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(m.dir, "monitor.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, m.binary, "run")
	cmd.Env = append(os.Environ(), append(m.env, "SENDWATCH_KAFKA_BROKERS="+m.broker, "SENDWATCH_REDIS_ADDRESSES="+m.redis.Addr,
		"SENDWATCH_HTTP_LISTEN="+m.address, "SENDWATCH_KAFKA_GROUP=bench-"+strings.ReplaceAll(m.name, " ", "-"))...)
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return err
	}
	m.pid = cmd.Process.Pid
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}()
	if err := m.drain(ctx); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%w\n%s", err, tail(text, 2000))
	}
	if m.live > 0 {
		return m.measureLive(ctx)
	}
	return nil
}

// drain waits until all events are taken, and asks for rates all the while.
func (m *measured) drain(ctx context.Context) error {
	broker, redis := cpu(m.brokerPID), 0.0
	var start time.Time
	asking, stop := context.WithCancel(ctx)
	defer stop()
	rates := make(chan []answered, 1)
	go func() { rates <- m.askRates(asking) }()
	for deadline := time.Now().Add(10 * time.Minute); ; {
		if time.Now().After(deadline) {
			return errors.New("not drained within ten minutes")
		}
		read, err := m.eventsRead(ctx)
		if err == nil && read > 0 && start.IsZero() {
			start = time.Now()
		}
		if read >= int64(m.events) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(start)
	stop()
	var first, later []time.Duration // within a second, and after it: by then answers come from copies
	for _, a := range <-rates {
		switch since := a.at.Sub(start); {
		case since < 0:
		case since < time.Second:
			first = append(first, a.took)
		default:
			later = append(later, a.took)
		}
	}
	redis = cpu(m.redis.Nodes[0].PID())
	rate := float64(m.events) / took.Seconds()
	fmt.Printf("%-28s %9.0f events/s, %.2f of reading only; CPU seconds: monitor %.1f, Redis %.1f, broker %.1f; monitor peak %d MB; rates p99 %s of %d, in the first second %s of %d\n",
		m.name, rate, rate/m.readOnly, cpu(m.pid), redis, cpu(m.brokerPID)-broker, peakMB(m.pid), p99(later), len(later), p99(first), len(first))
	return nil
}

func p99(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(len(list)-1, len(list)*99/100)].Round(100 * time.Microsecond)
}

// answered is one answer: when it was asked for, and how long it took.
type answered struct {
	at   time.Time
	took time.Duration
}

// askRates asks for a subject's rates every 20 ms, as a page that somebody looks at would more slowly.
func (m *measured) askRates(ctx context.Context) (all []answered) {
	for ctx.Err() == nil {
		began := time.Now()
		if _, err := m.get(ctx, "/api/v1/rates?subject=tenant%3Dtenant-07"); err == nil {
			all = append(all, answered{began, time.Since(began)})
		}
		time.Sleep(20 * time.Millisecond)
	}
	return all
}

func (m *measured) eventsRead(ctx context.Context) (int64, error) {
	body, err := m.get(ctx, "/api/v1/status")
	if err != nil {
		return 0, err
	}
	var status struct {
		Events struct {
			Read int64 `json:"read"`
		} `json:"events"`
	}
	return status.Events.Read, errors.Join(json.Unmarshal(body, &status), nil)
}

func (m *measured) get(ctx context.Context, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.address+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// cpu is the user and system time of a process so far, in seconds.
func cpu(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// peakMB is the largest resident size that a process has had.
func peakMB(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kb / 1024
		}
	}
	return 0
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }
