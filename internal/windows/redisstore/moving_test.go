package redisstore

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/engagement"
	"sendwatch/internal/testparts"
)

// While a slot is being moved its keys are on two servers, and a script sees those of one of them. It must do nothing then,
// whatever has been moved already, and go on where it was once the slot is whole again.
func TestASlotThatIsBeingMoved(t *testing.T) {
	if testing.Short() {
		t.Skip("a cluster of real Redis")
	}
	server := testparts.Redis(t, testparts.RedisOptions{Cluster: true})
	client := connect(t, server.Addrs...).(*redis.ClusterClient)
	r, s := newRig(t, client, options(t)), newStream(5, 60)
	feedBoth := func(n int) {
		for range n {
			r.add(p0, s.result())
		}
	}
	feedBoth(400)
	r.apply()
	day := engagement.DayOf(r.oracle.Newest())
	want := r.oracle.Breakdown(s.tenants[0], day)
	move := newMove(t, client, r.store.shards[0])
	head := []string{r.store.shards[0].meta, r.store.shards[0].base + "pos"}
	var rest []string
	for _, key := range move.keys() {
		if !slices.Contains(head, key) {
			rest = append(rest, key)
		}
	}
	slices.Sort(rest)
	feedBoth(200)
	for _, step := range []struct {
		moves []string
		are   string
	}{{nil, "none"}, {rest[:len(rest)/3], "some"}, {head, "those that scripts look at first"}, {rest[len(rest)/3:], "all"}} {
		move.now(step.moves)
		if err := r.store.Apply(t.Context(), r.fold); err == nil || CategoryOf(err) != Unavailable {
			t.Fatalf("%s of the keys are moved: apply answers %v", step.are, err)
		}
		if err := r.store.Recipients(t.Context(), s.tenants[0], s.recipients[:1], make([]engagement.Recipient, 1)); err == nil {
			t.Fatalf("%s of the keys are moved: recipients are looked up", step.are)
		}
		// What is read key by key is answered by whoever has the key.
		if have, err := r.store.Breakdown(t.Context(), s.tenants[0], day); err != nil || have != want {
			t.Fatalf("%s of the keys are moved: recipients are %+v, %v, want %+v", step.are, have, err, want)
		}
		if _, _, err := r.store.snapshot(t.Context(), 0, []any{rest[0]}); err == nil {
			t.Fatalf("%s of the keys are moved: counts are copied", step.are)
		}
	}
	move.end()
	r.apply()
	r.check(spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour)), s.tenants, s.recipients)
}

// move is a slot on its way from one master to another.
type move struct {
	t              testing.TB
	slot           int
	source, target *redis.Client
	address        string // of target
	targetID       string
	masters        []*redis.Client
}

// newMove opens the slot of a shard on both sides.
func newMove(t testing.TB, client *redis.ClusterClient, sh *shard) *move {
	t.Helper()
	ctx := t.Context()
	slot, err := client.ClusterKeySlot(ctx, sh.meta).Result()
	if err != nil {
		t.Fatal(err)
	}
	m := &move{t: t, slot: int(slot)}
	shards, err := client.ClusterShards(ctx).Result()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[*redis.Client]string{}
	for _, x := range shards {
		if len(x.Slots) == 0 {
			continue // a server that is not known as somebody's replica yet
		}
		master := x.Nodes[slices.IndexFunc(x.Nodes, func(n redis.Node) bool { return n.Role == "master" })]
		address := net.JoinHostPort(master.IP, strconv.FormatInt(master.Port, 10))
		node := redis.NewClient(&redis.Options{Addr: address})
		t.Cleanup(func() { node.Close() })
		ids[node] = master.ID
		m.masters = append(m.masters, node)
		if slices.ContainsFunc(x.Slots, func(r redis.SlotRange) bool { return r.Start <= slot && slot <= r.End }) {
			m.source = node
		} else {
			m.target, m.address, m.targetID = node, address, master.ID
		}
	}
	m.must(m.target.Do(ctx, "cluster", "setslot", m.slot, "importing", ids[m.source]))
	m.must(m.source.Do(ctx, "cluster", "setslot", m.slot, "migrating", m.targetID))
	return m
}

func (m *move) must(cmd redis.Cmder) {
	m.t.Helper()
	if err := cmd.Err(); err != nil {
		m.t.Fatal(err)
	}
}

// keys lists those that are still at the source.
func (m *move) keys() []string {
	cmd := m.source.ClusterGetKeysInSlot(context.Background(), m.slot, 100_000)
	m.must(cmd)
	return cmd.Val()
}

func (m *move) now(keys []string) {
	m.t.Helper()
	if len(keys) == 0 {
		return
	}
	host, port, _ := net.SplitHostPort(m.address)
	args := []any{"migrate", host, port, "", 0, 5000, "keys"}
	for _, key := range keys {
		args = append(args, key)
	}
	m.must(m.source.Do(m.t.Context(), args...))
}

// end gives the slot to the target.
func (m *move) end() {
	m.t.Helper()
	if left := m.keys(); len(left) > 0 {
		m.t.Fatalf("not moved: %s", strings.Join(left, " "))
	}
	for _, node := range append([]*redis.Client{m.target, m.source}, m.masters...) {
		m.must(node.Do(m.t.Context(), "cluster", "setslot", m.slot, "node", m.targetID))
	}
}
