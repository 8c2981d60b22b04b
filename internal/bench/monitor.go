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
	"sync"
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

// clusterShards is the smallest number with which every master has a shard, of two and of four: the slots of {s00} to {s03} are
// 12958, 8895, 4828 and 765, one in each quarter, while those of {s00} and {s01} are both in the upper half.
const clusterShards = 4

// measured is one run of the monitors on a Redis of its own.
type measured struct {
	mode
	options             options
	binary, dir, broker string
	brokerPID           int
	readOnly            float64

	address   string // of the first monitor: only that one is asked
	pids      []int  // of the monitors
	redisPIDs []int
}

func (m *measured) run(ctx context.Context) error {
	name := strings.ReplaceAll(m.name, " ", "-")
	redis, err := testparts.NewRedis(filepath.Join(m.dir, name), testparts.RedisOptions{Masters: m.options.nodes})
	if err != nil {
		return err
	}
	defer redis.Kill()
	if err := redis.Start(); err != nil {
		return err
	}
	for _, node := range redis.Nodes {
		m.redisPIDs = append(m.redisPIDs, node.PID())
	}
	env := append(m.env, "SENDWATCH_KAFKA_BROKERS="+m.broker, "SENDWATCH_REDIS_ADDRESSES="+strings.Join(redis.Addrs, ","), "SENDWATCH_KAFKA_GROUP=bench-"+name)
	if m.options.nodes == 1 { // one address would be a standalone server's
		env = append(env, "SENDWATCH_REDIS_ADDRESSES="+redis.Addr+","+strings.Replace(redis.Addr, "127.0.0.1", "localhost", 1))
	}
	if _, chosen := os.LookupEnv("SENDWATCH_REDIS_SHARDS"); m.options.nodes > 0 && !chosen {
		env = append(env, fmt.Sprintf("SENDWATCH_REDIS_SHARDS=%d", clusterShards))
	}
	log, err := os.Create(filepath.Join(m.dir, "monitor.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	var running sync.WaitGroup
	measuring, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer running.Wait() // after all have been told to end
	for i := range m.options.monitors {
		address, err := freeAddress(ctx)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, m.binary, "run")
		cmd.Env = append(os.Environ(), append(env, "SENDWATCH_HTTP_LISTEN="+address)...)
		cmd.Stderr = log
		if err := cmd.Start(); err != nil {
			return err
		}
		running.Go(func() { fail(fmt.Errorf("monitor %d of %d ended: %v", i+1, m.options.monitors, cmd.Wait())) })
		defer cmd.Process.Signal(syscall.SIGTERM)
		m.pids = append(m.pids, cmd.Process.Pid)
		if i == 0 {
			m.address = address
		}
	}
	if err := m.drain(measuring); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%w\n%s", err, tail(text, 2000))
	}
	if m.live > 0 {
		return m.measureLive(measuring)
	}
	return nil
}

// drain waits until all events are taken, and asks for rates all the while.
func (m *measured) drain(ctx context.Context) error {
	broker := cpu(m.brokerPID)
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
		if read >= int64(m.options.events) {
			break
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
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
	rate := float64(m.options.events) / took.Seconds()
	fmt.Printf("%-28s %9.0f events/s, %.2f of reading only; CPU seconds: %s %.1f, %s %.1f, broker %.1f; monitor peak %d MB; rates p99 %s of %d, in the first second %s of %d\n",
		m.name, rate, rate/m.readOnly, several(m.options.monitors, "monitor", "monitors"), cpu(m.pids...),
		several(len(m.redisPIDs), "Redis", "Redis"), cpu(m.redisPIDs...), cpu(m.brokerPID)-broker, peakMB(m.pids...), p99(later), len(later), p99(first), len(first))
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

// several is the one word, or how many there are of the many.
func several(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// cpu is the user and system time of processes so far, in seconds.
func cpu(pids ...int) (sum float64) {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		sum += (user + system) / 100
	}
	return sum
}

// peakMB is the largest resident size that one of the processes has had.
func peakMB(pids ...int) (peak int) {
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				kb, _ := strconv.Atoi(strings.Fields(rest)[0])
				peak = max(peak, kb/1024)
			}
		}
	}
	return peak
}

func tail(text []byte, n int) []byte { return text[max(0, len(text)-n):] }
