package consumer

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/kafka"
	"sendwatch/internal/windows"
)

// Waiting says what the consumer waits for, one line each; none when it is in the group and everything answers.
func (c *Consumer) Waiting() []string {
	var all []string
	for _, t := range []*trouble{c.member, c.topics, c.applier.state, c.applier.lettersTrouble} {
		if w := t.waiting(); w != "" {
			all = append(all, w)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.joined && len(all) == 0 {
		all = append(all, "consumer group: not a member yet")
	}
	var stopped []string
	for p, err := range c.stopped {
		stopped = append(stopped, fmt.Sprintf("%s/%d is not read: %v", p.Topic, p.ID, err))
	}
	slices.Sort(stopped)
	return append(all, stopped...)
}

// Stats are totals since the process began.
type Stats struct {
	Records     int64 // read and folded, those read again included
	Bytes       int64 // of their values
	Applies     int64
	ApplyTime   time.Duration
	Rewinds     int64 // times that the state was elsewhere than we thought
	DeadLetters int64
	Lost        int64 // records deleted before they were read
	Errors      map[kafka.Category]int64
}

// Stats returns the totals.
func (c *Consumer) Stats() Stats {
	s := c.applier.stats()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Lost, s.Errors = c.lost, maps.Clone(c.failed)
	return s
}

// Holding tells whether something was read that is not in the state yet, as far as this process knows. It never waits.
func (c *Consumer) Holding() bool { return c.applier.holding.Load() }

// Partitions returns the status of the partitions that this process reads now.
func (c *Consumer) Partitions() []windows.PartitionStatus { return c.applier.statuses(nil) }

// hole tells everybody who wants to know that records are gone.
func (c *Consumer) hole(p windows.Partition, err *kafka.HoleError) {
	c.mu.Lock()
	c.lost += err.Lost()
	c.mu.Unlock()
	c.log.Error("records were lost before they could be read", zap.Error(err), zap.String("topic", p.Topic), zap.Int("partition", p.ID),
		zap.Int64("from", err.Wanted), zap.Int64("to", err.First), zap.Int64("lost", err.Lost()))
	if c.options.OnHole != nil {
		c.options.OnHole(Hole{Partition: p, From: err.Wanted, To: err.First})
	}
}

// stop notes that a partition is not read any more.
func (c *Consumer) stop(p windows.Partition, err error) {
	how := "take its position out of the state"
	if c.options.StartAnew != nil {
		how = c.options.StartAnew(p)
	}
	err = fmt.Errorf("%w; nothing of it is counted until it is started anew: %s", err, how)
	c.mu.Lock()
	_, known := c.stopped[p]
	c.stopped[p] = err
	c.mu.Unlock()
	if known {
		return
	}
	c.log.Error("partition stopped", zap.String("topic", p.Topic), zap.Int("partition", p.ID), zap.Error(err))
	if c.options.OnStopped != nil {
		c.options.OnStopped(p, err)
	}
}

// count keeps how often which kind of error was met.
func (c *Consumer) count(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed[kafka.CategoryOf(err)]++
}

// restart forgets that a partition was stopped.
func (c *Consumer) restart(p windows.Partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.stopped, p)
}
