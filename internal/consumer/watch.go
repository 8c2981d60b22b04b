package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/kafka"
	"sendwatch/internal/windows"
)

// look takes the first picture of the topics, which has to be older than the first assignment, and waits for Kafka if it must.
// It is false when the context ended first.
func (c *Consumer) look(ctx context.Context) bool {
	pause := newPause()
	for {
		topics, err := c.client.Topics(ctx, c.options.Topics...)
		if err == nil {
			c.member.clear()
			c.remember(topics)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		c.member.report(err)
		if !pause.wait(ctx) {
			return false
		}
	}
}

// watch returns, and so ends the generation, when the topics' partitions or ids are not those that were last seen: a new
// generation shares out the new partitions and looks at every position anew. The picture that it compares with is older than
// the assignment, so that nothing that came in between is missed.
func (c *Consumer) watch(ctx context.Context) {
	tick := time.NewTicker(c.options.WatchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		topics, err := c.client.Topics(ctx, c.options.Topics...)
		if err != nil {
			continue // the membership or a worker says what is wrong with Kafka
		}
		if c.remember(topics) {
			c.log.Info("topics have changed, partitions are shared out anew")
			return
		}
	}
}

// remember keeps a picture of the topics and tells whether it differs from the one before.
func (c *Consumer) remember(topics []kafka.Topic) bool {
	var absent []string
	for _, name := range c.options.Topics {
		if !slices.ContainsFunc(topics, func(t kafka.Topic) bool { return t.Name == name }) {
			absent = append(absent, name)
		}
	}
	if len(absent) > 0 {
		c.topics.report(fmt.Errorf("%s: not there; records are read once somebody creates what is missing", strings.Join(absent, ", ")))
	} else {
		c.topics.clear()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	same := slices.EqualFunc(c.known, topics, func(a, b kafka.Topic) bool {
		return a.Name == b.Name && a.ID == b.ID && len(a.Partitions) == len(b.Partitions)
	})
	c.known = topics
	return !same
}

// committer tells Kafka how far the state is, for tools that show the lag of a group. Nothing is ever read from there.
type committer struct {
	gen   *kafka.Generation
	log   *zap.Logger
	sent  map[windows.Partition]int64
	hooks Hooks
}

func (k *committer) commit(lanes []*lane) {
	offsets := map[string]map[int]int64{}
	fresh := map[windows.Partition]int64{}
	for _, l := range lanes {
		next := l.appliedNext()
		if sent, ok := k.sent[l.partition]; next < 0 || ok && sent == next {
			continue
		}
		if offsets[l.partition.Topic] == nil {
			offsets[l.partition.Topic] = map[int]int64{}
		}
		offsets[l.partition.Topic][l.partition.ID] = next
		fresh[l.partition] = next
	}
	if len(offsets) == 0 {
		return
	}
	k.hooks.At("before-commit")
	if err := k.gen.Commit(offsets); err != nil {
		// Of no consequence but for the figures of lag; a generation that is over says no, too.
		k.log.Debug("offsets not committed", zap.Error(err), zap.String("category", string(kafka.CategoryOf(err))))
		return
	}
	for p, next := range fresh {
		k.sent[p] = next
	}
}
