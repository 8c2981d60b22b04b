package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sendwatch/internal/testparts"
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
