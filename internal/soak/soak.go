package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

const (
	topic      = "mail.events"
	partitions = 8
	batch      = 2000 // records written at once, at most
)

// Options of a run.
type Options struct {
	Time     time.Duration // how long events are written
	Rate     int           // records a second
	Pace     int           // event time runs so many times as fast as the clock
	Horizon  time.Duration // dedupe.horizon, in event time
	Monitors int
	Every    time.Duration // between two samples
	Seed     uint64
	CSV, SVG string // files; "" = none
	Out      io.Writer
}

func (o *Options) fill() {
	set := func(d *time.Duration, standard time.Duration) {
		if *d <= 0 {
			*d = standard
		}
	}
	set(&o.Time, time.Hour)
	set(&o.Horizon, 2*time.Hour)
	set(&o.Every, 10*time.Second)
	if o.Rate <= 0 {
		o.Rate = 20_000
	}
	if o.Pace <= 0 {
		o.Pace = 48
	}
	if o.Monitors <= 0 {
		o.Monitors = 2
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
}

// soak is what a run consists of.
type soak struct {
	o        Options
	dir      string
	broker   *testparts.Broker
	redis    *testparts.RedisServer
	monitors []*testparts.Monitor
	began    time.Time
	written  atomic.Int64 // records, of one event each
	samples  []Sample
}

// Run plays a soak and returns its samples. An error says what went wrong: a process that ended, events that were not counted,
// records that were lost.
func Run(ctx context.Context, o Options) ([]Sample, error) {
	o.fill()
	dir, err := os.MkdirTemp("", "sendwatch-soak-")
	if err != nil {
		return nil, err
	}
	s := &soak{o: o, dir: dir}
	defer func() {
		s.stop()
		_ = os.RemoveAll(dir)
	}()
	if err := s.start(); err != nil {
		return nil, err
	}
	err = s.play(ctx)
	return s.samples, errors.Join(err, s.save())
}

func (s *soak) start() error {
	binary, err := testparts.BuildMonitor(s.dir)
	if err != nil {
		return err
	}
	if s.broker, err = testparts.NewKafka(s.dir, testparts.KafkaOptions{Fast: true, Config: map[string]string{"log.retention.check.interval.ms": "10000"}}); err != nil {
		return err
	}
	if err := s.broker.Start(); err != nil {
		return err
	}
	// Enough of the log for a process that is behind by some minutes; the disk does not fill up.
	short := []string{"retention.ms=600000", "segment.ms=60000"}
	for name, n := range map[string]int{topic: partitions, "mail.alerts": 1, "mail.events.rejected": 1} {
		if err := testparts.MakeTopic(s.broker.Addr, name, n, short...); err != nil {
			return err
		}
	}
	if s.redis, err = testparts.NewRedis(s.dir, testparts.RedisOptions{AOF: true}); err != nil {
		return err
	}
	if err := s.redis.Start(); err != nil {
		return err
	}
	config := fmt.Sprintf("kafka: {brokers: [%q]}\nredis: {addresses: [%q]}\nhttp: {listen: \"127.0.0.1:0\"}\ndedupe: {horizon: %s}\n", s.broker.Addr, s.redis.Addr, s.o.Horizon)
	for i := range s.o.Monitors {
		m, err := testparts.NewMonitor(binary, s.dir, fmt.Sprintf("monitor-%d", i+1), config)
		if err != nil {
			return err
		}
		if err := m.Start(); err != nil {
			return err
		}
		s.monitors = append(s.monitors, m)
	}
	return nil
}

func (s *soak) stop() {
	for _, m := range s.monitors {
		_ = m.Kill()
	}
	if s.redis != nil {
		_ = s.redis.Kill()
	}
	if s.broker != nil {
		_ = s.broker.Kill()
	}
}

// play writes, looks and asks until the time is over, then waits until all is counted.
func (s *soak) play(ctx context.Context) error {
	s.began = time.Now()
	running, stop := context.WithTimeout(ctx, s.o.Time)
	defer stop()
	var all sync.WaitGroup
	var produced error
	all.Go(func() {
		defer stop()
		produced = s.produce(running)
	})
	all.Go(func() { s.ask(running) })
	err := s.watch(running)
	stop()
	all.Wait()
	if err := errors.Join(ctx.Err(), err, produced); err != nil {
		return err
	}
	return s.settled(ctx)
}

// produce writes the stream at its rate until the context ends. What a failed write has written is not known, so one is an end.
func (s *soak) produce(ctx context.Context) error {
	client, err := kafka.New(kafka.Options{Brokers: []string{s.broker.Addr}})
	if err != nil {
		return err
	}
	defer client.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	// An hour less, so that nothing is ahead of the clock: the pace is kept within some percent.
	from := newSource(s.o.Seed, s.began.Add(s.o.Time-s.o.Time*time.Duration(s.o.Pace)-time.Hour), float64(s.o.Rate)/float64(s.o.Pace), s.o.Pace)
	for n := 0; ; {
		var records []kafka.Record
		for due := int(time.Since(s.began).Seconds() * float64(s.o.Rate)); n < due && len(records) < batch; n++ {
			records = append(records, from.next())
		}
		if _, err := client.Produce(context.WithoutCancel(ctx), topic, records...); err != nil {
			return err
		}
		s.written.Add(int64(len(records)))
		if len(records) == batch {
			if ctx.Err() != nil {
				return nil
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// watch takes a sample every so often, and ends early when a process has ended.
func (s *soak) watch(ctx context.Context) error {
	tick := time.NewTicker(s.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, m := range s.monitors {
			select {
			case <-m.Gone():
				return fmt.Errorf("%s ended:\n%s", m.Name(), m.Log())
			default:
			}
		}
		sample, err := s.sample(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		s.samples = append(s.samples, sample)
		fmt.Fprintln(s.o.Out, sample.text())
		if err := s.save(); err != nil {
			return err
		}
	}
}

// save writes what there is so far: a run that is interrupted leaves its figures.
func (s *soak) save() error {
	if len(s.samples) == 0 {
		return nil
	}
	var all []error
	if s.o.CSV != "" {
		all = append(all, os.WriteFile(s.o.CSV, []byte(table(s.samples)), 0o600))
	}
	if s.o.SVG != "" {
		all = append(all, os.WriteFile(s.o.SVG, []byte(plot(s.samples)), 0o600))
	}
	return errors.Join(all...)
}

// settled waits until as many events are counted as were written.
func (s *soak) settled(ctx context.Context) error {
	const within = 2 * time.Minute
	var last error
	for deadline := time.Now().Add(within); time.Now().Before(deadline); {
		now, err := s.sample(ctx)
		switch want := s.written.Load(); {
		case err != nil:
			last = err
		case now.Lost > 0:
			return fmt.Errorf("%d records were lost", now.Lost)
		case now.Read > want:
			return fmt.Errorf("%d events were written, %d were read", want, now.Read)
		case now.Read == want:
			fmt.Fprintf(s.o.Out, "%d events written, as many read, %d of them repeats\n", want, now.Repeats)
			fmt.Fprint(s.o.Out, growth(s.samples))
			return nil
		default:
			last = fmt.Errorf("%d events were written, %d were read %s after the last one", want, now.Read, within)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return last
}
