package kafka

import (
	"cmp"
	"context"
	"slices"
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
type Group struct{ group *kafka.ConsumerGroup }

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
	return &Group{group}, nil
}

// Next waits for the next generation; the one before has ended by then, with everything that it ran. After an error, call it
// again: the library waits between its tries.
func (g *Group) Next(ctx context.Context) (*Generation, error) {
	gen, err := g.group.Next(ctx)
	if err != nil {
		return nil, err
	}
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
func (g *Group) Close() error { return g.group.Close() }

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
