package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// full takes some bytes, as a disk does that is nearly full, and no more.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	if len(p) <= f.room {
		f.room -= len(p)
		return len(p), nil
	}
	n := f.room
	f.room = 0
	return n, syscall.ENOSPC
}

// Commands write to standard output only. When that cannot take what they write, they fail and say so.
func TestAFullDiskIsAFailure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events")
	if err := os.WriteFile(file, []byte(auditStory()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"simulate", "--fast", "--count", "2000"},
		{"decode", file},
		{"audit", file}, {"audit", "-o", "json", file},
		{"backtest", "--policy", "strict", file}, {"backtest", "-o", "json", "--policy", "strict", file},
		{"test-policy", "../../configs/policy-test.yaml"},
		{"version"},
		{"completion", "bash"},
	} {
		for _, room := range []int{0, 10} {
			var messages bytes.Buffer
			code := run(t.Context(), args, strings.NewReader(""), &full{room}, &messages)
			if code != exitFailed || !strings.Contains(messages.String(), "no space left on device") {
				t.Errorf("%s, room for %d bytes: exit %d, %q", strings.Join(args, " "), room, code, messages.String())
			}
		}
	}
}
