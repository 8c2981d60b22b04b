package chaos

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

// fault is one way to break things. When run returns, everything that it broke is mended, but for monitors that have to be
// started again.
type fault struct {
	name   string
	weight int
	run    func(*round, context.Context) (detail string, err error)
	// company tells that a monitor may be killed meanwhile: the fault touches none itself.
	company bool
}

func faults() []fault {
	return []fault{
		{"kill", 6, (*round).kill, false},
		{"kill-at-step", 12, (*round).killAtStep, false},
		{"kill-at-holder-step", 10, (*round).killAtHolderStep, false},
		{"freeze", 4, (*round).freeze, false},
		{"zombie-at-step", 4, (*round).zombieAtStep, false},
		{"join-leave", 3, (*round).joinLeave, false},
		{"rolling-restart", 2, (*round).rollingRestart, false},
		{"two-versions", 2, (*round).twoVersions, false},
		{"clock", 3, (*round).clockStep, false},
		{"kill-all", 2, (*round).killEverybody, false},
		{"broker-kill", 3, (*round).brokerKill, true},
		{"broker-restart", 2, (*round).brokerRestart, true},
		{"broker-freeze", 2, (*round).brokerFreeze, true},
		{"redis-kill", 5, (*round).redisKill, true},
		{"redis-loading", 2, (*round).redisLoading, true},
		{"redis-freeze", 2, (*round).redisFreeze, true},
		{"redis-older", 5, (*round).redisOlder, true},
		{"redis-memory", 2, (*round).redisMemory, true},
		{"redis-readonly", 2, (*round).redisReadOnly, true},
		{"redis-scripts", 2, (*round).redisScripts, true},
		{"redis-connections", 2, (*round).redisConnections, true},
		{"reset", 3, toxicFault("reset_peer", "downstream", map[string]any{"timeout": 0}), true},
		{"latency", 2, toxicFault("latency", "downstream", map[string]any{"latency": 200, "jitter": 150}), true},
		{"bandwidth", 1, toxicFault("bandwidth", "upstream", map[string]any{"rate": 100}), true},
		{"swallowed-replies", 5, toxicFault("timeout", "downstream", map[string]any{"timeout": 300}), true},
		{"half-open", 2, toxicFault("timeout", "downstream", map[string]any{"timeout": 0}), true},
		{"offsets-deleted", 2, (*round).offsetsDeleted, false},
		{"offsets-reset", 2, (*round).offsetsReset, false},
		{"partitions-added", 1, (*round).partitionsAdded, true},
		{"log-truncated", 2, (*round).logTruncated, false},
	}
}

// FaultNames lists what can be injected.
func FaultNames() []string {
	var all []string
	for _, f := range append(faults(), clusterFaults()...) {
		if !slices.Contains(all, f.name) {
			all = append(all, f.name)
		}
	}
	return all
}

// between draws a duration.
func (r *round) between(least, most time.Duration) time.Duration {
	return least + time.Duration(r.random.Int64N(int64(most-least)))
}

func (r *round) one() *testparts.Monitor { return r.monitors[r.random.IntN(len(r.monitors))] }

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

func (r *round) brokerKill(ctx context.Context) (string, error) {
	if err := r.broker.Kill(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(0, 3*time.Second))
	return "", r.broker.Start()
}

func (r *round) brokerRestart(context.Context) (string, error) {
	return "", errors.Join(r.broker.Stop(), r.broker.Start())
}

func (r *round) brokerFreeze(ctx context.Context) (string, error) {
	if err := r.broker.Nodes[0].Freeze(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(2*time.Second, 9*time.Second))
	return "", r.broker.Nodes[0].Thaw()
}

func (r *round) redisKill(ctx context.Context) (string, error) {
	if err := r.redis.Kill(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(0, 3*time.Second))
	return "", r.redis.Start()
}

func (r *round) redisFreeze(ctx context.Context) (string, error) {
	if err := r.redis.Nodes[0].Freeze(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(2*time.Second, 9*time.Second))
	return "", r.redis.Nodes[0].Thaw()
}

// redisOlder lets Redis come back with what it had kept at an earlier time of the round; the first time it takes the copy.
func (r *round) redisOlder(context.Context) (string, error) {
	node := r.redis.Nodes[0]
	if err := r.redis.Kill(); err != nil {
		return "", err
	}
	if r.older == "" {
		r.older = filepath.Join(r.dir, r.prefix+"-older")
		if err := node.SaveData(r.older); err != nil {
			return "", err
		}
		r.olderAt = time.Since(r.began)
		return "copied", r.redis.Start()
	}
	if err := node.LoadData(r.older); err != nil {
		return "", err
	}
	return fmt.Sprintf("back by %s", (time.Since(r.began) - r.olderAt).Round(time.Second)), r.redis.Start()
}

// command runs a command of Redis and leaves it for a while before the one that mends.
func (r *round) command(ctx context.Context, d time.Duration, breaks, mends []string) error {
	node := r.redis.Nodes[0]
	if _, err := node.Command(breaks...); err != nil {
		return err
	}
	sleep(ctx, d)
	if mends == nil {
		return nil
	}
	_, err := node.Command(mends...)
	return err
}

func (r *round) redisMemory(ctx context.Context) (string, error) {
	return "", r.command(ctx, r.between(time.Second, 4*time.Second), []string{"config", "set", "maxmemory", "1mb"}, []string{"config", "set", "maxmemory", "0"})
}

func (r *round) redisReadOnly(ctx context.Context) (string, error) {
	return "", r.command(ctx, r.between(time.Second, 4*time.Second), []string{"replicaof", "127.0.0.1", "1"}, []string{"replicaof", "no", "one"})
}

func (r *round) redisScripts(ctx context.Context) (string, error) {
	return "", r.command(ctx, 0, []string{"script", "flush"}, nil)
}

func (r *round) redisConnections(ctx context.Context) (string, error) {
	return "", r.command(ctx, 0, []string{"client", "kill", "type", "normal"}, nil)
}

// toxicFault makes one of the ways go wrong for some seconds: that to Kafka, or that of one or all processes to Redis.
func toxicFault(kind, stream string, attributes map[string]any) func(*round, context.Context) (string, error) {
	return func(r *round, ctx context.Context) (string, error) {
		var on []string
		switch r.random.IntN(3) {
		case 0:
			on = []string{"kafka"}
		case 1:
			on = []string{fmt.Sprintf("monitor-%d", 1+r.random.IntN(len(r.monitors)))}
		default:
			for i := range r.monitors {
				on = append(on, fmt.Sprintf("monitor-%d", i+1))
			}
		}
		var mend []func() error
		var all []error
		for _, name := range on {
			undo, err := r.proxies.toxic(name, kind, stream, attributes)
			if err != nil {
				all = append(all, err)
				continue
			}
			mend = append(mend, undo)
		}
		sleep(ctx, r.between(time.Second, 5*time.Second))
		for _, undo := range mend {
			all = append(all, undo())
		}
		return fmt.Sprintf("%v", on), errors.Join(all...)
	}
}

func (r *round) offsetsDeleted(context.Context) (string, error) {
	var all []error
	for _, m := range r.monitors {
		all = append(all, m.Stop())
	}
	if err := errors.Join(all...); err != nil {
		return "", err
	}
	return "", errors.Join(testparts.DeleteGroup(r.broker.Addr, r.prefix), r.startAll())
}

func (r *round) partitionsAdded(context.Context) (string, error) {
	n := int(r.loose.Load())
	if n >= 5 {
		return "enough of them", nil
	}
	if err := testparts.AddPartitions(r.broker.Addr, r.names.loose(), n+1); err != nil {
		return "", err
	}
	r.loose.Store(int64(n + 1))
	return fmt.Sprintf("%d", n+1), r.newWriter()
}

// logTruncated deletes records that the stopped processes have not read.
func (r *round) logTruncated(ctx context.Context) (string, error) {
	var all []error
	for _, m := range r.monitors {
		all = append(all, m.Stop())
	}
	if err := errors.Join(all...); err != nil {
		return "", err
	}
	sleep(ctx, 2500*time.Millisecond) // what Redis has is on disk then: it will not go back behind the hole
	at, err := r.next(ctx)
	if err != nil {
		return "", err
	}
	p := windows.Partition{Topic: r.names.loose(), ID: r.random.IntN(loosePartitions)}
	from := at[p]
	if from < 0 {
		return "nothing was read of it yet", r.startAll()
	}
	lost := int64(20 + r.random.IntN(200))
	if err := until(ctx, 40*time.Second, "records to delete", func() string {
		ends, err := r.ends(ctx)
		if err != nil {
			return err.Error()
		}
		if have := ends[p]; have < from+lost+10 {
			return fmt.Sprintf("the log ends at %d, %d wanted", have, from+lost+10)
		}
		return ""
	}); err != nil {
		return "", err
	}
	if err := r.oracle.Read(ctx, p.Topic, int(r.loose.Load())); err != nil {
		return "", err
	}
	if err := testparts.DeleteRecords(r.broker.Addr, p.Topic, p.ID, from+lost); err != nil {
		return "", err
	}
	r.oracle.Lose(p, from, from+lost)
	r.older = "" // a Redis from before needs what is gone: that cannot be promised, see TestOlderThanTheLog
	return fmt.Sprintf("%d records of %s/%d", lost, p.Topic, p.ID), r.startAll()
}
