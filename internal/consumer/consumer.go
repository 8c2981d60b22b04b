// Package consumer takes records from Kafka to the state: membership of the group, one worker a partition, and an applier that
// all workers of a process feed. The position that counts is the one in the state, moved in the same step as the counts; what
// the group has committed only follows it, for tools that show lag.
//
// What it is not: it knows no event formats (Decoder), no counting (windows.Fold) and no Redis (Store).
package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
	"sendwatch/internal/windows"
)

// Store is the state that batches are applied to.
type Store interface {
	// Resume returns how far the state has taken each of the partitions; one that it does not know has -1 on every shard.
	Resume(ctx context.Context, partitions []windows.Partition) (map[windows.Partition]windows.Progress, error)
	// Positions returns where each shard stands in each of the partitions, -1 for none. Unlike Resume it changes nothing that a later
	// Apply goes by.
	Positions(ctx context.Context, partitions []windows.Partition) (map[windows.Partition][]int64, error)
	// Apply adds what the fold holds and moves the positions, in one step per home shard. A *windows.PositionError says that
	// the state is not where the fold begins; any other error may have come before or after the step was done.
	Apply(ctx context.Context, fold *windows.Fold) error
	// ReportPartition keeps what is known of a partition, for those who ask how far the group is.
	ReportPartition(ctx context.Context, s windows.PartitionStatus) error
}

// Decoder turns the value of one record into its outcome, which is valid until the next call. It is used by one goroutine.
type Decoder interface {
	Decode(value []byte, now time.Time) event.Result
}

// Producer writes dead letters; *kafka.Client is one.
type Producer interface {
	Produce(ctx context.Context, topic string, records ...kafka.Record) ([]kafka.Position, error)
}

// Options say what to read and how.
type Options struct {
	Topics         []string
	Group          string
	SessionTimeout time.Duration // 6 s when zero

	// Decoder makes the decoder for one partition of a topic.
	Decoder func(topic string) (Decoder, error)
	// NewFold makes an empty fold; the applier keeps two.
	NewFold func() *windows.Fold

	DeadLetterTopic string // "" keeps no dead letters

	FlushEvery   time.Duration // how old a batch may get while the reader keeps up; 100 ms when zero
	BacklogEvery time.Duration // how old while there is a backlog; 1 s when zero
	MaxBatch     int           // events in one batch: 45,000 when zero. Smaller ones cost more an event, larger ones memory
	FetchBytes   int           // of one fetch; 1 MiB when zero
	FetchWait    time.Duration // at the log's end; 250 ms when zero
	WatchEvery   time.Duration // for new partitions and topics made anew; 5 s when zero
	ReportEvery  time.Duration // of partition status and Kafka's committed offsets; 1 s when zero
	ConfirmEvery time.Duration // between looks at a log that seems to have gone back; 1 s when zero
	CompareEvery time.Duration // between looks at the state's positions of partitions that nothing is applied to; 1 s when zero
	StopWithin   time.Duration // for the last batch when partitions are given up; 3 s when zero

	// OnHole is told of records that were deleted before they were read. It must not block.
	OnHole func(Hole)
	// OnStopped is told of a partition that is not read any more, until somebody starts it anew. It must not block.
	OnStopped func(p windows.Partition, why error)
	// StartAnew says in a few words how to start such a partition anew, for the log.
	StartAnew func(p windows.Partition) string

	Hooks Hooks
	Now   func() time.Time // time.Now when nil
}

// Hole is a run of offsets that nobody can read any more.
type Hole struct {
	Partition windows.Partition
	From, To  int64 // To is the first that is there again
}

func (o *Options) defaults() error {
	var missing []error
	if len(o.Topics) == 0 {
		missing = append(missing, errors.New("consumer: no topics"))
	}
	if o.Group == "" || o.Decoder == nil || o.NewFold == nil {
		missing = append(missing, errors.New("consumer: group, decoder and fold have to be given"))
	}
	for d, standard := range map[*time.Duration]time.Duration{&o.FlushEvery: 100 * time.Millisecond, &o.BacklogEvery: time.Second,
		&o.WatchEvery: 5 * time.Second, &o.ReportEvery: time.Second,
		&o.ConfirmEvery: time.Second, &o.CompareEvery: time.Second, &o.StopWithin: 3 * time.Second, &o.FetchWait: 250 * time.Millisecond} {
		if *d <= 0 {
			*d = standard
		}
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 45_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return errors.Join(missing...)
}

// Consumer is one process's part of the group.
type Consumer struct {
	options Options
	client  *kafka.Client
	store   Store
	log     *zap.Logger
	applier *Applier
	member  *trouble // of being in the group
	status  *trouble // of reporting
	topics  *trouble // of topics that are not there
	turns   turns

	mu      sync.Mutex
	known   []kafka.Topic // as last seen, before the running generation was agreed on
	joined  bool
	stopped map[windows.Partition]error
	lost    int64                    // records
	failed  map[kafka.Category]int64 // how often what failed
}

// New returns a consumer that is not running yet. The error is about the options.
func New(client *kafka.Client, store Store, producer Producer, log *zap.Logger, o Options) (*Consumer, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	for _, topic := range o.Topics {
		if _, err := o.Decoder(topic); err != nil {
			return nil, fmt.Errorf("topic %s: %w", topic, err)
		}
	}
	return &Consumer{options: o, client: client, store: store, log: log, stopped: map[windows.Partition]error{},
		failed: map[kafka.Category]int64{}, applier: newApplier(store, producer, log, &o), member: newTrouble(log, "consumer group"),
		status: newTrouble(log, "partition status"), topics: newTrouble(log, "topics"),
		turns: newTurns()}, nil
}

// Run reads until the context ends, then applies what it holds, commits, leaves the group and returns. What goes wrong on the
// way it waits out, and says so (Waiting); an error means that it could not begin.
func (c *Consumer) Run(ctx context.Context) error {
	if !c.look(ctx) {
		return nil
	}
	group, err := c.client.Join(kafka.GroupOptions{ID: c.options.Group, Topics: c.options.Topics, SessionTimeout: c.options.SessionTimeout})
	if err != nil {
		return err
	}
	// The applier outlives the generations: what they held when they ended is still to be applied.
	applying, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { c.applier.run(applying) })
	c.generations(ctx, group)
	c.options.Hooks.At("stopping")
	err = group.Close()
	stop(errStopping)
	running.Wait()
	return err
}

// generations runs one generation after the other until the context ends.
func (c *Consumer) generations(ctx context.Context, group *kafka.Group) {
	for {
		gen, err := group.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.setJoined(false)
			c.count(err)
			c.member.report(err)
			continue // the library waits between its tries
		}
		c.member.clear()
		c.setJoined(true)
		c.begin(gen)
	}
}

// begin starts the workers of a generation and what goes with them. All of them end with it, and the next generation begins
// after the last has returned.
func (c *Consumer) begin(gen *kafka.Generation) {
	var partitions []windows.Partition
	for _, topic := range c.options.Topics {
		for _, id := range gen.Assigned[topic] {
			partitions = append(partitions, windows.Partition{Topic: topic, ID: id})
		}
	}
	c.log.Info("partitions assigned", zap.Int("count", len(partitions)), zap.Any("partitions", gen.Assigned))
	gen.Run(func(ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		c.generation(ctx, gen, partitions)
	})
	gen.Run(func(ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		c.watch(ctx)
	})
}

// generation reads the partitions until the context ends, and returns once they are given up: what was read is applied (or
// given up, when the state cannot be reached) and the committed offsets say so.
func (c *Consumer) generation(ctx context.Context, gen *kafka.Generation, partitions []windows.Partition) {
	lanes, err := c.applier.open(ctx, partitions)
	if err != nil {
		return // the generation has ended meanwhile
	}
	var workers sync.WaitGroup
	for _, l := range lanes {
		workers.Go(func() { c.work(ctx, l) })
	}
	commits := committer{gen: gen, log: c.log, sent: map[windows.Partition]int64{}, hooks: c.options.Hooks}
	tick := time.NewTicker(c.options.ReportEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
			commits.commit(lanes)
			c.report(ctx, lanes)
		case <-c.applier.backlog: // said at once: what the rates are for depends on it
			c.report(ctx, lanes)
		}
	}
	workers.Wait()
	// Whoever gets the partitions next should find our last batch applied; but the others wait for us meanwhile.
	closing, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), c.options.StopWithin, errTooLong)
	defer cancel()
	c.applier.close(closing, lanes)
	commits.commit(lanes)
}

// report keeps the partitions' status in the state.
func (c *Consumer) report(ctx context.Context, lanes []*lane) {
	for _, s := range c.applier.statuses(lanes) {
		if s.ReadAt.IsZero() {
			continue
		}
		if err := c.store.ReportPartition(ctx, s); err != nil {
			if ctx.Err() == nil {
				c.status.report(err)
			}
			return
		}
	}
	c.status.clear()
}

func (c *Consumer) setJoined(yes bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joined = yes
}

var (
	errStopping = errors.New("the consumer stops")
	errRewind   = errors.New("the state is elsewhere")
	errTooLong  = errors.New("partitions are given up and the state did not answer in time")
)
