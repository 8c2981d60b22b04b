//go:build faults

package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
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
