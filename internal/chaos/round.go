package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"sendwatch/internal/alerts/redisstate"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
	"sendwatch/internal/truth"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/redisstore"
)

// round is one seed's stream, state and processes.
type round struct {
	*parts
	names
	o        *Options
	seed     uint64
	random   *rand.Rand
	shards   int
	stream   *truth.Stream
	oracle   *truth.Oracle
	monitors []*testparts.Monitor
	joiner   *testparts.Monitor
	began    time.Time
	counts   *redisstore.Store
	episodes *redisstate.Store
	close    func()

	loose    atomic.Int64 // partitions of the topic for events without a recipient
	produced atomic.Int64 // records written, at least once
	writer   atomic.Pointer[kafka.Client]
	olderAt  time.Duration
	older    string // directory with a copy of what Redis kept, "" when there is none that may be gone back to
	stepped  bool   // clocks were
	injected []Injected
}

func (p *parts) newRound(ctx context.Context, o *Options, seed uint64) (*round, error) {
	r := &round{parts: p, o: o, seed: seed, names: names{fmt.Sprintf("chaos%d", seed)}, random: rand.New(rand.NewPCG(seed, 4)), shards: o.Shards}
	if r.shards == 0 {
		r.shards = [...]int{1, 4, 1, 16}[seed%4]
		if o.Cluster {
			r.shards = 16
		}
	}
	if err := r.emptyRedis(); err != nil {
		return nil, err
	}
	for topic, n := range map[string]int{r.topic(): mainPartitions, r.names.loose(): loosePartitions} {
		if err := testparts.MakeTopic(p.broker.Addr, topic, n); err != nil {
			return nil, err
		}
	}
	r.loose.Store(loosePartitions)
	var err error
	if r.counts, r.episodes, r.close, err = p.state(ctx, r.names, r.shards); err != nil {
		return nil, err
	}
	span := o.Round + time.Minute
	r.stream = truth.NewStream(truth.Options{Seed: seed, Records: int(span.Seconds()) * o.Rate, End: time.Now().Add(span), Span: span, Horizon: horizon,
		Recipients: 20_000, Tenants: 20, Storm: 4, Wave: 20 * o.Rate, Loose: 60})
	r.oracle = truth.NewOracle(r.stream, p.client)
	if err := r.newWriter(); err != nil {
		return nil, err
	}
	for i := range o.Monitors {
		m, err := p.newMonitor(r, fmt.Sprintf("monitor-%d", i+1))
		if err != nil {
			return nil, err
		}
		r.monitors = append(r.monitors, m)
	}
	r.joiner, err = p.newMonitor(r, fmt.Sprintf("monitor-%d", o.Monitors+1))
	return r, err
}

// emptyRedis takes away what earlier rounds left: each start of Redis in this round would load it, and each copy copy it.
func (r *round) emptyRedis() error {
	nodes := r.redis.Nodes
	if r.o.Cluster {
		var err error
		if nodes, err = r.nodesOf("master"); err != nil {
			return err
		}
	}
	for _, node := range nodes {
		if _, err := node.Command("flushall"); err != nil {
			return err
		}
	}
	return nil
}

func (p *parts) newMonitor(r *round, name string) (*testparts.Monitor, error) {
	return testparts.NewMonitor(p.binary, p.dir, r.prefix+"-"+name, p.config(r.names, name, r.shards))
}

// newWriter gives the stream another client: one keeps in mind how many partitions a topic has.
func (r *round) newWriter() error {
	c, err := kafka.New(kafka.Options{Brokers: r.broker.Addrs})
	if before := r.writer.Swap(c); before != nil {
		before.Close()
	}
	return err
}

// produce writes the stream at its rate until the context ends, through whatever happens.
func (r *round) produce(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	begun, n := time.Now(), 0
	for ctx.Err() == nil {
		due := int(time.Since(begun).Seconds() * float64(r.o.Rate))
		var keyed, loose []kafka.Record
		for ; n < min(due, int(r.produced.Load())+500); n++ {
			rec := r.stream.At(n)
			if rec.Loose && n%3 > 0 {
				loose = append(loose, kafka.Record{Key: rec.Key, Value: rec.Value})
			} else {
				keyed = append(keyed, kafka.Record{Key: rec.Key, Value: rec.Value})
			}
		}
		if !r.write(ctx, r.topic(), keyed) || !r.write(ctx, r.names.loose(), loose) {
			return nil
		}
		r.produced.Store(int64(n))
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

// write tries until it is done; false when the context ended first. What is tried again may be in the log twice.
func (r *round) write(ctx context.Context, topic string, records []kafka.Record) bool {
	for len(records) > 0 {
		// A write that has begun is waited for, so that nothing comes after the end.
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		_, err := r.writer.Load().Produce(own, topic, records...)
		cancel()
		if err == nil {
			return true
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return false
		}
	}
	return true
}

// run plays the round and compares.
func (r *round) run(ctx context.Context) (*RoundReport, error) {
	defer r.close()
	defer func() { r.writer.Load().Close() }()
	defer r.killAll()
	r.began = time.Now()
	if err := r.startAll(); err != nil {
		return nil, err
	}
	producing, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { _ = r.produce(producing) })
	err := r.breakThings(ctx)
	stop()
	running.Wait()
	if err != nil {
		return nil, fmt.Errorf("seed %d: %w", r.seed, err)
	}
	report, err := r.settle(ctx)
	if err != nil {
		return nil, fmt.Errorf("seed %d: %w", r.seed, err)
	}
	return report, nil
}

func (r *round) startAll() error {
	var all []error
	for _, m := range r.monitors {
		all = append(all, r.startMonitor(m))
	}
	return errors.Join(all...)
}

// startMonitor starts a process that is not running, with a fault to come if one is named.
func (r *round) startMonitor(m *testparts.Monitor, env ...string) error {
	if err := r.reap(m); err != nil {
		return err
	}
	if m.PID() != 0 {
		return nil
	}
	m.SetEnv(append(env, "SENDWATCH_FAULT_CLOCK="+r.clockOf(m))...)
	if err := r.keepLog(m); err != nil {
		return err
	}
	return m.Launch()
}

// clockOf is the file that says by how much a process's clock is off.
func (r *round) clockOf(m *testparts.Monitor) string { return filepath.Join(r.dir, m.Name()+".clock") }

// keepLog adds what a process has written to the log of all its lives: a start begins a new one.
func (r *round) keepLog(m *testparts.Monitor) error {
	f, err := os.OpenFile(filepath.Join(r.dir, m.Name()+".all.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(m.Log())
	return errors.Join(err, f.Close())
}

// reap takes note of a process that has ended by itself, and keeps what it wrote.
func (r *round) reap(m *testparts.Monitor) error {
	select {
	case <-m.Gone():
		return m.Kill()
	default:
		return nil
	}
}

func (r *round) killAll() {
	for _, m := range append(r.monitors, r.joiner) {
		if m != nil {
			_ = m.Kill()
		}
	}
}

// next is where the state stands in each partition of both topics; -1 = nowhere.
func (r *round) next(ctx context.Context) (map[windows.Partition]int64, error) {
	var all []windows.Partition
	for id := range mainPartitions {
		all = append(all, windows.Partition{Topic: r.topic(), ID: id})
	}
	for id := range int(r.loose.Load()) {
		all = append(all, windows.Partition{Topic: r.names.loose(), ID: id})
	}
	progress, err := r.counts.Resume(ctx, all)
	if err != nil {
		return nil, err
	}
	out := map[windows.Partition]int64{}
	for p, x := range progress {
		least := x.Next[0]
		for _, n := range x.Next {
			least = min(least, n)
		}
		out[p] = least
	}
	return out, nil
}

// ends is where the logs of both topics end now.
func (r *round) ends(ctx context.Context) (map[windows.Partition]int64, error) {
	out := map[windows.Partition]int64{}
	for topic, n := range map[string]int{r.topic(): mainPartitions, r.names.loose(): int(r.loose.Load())} {
		for id := range n {
			_, end, err := r.client.Offsets(ctx, topic, id)
			if err != nil {
				return nil, err
			}
			out[windows.Partition{Topic: topic, ID: id}] = end
		}
	}
	return out, nil
}

// recovered waits until the state has every partition beyond where its log ended when it was called.
func (r *round) recovered(ctx context.Context, within time.Duration) (time.Duration, error) {
	began := time.Now()
	var ends map[windows.Partition]int64
	err := until(ctx, within, "recovery", func() string {
		var err error
		if ends == nil {
			if ends, err = r.ends(ctx); err != nil {
				return err.Error()
			}
		}
		at, err := r.next(ctx)
		if err != nil {
			return err.Error()
		}
		for p, end := range ends {
			if at[p] < end && end > 0 { // of a log without records no position is kept
				return fmt.Sprintf("%s/%d is at %d, its log ended at %d", p.Topic, p.ID, at[p], end)
			}
		}
		return ""
	})
	return time.Since(began), err
}
