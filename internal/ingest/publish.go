package ingest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"sendwatch/internal/kafka"
)

// Producer writes records. Produce returns without an error only once every in-sync replica has all of them; records of one
// key stay in order. It is called from several goroutines.
type Producer interface {
	Produce(ctx context.Context, topic string, records ...kafka.Record) ([]kafka.Position, error)
	Topics(ctx context.Context, names ...string) ([]kafka.Topic, error)
}

var _ Producer = (*kafka.Client)(nil)

// retryAfter is what a provider is asked to wait for while Kafka is away.
const retryAfter = 10 * time.Second

// Brokers take batches of a megabyte unless told otherwise.
const (
	maxBatchBytes   = 512 << 10
	maxBatchRecords = 500
)

// publisher writes to the topic and remembers whether that works. While it does not, one request at a time tries and the others
// are told so at once: otherwise all of them would wait as long as anyone may.
type publisher struct {
	producer Producer
	topic    string
	limits   Limits
	log      *zap.Logger
	turns    *semaphore.Weighted

	mu      sync.Mutex
	away    error // why the last try failed, nil when it did not
	probing bool
}

func newPublisher(o Options) *publisher {
	return &publisher{producer: o.Producer, topic: o.Topic, limits: o.Limits, log: o.Log, turns: semaphore.NewWeighted(int64(o.Limits.Publishing))}
}

// publish writes all records or returns a refusal; then some may have been written all the same, and the provider's next
// attempt repeats them, which counting recognises.
func (p *publisher) publish(ctx context.Context, records []kafka.Record) error {
	probe, ok := p.enter()
	if !ok {
		return again(Away, retryAfter, "Kafka is away: nothing was taken, send it again")
	}
	if !probe {
		wait, cancel := context.WithTimeout(ctx, p.limits.Wait)
		err := p.turns.Acquire(wait, 1)
		cancel()
		if err != nil {
			return again(Busy, 5*time.Second, "too many webhooks at once; send it again shortly")
		}
		defer p.turns.Release(1)
	}
	// What has begun is finished although the provider hangs up: half of a batch would only make repeats.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.limits.Publish)
	defer cancel()
	err := p.write(ctx, records)
	p.leave(probe, err)
	switch category := kafka.CategoryOf(err); {
	case err == nil:
		return nil
	case category == kafka.TooLarge:
		return refuse(TooLarge, http.StatusRequestEntityTooLarge,
			"Kafka takes no record of this size; raise max.message.bytes of the topic, or send smaller batches")
	default:
		return again(Away, retryAfter, "Kafka did not take it (%s): send it again", category)
	}
}

// enter says whether the caller may write, and whether it is the one that tries while Kafka is away.
func (p *publisher) enter() (probe, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away == nil {
		return false, true
	}
	if p.probing {
		return false, false
	}
	p.probing = true
	return true, true
}

func (p *publisher) leave(probe bool, err error) {
	if kafka.CategoryOf(err) == kafka.TooLarge {
		err = nil // Kafka is well
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if probe {
		p.probing = false
	}
	p.note(err)
}

// note remembers how a try went. The caller holds the lock.
func (p *publisher) note(err error) {
	switch {
	case err != nil && p.away == nil:
		p.log.Warn("Kafka takes nothing; webhooks are answered 503 until it does", zap.String("category", string(kafka.CategoryOf(err))), zap.Error(err))
	case err == nil && p.away != nil:
		p.log.Info("Kafka takes records again")
	}
	p.away = err
}

// write writes batch after batch, each as often as the time allows while what is wrong may pass.
func (p *publisher) write(ctx context.Context, records []kafka.Record) error {
	for batch := range batches(records) {
		for {
			_, err := p.producer.Produce(ctx, p.topic, batch...)
			if err == nil {
				break
			}
			if !kafka.CategoryOf(err).Passes() {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(p.limits.Pause):
			}
		}
	}
	return nil
}

// batches cuts records, in their order, into lots that brokers take.
func batches(records []kafka.Record) func(yield func([]kafka.Record) bool) {
	return func(yield func([]kafka.Record) bool) {
		size, from := 0, 0
		for i := range records {
			n := len(records[i].Key) + len(records[i].Value)
			if i > from && (size+n > maxBatchBytes || i-from == maxBatchRecords) {
				if !yield(slices.Clip(records[from:i])) {
					return
				}
				size, from = 0, i
			}
			size += n
		}
		if from < len(records) {
			yield(records[from:])
		}
	}
}

// ready looks at the topic. That it is there ends an absence: without this, a receiver that is sent nothing because it is not
// ready would never see Kafka again.
func (p *publisher) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.limits.Wait)
	defer cancel()
	topics, err := p.producer.Topics(ctx, p.topic)
	switch {
	case err != nil:
		err = fmt.Errorf("kafka: %w", err)
	case len(topics) == 0 || len(topics[0].Partitions) == 0:
		err = fmt.Errorf("topic %s does not exist", p.topic)
	case slices.ContainsFunc(topics[0].Partitions, func(t kafka.Partition) bool { return t.Leader == "" }):
		err = errors.New("topic " + p.topic + ": a partition has no leader")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.note(nil)
	}
	return err
}

// reached tells whether the last try to write went well.
func (p *publisher) reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away == nil
}
