package kafka

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// GroupOptions say which group to join, and how soon the broker takes a silent member for dead.
type GroupOptions struct {
	ID             string
	Topics         []string
	SessionTimeout time.Duration // 6 s when zero; the broker's group.min.session.timeout.ms is the least it takes
}

// Group is a membership in a consumer group: a sequence of generations, each with its assignment.
type Group struct {
	client *Client
	id     string
	group  *kafka.ConsumerGroup
	member string // of the last generation, "" once that is being left; Next's own

	ctx     context.Context // of ghosts being left; ends with Close
	cancel  context.CancelFunc
	leaving sync.WaitGroup
}

// Generation is one assignment of partitions, valid until its context ends.
type Generation struct {
	Assigned map[string][]int // partitions by topic
	gen      *kafka.Generation
}

// Join starts to join a group. It does not wait for the broker: Next reports what went wrong.
func (c *Client) Join(o GroupOptions) (*Group, error) {
	session := o.SessionTimeout
	if session <= 0 {
		session = 6 * time.Second
	}
	// With the library's defaults a planned rebalance takes 1.5 s, one after a crash 28 s, and every failed try 5 s.
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: o.ID, Topics: o.Topics, Brokers: c.options.Brokers, Dialer: c.dialer(),
		SessionTimeout:    session,
		HeartbeatInterval: min(session/6, time.Second),
		RebalanceTimeout:  10 * time.Second,
		JoinGroupBackoff:  500 * time.Millisecond,
		Timeout:           5 * time.Second,
		GroupBalancers:    []kafka.GroupBalancer{evenly{}, kafka.RangeGroupBalancer{}},
		// The library's watcher ends a generation at once, again and again, while a topic does not exist. Ours does not.
		WatchPartitionChanges: false,
	})
	if err != nil {
		return nil, err
	}
	g := &Group{client: c, id: o.ID, group: group}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g, nil
}

// Next waits for the next generation; the one before has ended by then, with everything that it ran. After an error, call it
// again: the library waits between its tries.
func (g *Group) Next(ctx context.Context) (*Generation, error) {
	gen, err := g.group.Next(ctx)
	if err != nil {
		if g.member != "" && ctx.Err() == nil && !errors.Is(err, kafka.RebalanceInProgress) {
			ghost := g.member
			g.member = ""
			g.leaving.Go(func() { g.leave(ghost) })
		}
		return nil, err
	}
	g.member = gen.MemberID
	assigned := make(map[string][]int)
	for topic, partitions := range gen.Assignments {
		for _, p := range partitions {
			assigned[topic] = append(assigned[topic], p.ID)
		}
	}
	return &Generation{Assigned: assigned, gen: gen}, nil
}

// Close ends the generation, leaves the group and waits for both. Without the wait a ghost of the member would stay until its
// session times out.
func (g *Group) Close() error {
	g.cancel()
	g.leaving.Wait()
	return g.group.Close()
}

// leave makes the broker forget a membership that the library has forgotten. After an error the library joins as a new
// member; when it could not say goodbye as the old one, because the broker was away, the group would wait for that one until
// its session times out: 6 s in which nobody reads.
func (g *Group) leave(member string) {
	ctx, cancel := context.WithTimeout(g.ctx, time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		r, err := g.client.api.LeaveGroup(ctx, &kafka.LeaveGroupRequest{GroupID: g.id, Members: []kafka.LeaveGroupRequestMember{{ID: member}}})
		if err == nil && r.Error == nil {
			return // or it was left before, which the members' own errors say
		}
		if err == nil && errors.Is(r.Error, kafka.UnknownMemberId) {
			return
		}
		g.client.transport.CloseIdleConnections() // what the transport knows of the cluster is of before
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Run starts fn for as long as the generation lasts: its context ends with it, and fn has to return soon then. When fn
// returns on its own, the generation ends.
func (g *Generation) Run(fn func(ctx context.Context)) { g.gen.Start(fn) }

// Commit tells the group's coordinator the next offsets, by topic and partition.
func (g *Generation) Commit(offsets map[string]map[int]int64) error {
	return g.gen.CommitOffsets(offsets)
}

// evenly gives members the partitions of all topics in turn, so that many topics of one partition each do not all go to the
// first member. What it decides depends on the members' ids and the topics only.
type evenly struct{}

var _ kafka.GroupBalancer = evenly{}

func (evenly) ProtocolName() string { return "sendwatch-even" }

func (evenly) UserData() ([]byte, error) { return nil, nil }

func (evenly) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	members = slices.SortedFunc(slices.Values(members), func(a, b kafka.GroupMember) int { return cmp.Compare(a.ID, b.ID) })
	partitions = slices.SortedFunc(slices.Values(partitions), func(a, b kafka.Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
	})
	assigned := make(kafka.GroupMemberAssignments, len(members))
	load := make([]int, len(members))
	for _, m := range members {
		assigned[m.ID] = map[string][]int{}
	}
	for _, p := range partitions {
		least := -1
		for i, m := range members {
			if slices.Contains(m.Topics, p.Topic) && (least < 0 || load[i] < load[least]) {
				least = i
			}
		}
		if least < 0 {
			continue
		}
		load[least]++
		id := members[least].ID
		assigned[id][p.Topic] = append(assigned[id][p.Topic], p.ID)
	}
	return assigned
}
