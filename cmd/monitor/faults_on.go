//go:build faults

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// faultHook ends or freezes the process at a named step, for the fault harness: SENDWATCH_FAULT_STEP is STEP:N:ACTION, where the
// N-th time that STEP is reached brings SIGKILL (kill) or SIGSTOP (stop). It is in no binary but those built with `-tags faults`.
func faultHook() func(step string) {
	text := os.Getenv("SENDWATCH_FAULT_STEP")
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ":")
	signals := map[string]syscall.Signal{"kill": syscall.SIGKILL, "stop": syscall.SIGSTOP}
	if len(parts) != 3 || signals[parts[2]] == 0 {
		panic(fmt.Sprintf("SENDWATCH_FAULT_STEP=%s: expected STEP:N:kill or STEP:N:stop", text))
	}
	nth, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		panic(err)
	}
	var reached atomic.Int64
	return func(step string) {
		if step != parts[0] || reached.Add(1) != nth {
			return
		}
		fmt.Fprintf(os.Stderr, "{\"msg\":\"fault\",\"step\":%q,\"action\":%q}\n", step, parts[2])
		_ = syscall.Kill(os.Getpid(), signals[parts[2]])
	}
}

// faultClock is a clock that is off by what stands in the file that SENDWATCH_FAULT_CLOCK names, as "1h" or "-1h"; it is looked at
// ten times a second. Without the file it is right.
func faultClock() func() time.Time {
	file := os.Getenv("SENDWATCH_FAULT_CLOCK")
	if file == "" {
		return nil
	}
	var looked, off atomic.Int64
	return func() time.Time {
		now := time.Now()
		if before := looked.Load(); now.UnixNano()-before > int64(100*time.Millisecond) && looked.CompareAndSwap(before, now.UnixNano()) {
			text, _ := os.ReadFile(file)
			d, _ := time.ParseDuration(strings.TrimSpace(string(text))) // 0 when there is none
			off.Store(int64(d))
		}
		return now.Add(time.Duration(off.Load()))
	}
}
