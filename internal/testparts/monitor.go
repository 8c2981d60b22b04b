package testparts

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// BuildMonitor builds the project's binary into dir, with build tags if any, and returns its path. With
// SENDWATCH_TEST_RACE=1 it has the race detector in it.
func BuildMonitor(dir string, tags ...string) (string, error) {
	return buildMonitor(filepath.Join(dir, "monitor"), "", tags)
}

// BuildVersion is BuildMonitor under the name of another version.
func BuildVersion(dir, version string, tags ...string) (string, error) {
	return buildMonitor(filepath.Join(dir, "monitor-"+version), version, tags)
}

func buildMonitor(path, version string, tags []string) (string, error) {
	top, err := root()
	if err != nil {
		return "", err
	}
	args := []string{"build", "-o", path}
	if version != "" {
		args = append(args, "-ldflags", "-X main.version="+version)
	}
	env := append(os.Environ(), "CGO_ENABLED=0")
	if os.Getenv("SENDWATCH_TEST_RACE") == "1" {
		args, env = append(args, "-race"), os.Environ()
	}
	for _, tag := range tags {
		args = append(args, "-tags", tag)
	}
	cmd := exec.Command("go", append(args, "./cmd/monitor")...)
	cmd.Dir, cmd.Env = top, env
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the monitor: %w:\n%s", err, out)
	}
	return path, nil
}

// Monitor is one process of the project's binary, `monitor run`.
type Monitor struct {
	*process
	Config string // file
}

// NewMonitor lays one out and starts nothing. Its configuration goes to a file below dir; http.listen should have port 0.
func NewMonitor(binary, dir, name, config string, env ...string) (*Monitor, error) {
	file := filepath.Join(dir, name+".yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	m := &Monitor{Config: file, process: &process{name: name, path: binary, args: []string{"run", "--config", file}, env: env, dir: dir,
		log: filepath.Join(dir, name+".log"), within: 30 * time.Second}}
	m.ready = func() bool { return m.URL() != "" }
	return m, nil
}

// Start starts the process and waits until it answers HTTP; what it depends on may be away.
func (m *Monitor) Start() error {
	if err := m.start(); err != nil {
		return err
	}
	return m.await()
}

// Launch starts the process and waits for nothing.
func (m *Monitor) Launch() error { return m.start() }

// SetEnv replaces the environment variables that the next start adds to ours.
func (m *Monitor) SetEnv(env ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.env = env
}

// SetBinary has the next start run another binary.
func (m *Monitor) SetBinary(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.path = path
}

// Stop ends the process in good order.
func (m *Monitor) Stop() error { return m.end(syscall.SIGTERM) }

// Kill ends the process at once, as a crash does.
func (m *Monitor) Kill() error { return m.end(syscall.SIGKILL) }

// Freeze stops the process from running without ending it, until Thaw.
func (m *Monitor) Freeze() error { return m.signal(syscall.SIGSTOP) }

// Thaw lets a frozen process go on.
func (m *Monitor) Thaw() error { return m.signal(syscall.SIGCONT) }

// Hangup asks the process to read its configuration again.
func (m *Monitor) Hangup() error { return m.signal(syscall.SIGHUP) }

// PID is the process id, 0 when none was started.
func (m *Monitor) PID() int { return m.pid() }

// Gone is closed once the process that was started last has ended; nil when none was.
func (m *Monitor) Gone() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done
}

// Log is what the process has written since it was started.
func (m *Monitor) Log() string {
	b, _ := os.ReadFile(m.log)
	return string(b)
}

// URL is where the process answers, "" before it does.
func (m *Monitor) URL() string {
	b, _ := os.ReadFile(m.log)
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		var line struct{ Msg, Address string }
		if json.Unmarshal(s.Bytes(), &line) == nil && line.Msg == "answering" {
			return "http://" + line.Address
		}
	}
	return ""
}

// Name is what it was laid out as.
func (m *Monitor) Name() string { return m.name }

// State is the process's state as the kernel's one letter says it: R, S, D, T (stopped), Z; "" when there is no such process.
func (m *Monitor) State() string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.pid()))
	if err != nil {
		return ""
	}
	_, rest, ok := bytes.Cut(b, []byte(") "))
	if !ok || len(rest) == 0 {
		return ""
	}
	return string(rest[:1])
}
