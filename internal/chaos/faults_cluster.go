package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/testparts"
)

// clusterFaults are those of a run with three brokers and a Redis Cluster.
func clusterFaults() []fault {
	return []fault{
		{"kill", 3, (*round).kill, false},
		{"kill-at-step", 5, (*round).killAtStep, false},
		{"kill-at-holder-step", 4, (*round).killAtHolderStep, false},
		{"freeze", 2, (*round).freeze, false},
		{"zombie-at-step", 2, (*round).zombieAtStep, false},
		{"leader-killed", 4, (*round).leaderKilled, true},
		{"leader-restarted", 3, (*round).leaderRestarted, true},
		{"leader-frozen", 2, (*round).leaderFrozen, true},
		{"node-killed", 6, (*round).nodeKilled, true},
		{"node-frozen", 2, (*round).nodeFrozen, true},
		{"failover", 5, (*round).failover, true},
		{"failover-behind", 5, (*round).failoverBehind, true},
		{"resharding", 3, (*round).resharding, true},
		{"log-truncated", 1, (*round).logTruncated, false},
	}
}

func (r *round) leaderKilled(ctx context.Context) (string, error) {
	n := r.broker.Nodes[r.random.IntN(len(r.broker.Nodes))]
	if err := n.Kill(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(0, 5*time.Second))
	return n.Name(), n.Start()
}

func (r *round) leaderRestarted(ctx context.Context) (string, error) {
	n := r.broker.Nodes[r.random.IntN(len(r.broker.Nodes))]
	if err := n.Stop(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(0, 3*time.Second))
	return n.Name(), n.Start()
}

func (r *round) leaderFrozen(ctx context.Context) (string, error) {
	n := r.broker.Nodes[r.random.IntN(len(r.broker.Nodes))]
	if err := n.Freeze(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(2*time.Second, 8*time.Second))
	return n.Name(), n.Thaw()
}

// nodesOf lists the servers of a role, "master" or "slave".
func (r *round) nodesOf(role string) ([]*testparts.RedisNode, error) {
	var found []*testparts.RedisNode
	for _, n := range r.redis.Nodes {
		text, err := n.Command("role")
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(text, role) {
			found = append(found, n)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no %s in the cluster", role)
	}
	return found, nil
}

func (r *round) nodeOf(role string) (*testparts.RedisNode, error) {
	all, err := r.nodesOf(role)
	if err != nil {
		return nil, err
	}
	return all[r.random.IntN(len(all))], nil
}

// nodeKilled kills a master, mostly for long enough that its replica takes over.
func (r *round) nodeKilled(ctx context.Context) (string, error) {
	n, err := r.nodeOf("master")
	if err != nil {
		return "", err
	}
	if err := n.Kill(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(0, 8*time.Second))
	if err := n.Start(); err != nil {
		return "", err
	}
	return n.Name(), r.wholeCluster(ctx)
}

func (r *round) nodeFrozen(ctx context.Context) (string, error) {
	n, err := r.nodeOf("master")
	if err != nil {
		return "", err
	}
	if err := n.Freeze(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(time.Second, 7*time.Second))
	if err := n.Thaw(); err != nil {
		return "", err
	}
	return n.Name(), r.wholeCluster(ctx)
}

// failover has a replica take over at once, without agreement.
func (r *round) failover(ctx context.Context) (string, error) {
	n, err := r.nodeOf("slave")
	if err != nil {
		return "", err
	}
	if _, err := n.Command("cluster", "failover", "takeover"); err != nil {
		return "", err
	}
	return n.Name(), r.wholeCluster(ctx)
}

// failoverBehind lets a replica fall behind by some seconds, by freezing it, and take over without having caught up: what its
// master has acknowledged meanwhile is lost.
func (r *round) failoverBehind(ctx context.Context) (string, error) {
	n, err := r.nodeOf("slave")
	if err != nil {
		return "", err
	}
	text, err := n.Command("role")
	if err != nil {
		return "", err
	}
	fields := strings.Fields(text)
	master := r.nodeAt(fields[1] + ":" + fields[2])
	if master == nil {
		return "", fmt.Errorf("%s replicates %s:%s, which is none of ours", n.Name(), fields[1], fields[2])
	}
	behind := r.between(500*time.Millisecond, 1500*time.Millisecond) // below the time after which the others would act
	if err := n.Freeze(); err != nil {
		return "", err
	}
	sleep(ctx, behind)
	if err := master.Kill(); err != nil {
		return "", err
	}
	if err := n.Thaw(); err != nil {
		return "", err
	}
	if _, err := n.Command("cluster", "failover", "takeover"); err != nil {
		return "", err
	}
	sleep(ctx, r.between(0, 2*time.Second))
	if err := master.Start(); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %s behind", n.Name(), behind.Round(10*time.Millisecond)), r.wholeCluster(ctx)
}

func (r *round) nodeAt(addr string) *testparts.RedisNode {
	for i, a := range r.redis.Addrs {
		if a == addr {
			return r.redis.Nodes[i]
		}
	}
	return nil
}

// resharding moves slots from one master to another under load.
func (r *round) resharding(ctx context.Context) (string, error) {
	masters, err := r.nodesOf("master")
	if err != nil {
		return "", err
	}
	if len(masters) < 2 {
		return "too few masters", nil
	}
	from := r.random.IntN(len(masters))
	to := (from + 1 + r.random.IntN(len(masters)-1)) % len(masters)
	source, err := masters[from].Command("cluster", "myid")
	if err != nil {
		return "", err
	}
	target, err := masters[to].Command("cluster", "myid")
	if err != nil {
		return "", err
	}
	slots := 200 + r.random.IntN(2000)
	out, err := exec.CommandContext(ctx, "redis-cli", "--cluster", "reshard", r.redis.Addrs[0], "--cluster-from", source, "--cluster-to", target,
		"--cluster-slots", fmt.Sprint(slots), "--cluster-yes").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("reshard: %w: %s", err, out[max(0, len(out)-500):])
	}
	return fmt.Sprintf("%d slots", slots), r.wholeCluster(ctx)
}

// inStep waits until every master has a replica that has got what the master had when it was asked. One that takes over before
// it has all of a slot that was moved goes on with a part of it, and one that takes over before it has caught up with who took
// over from it goes back to a time that nobody else knows: these are two faults at once, and OPERATING.md says what they cost.
func (r *round) inStep(ctx context.Context) error {
	masters, err := r.nodesOf("master")
	if err != nil {
		return err
	}
	for _, m := range masters {
		due := int64(-1)
		if err := until(ctx, 20*time.Second, "replicas of "+m.Name()+" are in step", func() string {
			text, err := m.Command("role")
			if err != nil {
				return err.Error()
			}
			fields := strings.Fields(text) // "master", offset, and of each replica: host, port, offset
			if len(fields) < 5 {
				return "it has none"
			}
			offset, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return err.Error()
			}
			if due < 0 {
				due = offset
			}
			for i := 4; i < len(fields); i += 3 {
				if have, err := strconv.ParseInt(fields[i], 10, 64); err != nil || have < due {
					return fmt.Sprintf("at %s of %d", fields[i], due)
				}
			}
			return ""
		}); err != nil {
			return err
		}
	}
	return nil
}

// wholeCluster waits until every server says that the cluster is whole, with three masters and a replica in step with each.
func (r *round) wholeCluster(ctx context.Context) error {
	err := until(ctx, 40*time.Second, "the cluster is whole", func() string {
		for _, n := range r.redis.Nodes {
			text, err := n.Command("cluster", "info")
			if err != nil {
				return err.Error()
			}
			if !strings.Contains(text, "cluster_state:ok") || !strings.Contains(text, "cluster_slots_ok:16384") {
				return n.Name() + ": " + strings.Join(strings.Fields(text)[:6], " ")
			}
		}
		masters, err := r.nodesOf("master")
		if err != nil {
			return err.Error()
		}
		if len(masters) != 3 {
			return fmt.Sprintf("%d masters", len(masters))
		}
		return ""
	})
	if err != nil {
		return err
	}
	return r.inStep(ctx)
}
