package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"sendwatch/internal/alerts"
	"sendwatch/internal/alerts/holder"
	"sendwatch/internal/alerts/kafkasink"
	"sendwatch/internal/alerts/redisstate"
	"sendwatch/internal/config"
	"sendwatch/internal/consumer"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/kafka"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/redisstore"
)

// engine reads, counts, evaluates and publishes under one configuration.
type engine struct {
	a       *app
	config  *config.Config
	client  *kafka.Client
	backend *backend
	asked   *asked

	mu       sync.Mutex
	consumer *consumer.Consumer // nil until it is made
	holder   *holder.Holder     // likewise
	waiting  string             // what starting waits for, "" once it is done
}

// runEngine is the straight way from a configuration to a service that works, and back: what is acquired is given up in the
// reverse order. It returns nil when the context ends.
func (a *app) runEngine(ctx context.Context, c *config.Config) error {
	e := &engine{a: a, config: c, asked: newAsked(c), waiting: "starting"}
	a.engine.Store(e)

	connection, err := RedisConnection(c)
	if err != nil {
		return err
	}
	connection.Log = a.o.Log.Named("redis")
	redisClient, err := redisstore.Connect(connection)
	if err != nil {
		return err
	}
	defer redisClient.Close()
	if a.o.Hook != nil {
		redisClient.AddHook(scriptSteps{a.o.Hook})
	}
	if err := e.openState(ctx, redisClient); err != nil || ctx.Err() != nil {
		return ignoreEnd(ctx, err)
	}

	options, err := KafkaOptions(c)
	if err != nil {
		return err
	}
	if e.client, err = kafka.New(options); err != nil {
		return err
	}
	defer e.client.Close()
	if err := e.makeTopics(ctx); err != nil || ctx.Err() != nil {
		return ignoreEnd(ctx, err)
	}
	if err := e.makeConsumer(); err != nil {
		return err
	}
	if err := e.makeHolder(); err != nil {
		return err
	}
	e.wait("")

	// The holder goes last: what the consumer applies while it stops is evaluated still.
	holding, stopHolding := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHolding()
	var evaluating sync.WaitGroup
	evaluating.Go(func() { e.holder.Run(holding) })
	group, own := errgroup.WithContext(ctx)
	group.Go(func() error { return e.consumer.Run(own) })
	group.Go(func() error { e.sweep(own); return nil })
	err = group.Wait()
	stopHolding()
	evaluating.Wait()
	return ignoreEnd(ctx, err)
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}

// openState opens the state as soon as Redis answers. An error is one that waiting does not cure.
func (e *engine) openState(ctx context.Context, client redis.UniversalClient) error {
	options, err := StoreOptions(e.config)
	if err != nil {
		return err
	}
	b := &backend{config: e.config, set: Policies(e.config)}
	err = e.untilDone(ctx, "Redis at "+strings.Join(e.config.Redis.Addresses, ", "), func() (bool, error) {
		var err error
		if b.store, err = redisstore.Open(ctx, client, options); err == nil {
			b.alerts, err = redisstate.Open(ctx, client, redisstate.Options{Prefix: e.config.Redis.Prefix})
		}
		return err == nil || redisstore.CategoryOf(err).Retryable() && !isMismatch(err), err
	})
	if err != nil || ctx.Err() != nil {
		return err
	}
	e.backend = b
	e.a.backend.Store(b)
	return nil
}

func isMismatch(err error) bool {
	_, ok := errors.AsType[*redisstore.MismatchError](err)
	return ok
}

func (e *engine) makeTopics(ctx context.Context) error {
	if !e.config.Kafka.CreateTopics {
		return nil
	}
	k := e.config.Kafka
	return e.untilDone(ctx, "Kafka at "+strings.Join(k.Brokers, ", "), func() (bool, error) {
		err := e.client.CreateTopics(ctx, kafka.NewTopic{Name: k.AlertsTopic}, kafka.DeadLetterTopic(k.DeadLetterTopic, e.config.Events.MaxBytes))
		return err == nil || kafka.CategoryOf(err).Passes(), err
	})
}

// untilDone tries until it works, the context ends or waiting does not help, and says what it waits for. try tells whether its
// error may pass.
func (e *engine) untilDone(ctx context.Context, what string, try func() (passes bool, err error)) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 200*time.Millisecond, 2*time.Second
	for said := ""; ; {
		passes, err := try()
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if !passes {
			return err
		}
		if said != err.Error() {
			said = err.Error()
			e.a.o.Log.Warn("waiting for "+what, zap.Error(err))
		}
		e.wait("waiting for " + what + ": " + said)
		select {
		case <-ctx.Done():
		case <-time.After(pause.NextBackOff()):
		}
	}
}

func (e *engine) wait(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = what
}

func (e *engine) makeConsumer() error {
	k := e.config.Kafka
	formats := map[string]string{}
	var topics []string
	for _, t := range k.Topics {
		formats[t.Name] = t.Format
		topics = append(topics, t.Name)
	}
	limits := provider.Options{MaxAhead: max(e.config.Events.MaxAhead, time.Nanosecond), MaxBytes: e.config.Events.MaxBytes, Own: e.config.Formats}
	made, err := consumer.New(e.client, e.backend.store, e.client, e.a.o.Log.Named("consumer"), consumer.Options{
		Topics: topics, Group: k.Group, SessionTimeout: k.SessionTimeout,
		Decoder:         func(topic string) (consumer.Decoder, error) { return provider.NewDecoder(formats[topic], limits) },
		NewFold:         e.backend.store.NewFold,
		DeadLetterTopic: k.DeadLetterTopic,
		StartAnew: func(p windows.Partition) string {
			return fmt.Sprintf("stop all monitors and run 'monitor start-anew --topic %s'", p.Topic)
		},
		Hooks: e.a.hook,
		Now:   e.a.o.Now,
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.consumer = made
	return err
}

// parts returns what reads and what evaluates, nil until they are made.
func (e *engine) parts() (*consumer.Consumer, *holder.Holder) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.consumer, e.holder
}

// own are the partitions that this process reads now.
func (e *engine) own() []windows.PartitionStatus {
	if reading, _ := e.parts(); reading != nil {
		return reading.Partitions()
	}
	return nil
}

func (e *engine) makeHolder() error {
	host, _ := os.Hostname()
	partition := e.backend.alerts.Partition(0)
	made, err := holder.New(holder.Options{
		Owner:    fmt.Sprintf("%s/%d/%s", host, os.Getpid(), rand.Text()[:8]),
		Policies: e.backend.set, Retention: windows.DefaultRetention(e.config.Retention.Days),
		Leases: partition, State: partition, Outbox: partition,
		Topic:         kafkasink.New(e.client, e.client, e.config.Kafka.AlertsTopic, "/sendwatch/"+e.config.Redis.Prefix),
		Counts:        &counts{backend: e.backend, feed: e.backend.store.NewFeed(), asked: e.asked, own: e.own, now: e.a.o.Now},
		Feed:          feed{e.backend, e.own},
		EvaluateEvery: e.config.Alerts.EvaluateEvery,
		DirtyEvery:    min(100*time.Millisecond, e.config.Alerts.EvaluateEvery),
		Hook:          func(s holder.Step) { e.a.hook(string(s)) },
		Now:           e.a.o.Now,
		Log:           e.a.o.Log.Named("alerts"),
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.holder = made
	return err
}

// counts brings an evaluator up to the state.
type counts struct {
	backend *backend
	feed    *redisstore.Feed
	asked   *asked
	own     func() []windows.PartitionStatus
	now     func() time.Time
}

// Pull implements holder.Counts.
func (c *counts) Pull(ctx context.Context, into holder.Sink) (worked time.Duration, err error) {
	at, err := c.backend.asOf(ctx, c.now(), c.own())
	if err != nil {
		return 0, err
	}
	before := c.feed.Worked()
	if err := c.feed.Pull(ctx, at.Time, nil, into); err != nil {
		return 0, err
	}
	c.asked.copy(into, at, c.now())
	return c.feed.Worked() - before, nil
}

// Restart implements holder.Counts.
func (c *counts) Restart() { c.feed.Restart() }

// feed says how far the input has been read.
type feed struct {
	backend *backend
	own     func() []windows.PartitionStatus
}

// AsOf implements holder.Feed.
func (f feed) AsOf(ctx context.Context, now time.Time) (time.Time, bool, error) {
	at, err := f.backend.asOf(ctx, now, f.own())
	return at.Time, at.Stale, err
}

// Losses implements holder.Feed.
func (f feed) Losses(ctx context.Context) ([]alerts.Loss, error) {
	lost, err := f.backend.store.Losses(ctx)
	if err != nil {
		return nil, err
	}
	var out []alerts.Loss
	for p, n := range lost {
		out = append(out, alerts.Loss{Topic: p.Topic, Partition: p.ID, Records: n})
	}
	return out, nil
}

// sweep takes away what is no longer kept, a bounded piece at a time.
func (e *engine) sweep(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		at, err := e.backend.asOf(ctx, e.a.o.Now(), e.own())
		if err == nil {
			_, err = e.backend.store.Sweep(ctx, at.Time)
		}
		if err != nil && ctx.Err() == nil {
			e.a.metrics.RedisError(string(redisstore.CategoryOf(err)))
		}
	}
}

// probeWithin is how long Redis may take to say that it is there, when somebody asks how we do: one that is frozen takes
// connections and never answers.
const probeWithin = 2 * time.Second

// ready tells why the engine does not do its work, nil when it does.
func (e *engine) ready(ctx context.Context) error {
	e.mu.Lock()
	waiting := e.waiting
	e.mu.Unlock()
	if waiting != "" {
		return errors.New(waiting)
	}
	reasons := e.consumer.Waiting()
	if trouble := e.holder.Status().Trouble; trouble != "" {
		reasons = append(reasons, "alert evaluation: "+trouble)
	}
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	if err := e.backend.store.Ping(ctx); err != nil {
		reasons = append(reasons, "Redis does not answer: "+err.Error())
	}
	if len(reasons) > 0 {
		return errors.New(strings.Join(reasons, "; "))
	}
	return nil
}
