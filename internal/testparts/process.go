package testparts

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is one child, restartable. Its output goes to a file that each start truncates: a readiness line of an earlier
// life would be found at once.
type process struct {
	name   string
	path   string
	args   []string
	env    []string // beside ours
	dir    string
	log    string // file
	ready  func() bool
	within time.Duration // for getting ready

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has gone
}

// start begins the child and returns without waiting for readiness.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return fmt.Errorf("%s: started already", p.name)
	}
	out, err := os.Create(p.log)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, out, out
	cmd.Env = append(os.Environ(), p.env...)
	setAttributes(cmd)
	started, done := make(chan error, 1), make(chan struct{})
	go func() {
		// The kernel ends the child when the thread that made it ends, so that thread must live as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		defer out.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
	}()
	if err := <-started; err != nil {
		<-done
		return fmt.Errorf("%s: %w", p.name, err)
	}
	p.cmd, p.done = cmd, done
	return nil
}

// await waits until the child is ready, and says what it printed when it is not in time or dies.
func (p *process) await() error {
	p.mu.Lock()
	done := p.done
	p.mu.Unlock()
	if done == nil {
		return fmt.Errorf("%s: not started", p.name)
	}
	deadline := time.NewTimer(p.within)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if p.ready() {
			return nil
		}
		select {
		case <-done:
			p.mu.Lock()
			if p.done == done {
				p.cmd, p.done = nil, nil
			}
			p.mu.Unlock()
			return fmt.Errorf("%s: ended while starting:\n%s", p.name, p.tail())
		case <-deadline.C:
			return fmt.Errorf("%s: not ready within %s:\n%s", p.name, p.within, p.tail())
		case <-tick.C:
		}
	}
}

// end signals the child and waits until it has gone; a child that ignores a polite signal for too long is killed. It is
// no error when there is none.
func (p *process) end(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(sig)
	if sig != syscall.SIGKILL {
		// A stopped child gets no other signal before it is continued.
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
	}
	var err error
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		err = fmt.Errorf("%s: still there 30 s after %s; killed", p.name, sig)
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	p.cmd, p.done = nil, nil
	return err
}

// signal sends without waiting: SIGSTOP and SIGCONT.
func (p *process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return fmt.Errorf("%s: not running", p.name)
	}
	return p.cmd.Process.Signal(sig)
}

// pid is the child's process id, 0 when it is not running.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

func (p *process) logHas(text string) bool {
	b, err := os.ReadFile(p.log)
	return err == nil && bytes.Contains(b, []byte(text))
}

func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	return string(b[max(0, len(b)-3000):])
}
