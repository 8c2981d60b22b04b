package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"sendwatch/internal/testparts"
)

func (r *round) kill(ctx context.Context) (string, error) {
	m := r.one()
	pause := r.between(0, 2*time.Second)
	if err := m.Kill(); err != nil {
		return "", err
	}
	sleep(ctx, pause)
	return m.Name(), r.startMonitor(m)
}

func (r *round) killEverybody(ctx context.Context) (string, error) {
	for _, m := range r.monitors {
		if err := m.Kill(); err != nil {
			return "", err
		}
	}
	sleep(ctx, r.between(0, 2*time.Second))
	return "", r.startAll()
}

// steps of reading and applying, with how often each is reached before it is used.
var steps = []struct {
	name string
	most int
}{{"fetched", 40}, {"before-letters", 15}, {"before-apply", 15}, {"before-script", 60}, {"after-script", 60}, {"after-apply", 15}, {"before-commit", 4}, {"stopping", 1}}

func (r *round) killAtStep(ctx context.Context) (string, error) {
	m, step := r.one(), steps[r.random.IntN(len(steps))]
	nth := 1 + r.random.IntN(step.most)
	if err := m.Kill(); err != nil {
		return "", err
	}
	if err := r.startMonitor(m, fmt.Sprintf("SENDWATCH_FAULT_STEP=%s:%d:kill", step.name, nth)); err != nil {
		return "", err
	}
	if step.name == "stopping" {
		sleep(ctx, r.between(2*time.Second, 4*time.Second))
		if err := m.Stop(); err != nil {
			return "", err
		}
	}
	detail := fmt.Sprintf("%s at %s:%d", m.Name(), step.name, nth)
	return detail + r.awaitGone(ctx, m, 15*time.Second), r.startMonitor(m)
}

// awaitGone waits until a process has ended by itself; it answers with a remark when it has not, and ends it.
func (r *round) awaitGone(ctx context.Context, m *testparts.Monitor, within time.Duration) string {
	remark := ""
	if gone := m.Gone(); gone != nil {
		t := time.NewTimer(within)
		defer t.Stop()
		select {
		case <-gone:
		case <-t.C:
			remark = " (not reached)"
		case <-ctx.Done():
		}
	}
	_ = m.Kill()
	return remark
}

// holderSteps are those of who evaluates.
var holderSteps = []string{"lease-acquired", "state-loaded", "topic-adopted", "counts-loaded", "before-save", "after-save", "before-publish", "after-publish",
	"after-outbox-removal", "shutdown"}

// killAtHolderStep leaves one process alone, so that it takes the lease, and has it killed there.
func (r *round) killAtHolderStep(ctx context.Context) (string, error) {
	m, step := r.one(), holderSteps[r.random.IntN(len(holderSteps))]
	nth := 1
	if step == "before-save" || step == "after-save" {
		nth += r.random.IntN(10)
	}
	for _, other := range r.monitors {
		if err := other.Kill(); err != nil {
			return "", err
		}
	}
	if err := r.startMonitor(m, fmt.Sprintf("SENDWATCH_FAULT_STEP=%s:%d:kill", step, nth)); err != nil {
		return "", err
	}
	if step == "shutdown" {
		sleep(ctx, r.between(7*time.Second, 9*time.Second)) // the lease of who was killed runs out first
		if err := m.Stop(); err != nil {
			return "", err
		}
	}
	detail := fmt.Sprintf("%s at %s:%d", m.Name(), step, nth)
	return detail + r.awaitGone(ctx, m, 20*time.Second), r.startAll()
}

// freeze stops a process for longer than its session and its lease last.
func (r *round) freeze(ctx context.Context) (string, error) {
	m, d := r.one(), r.between(7*time.Second, 10*time.Second)
	if err := m.Freeze(); err != nil {
		return "", err
	}
	sleep(ctx, d)
	return fmt.Sprintf("%s for %s", m.Name(), d.Round(time.Millisecond)), m.Thaw()
}

// zombieAtStep freezes a process at a step, in the middle of what it does, until others have taken over.
func (r *round) zombieAtStep(ctx context.Context) (string, error) {
	all := []string{"before-apply", "after-apply", "before-letters", "before-save", "after-save", "counts-loaded"}
	m, step := r.one(), all[r.random.IntN(len(all))]
	nth := 1 + r.random.IntN(5)
	if step == "counts-loaded" {
		nth = 1
	}
	if err := m.Kill(); err != nil {
		return "", err
	}
	if slices.Contains(holderSteps, step) { // it has to be the one that evaluates
		for _, other := range r.monitors {
			if err := other.Kill(); err != nil {
				return "", err
			}
		}
	}
	if err := r.startMonitor(m, fmt.Sprintf("SENDWATCH_FAULT_STEP=%s:%d:stop", step, nth)); err != nil {
		return "", err
	}
	detail := fmt.Sprintf("%s at %s:%d", m.Name(), step, nth)
	if err := until(ctx, 15*time.Second, "frozen", func() string {
		if m.State() != "T" {
			return "running"
		}
		return ""
	}); err != nil {
		detail += " (not reached)"
	}
	if err := r.startAll(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(8*time.Second, 10*time.Second))
	return detail, m.Thaw()
}

func (r *round) joinLeave(ctx context.Context) (string, error) {
	if err := r.startMonitor(r.joiner); err != nil {
		return "", err
	}
	sleep(ctx, r.between(time.Second, 4*time.Second))
	return "", r.joiner.Stop()
}

func (r *round) rollingRestart(ctx context.Context) (string, error) {
	for _, m := range r.monitors {
		if err := m.Stop(); err != nil {
			return "", err
		}
		if err := r.startMonitor(m); err != nil {
			return "", err
		}
		if err := r.answering(ctx, m); err != nil {
			return "", err
		}
		sleep(ctx, r.between(0, time.Second))
	}
	return "", nil
}

// answering waits until a process answers HTTP.
func (r *round) answering(ctx context.Context, m *testparts.Monitor) error {
	return until(ctx, 20*time.Second, m.Name()+" answers", func() string {
		if m.URL() == "" {
			return "not yet"
		}
		return ""
	})
}

// twoVersions replaces one process after the other by one of another version, lets both work side by side, and goes back. Without
// -other that is the same code under another name.
func (r *round) twoVersions(ctx context.Context) (string, error) {
	for _, binary := range []string{r.other, r.binary} {
		for _, m := range r.monitors {
			if err := m.Stop(); err != nil {
				return "", err
			}
			m.SetBinary(binary)
			if err := r.startMonitor(m); err != nil {
				return "", err
			}
			if err := r.answering(ctx, m); err != nil {
				return "", err
			}
			sleep(ctx, r.between(0, time.Second))
		}
	}
	return "", nil
}

// clockStep sets the clock of one process, or of all, an hour on or back for some seconds. What counting and alerting go by is
// stepped; time-outs go by the monotonic clock, which does not step.
func (r *round) clockStep(ctx context.Context) (string, error) {
	step := [...]time.Duration{time.Hour, -time.Hour}[r.random.IntN(2)]
	stepped := []*testparts.Monitor{r.one()}
	if r.random.IntN(2) == 0 {
		stepped = r.monitors
	}
	r.stepped = true
	d := r.between(time.Second, 6*time.Second)
	var all []error
	for _, m := range stepped {
		all = append(all, os.WriteFile(r.clockOf(m), []byte(step.String()), 0o600))
	}
	sleep(ctx, d)
	for _, m := range stepped {
		all = append(all, os.Remove(r.clockOf(m)))
	}
	return fmt.Sprintf("%s of %d for %s", step, len(stepped), d.Round(time.Millisecond)), errors.Join(all...)
}
