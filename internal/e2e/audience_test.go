package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

// TestAudienceSpeed measures how fast a list is checked against a state of as many recipients, and what memory that takes:
// SENDWATCH_MEASURE=10000000 says how many. A tenth of the list is not known. The figures stand in docs/REFERENCE.md.
func TestAudienceSpeed(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("SENDWATCH_MEASURE"))
	if n == 0 {
		t.Skip("SENDWATCH_MEASURE is not set")
	}
	builtBinary(t)
	w := newWorld(t, testparts.SharedKafka(t).Addr, testparts.Redis(t, testparts.RedisOptions{}).Addr, "")
	testparts.CreateTopic(t, w.brokers, w.topic(), 1)
	w.populate(n)
	list := writeList(t, n)
	m := w.process("monitor")
	w.eventually(20*time.Second, "ready", func() string { return ready(m) })
	idle := peakMemory(t, m.PID())
	for _, more := range [][]string{nil, {"--write", filepath.Join(w.dir, "split")}} {
		args := append([]string{"audience", "check", "--server", m.URL(), "--tenant", "acme", "--max-unengaged", "100", "--max-suppressed", "100"}, more...)
		cmd := exec.CommandContext(t.Context(), builtBinary(t), append(args, list)...)
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		took := time.Since(began)
		client := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
		server := peakMemory(t, m.PID())
		t.Logf("%v: %d addresses in %s, %.0f a second; at most %d MB in the client, %d MB in the service, which had %d idle",
			more, n, took.Round(100*time.Millisecond), float64(n)/took.Seconds(), client, server, idle)
		if client > 200 || server > 200 {
			t.Error("more than 200 MB")
		}
	}
}

// populate makes the state know n recipients of the tenant acme, as events of another topic would.
func (w *world) populate(n int) {
	w.t.Helper()
	s := w.state(1)
	p := windows.Partition{Topic: "mailed.before"}
	f := s.NewFold()
	now := time.Now()
	result := event.Result{Events: make([]event.Event, 1)}
	for i, from := 0, int64(-1); i < n; from = int64(i) {
		f.Start(p, []int64{from})
		for range min(50_000, n-i) {
			e := &result.Events[0]
			*e = event.Event{Type: event.Delivery, Tenant: "acme", Recipient: fmt.Sprintf("somebody.%d@example.org", i), Time: now.AddDate(0, 0, -i%200)}
			switch {
			case i%3 == 0:
				e.Type = event.Open
			case i%100 == 1:
				e.Type = event.Unsubscribe
			case i%50 == 8:
				e.Type, e.BounceClass = event.Bounce, event.Hard
			}
			f.Add(p, int64(i), &result, now)
			i++
		}
		if err := s.Apply(w.t.Context(), f); err != nil {
			w.t.Fatal(err)
		}
		f.Reset()
	}
}

// writeList writes the addresses of the state in no order, each tenth a stranger's.
func writeList(t *testing.T, n int) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "list.txt"))
	check(t, err)
	defer f.Close()
	b := bufio.NewWriter(f)
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(n) {
		who := "somebody"
		if i%10 == 9 {
			who = "stranger"
		}
		fmt.Fprintf(b, "%s.%d@example.org\n", who, i)
	}
	check(t, b.Flush())
	return f.Name()
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory is the most that a process had in memory, in MB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	check(t, err)
	found := highWater.FindSubmatch(status)
	if found == nil {
		t.Fatalf("no VmHWM in\n%s", status)
	}
	kb, _ := strconv.Atoi(string(found[1]))
	return kb >> 10
}
