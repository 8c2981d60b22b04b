package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"

	"sendwatch/internal/app"
	"sendwatch/internal/config"
	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
	"sendwatch/internal/policy"
	"sendwatch/internal/simulate"
	"sendwatch/internal/windows"
)

func newDemoCommand() *cobra.Command {
	var listen, kafkaListen string
	var rate float64
	var seed uint64
	var verbose bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run everything in one process, with a simulated mail pipeline and the dashboard",
		Long: `Start an embedded Kafka and Redis, a simulated mail pipeline and the service, without any configuration. Nothing is kept: all of
it lives in the memory of this process. Stop it with Ctrl-C.

The demo adds a window of five minutes to the usual ones and lets alerts resolve after twenty seconds, so that a whole story
fits into some minutes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := zap.NewNop()
			if verbose {
				var err error
				if log, err = zap.NewDevelopment(); err != nil {
					return err
				}
			}
			d := demo{listen: listen, kafkaListen: kafkaListen, rate: rate, seed: seed, log: log, out: cmd.OutOrStdout()}
			return d.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8225", "where the dashboard and the API answer")
	f.StringVar(&kafkaListen, "kafka-port", "9092", "port of the embedded Kafka on loopback, 0 = any")
	f.Float64Var(&rate, "rate", 300, "events a second")
	f.Uint64Var(&seed, "seed", 1, "the same seed tells the same story")
	f.BoolVar(&verbose, "verbose", false, "show the service's log")
	return cmd
}

// demo is a whole pipeline in one process.
type demo struct {
	listen, kafkaListen string
	rate                float64
	seed                uint64
	log                 *zap.Logger
	out                 io.Writer
}

const demoTopic = "mail.events"

func (d *demo) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cluster, err := d.startKafka()
	if err != nil {
		return err
	}
	defer cluster.Close()
	brokers := cluster.ListenAddrs()
	redis := miniredis.NewMiniRedis()
	if err := redis.Start(); err != nil {
		return fmt.Errorf("embedded Redis: %w", err)
	}
	defer redis.Close()
	go ageKeys(ctx, redis)

	client, err := kafka.New(kafka.Options{Brokers: brokers, ClientID: "sendwatch-demo"})
	if err != nil {
		return err
	}
	defer client.Close()
	simulated := make(chan struct{})
	go func() {
		defer close(simulated)
		if err := d.simulate(ctx, client); err != nil {
			stop(fmt.Errorf("simulation: %w", err))
		}
	}()
	err = serve(ctx, app.Options{Config: demoConfig(brokers, redis.Addr(), d.listen), Log: d.log,
		Started: func(address string) { d.welcome(address, brokers[0], redis.Addr()) }})
	stop(nil)
	<-simulated
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// ageKeys lets keys run out. Redis's own clock would look at every key before every command.
func ageKeys(ctx context.Context, redis *miniredis.Miniredis) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			redis.FastForward(time.Second)
		}
	}
}

func (d *demo) startKafka() (*kfake.Cluster, error) {
	start := func(port int) (*kfake.Cluster, error) {
		o := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(4, demoTopic), kfake.SeedTopics(1, "mail.alerts", "mail.events.rejected")}
		if port > 0 {
			o = append(o, kfake.Ports(port))
		}
		return kfake.NewCluster(o...)
	}
	var port int
	if _, err := fmt.Sscanf(d.kafkaListen, "%d", &port); err != nil || port < 0 || port > 65535 {
		return nil, usagef("--kafka-port %q: expected a port from 0 to 65535", d.kafkaListen)
	}
	cluster, err := start(port)
	if err != nil && port > 0 {
		cluster, err = start(0) // somebody else's Kafka may have the usual port
	}
	if err != nil {
		return nil, fmt.Errorf("embedded Kafka: %w", err)
	}
	return cluster, nil
}

func demoConfig(brokers []string, redis, listen string) *config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Redis.Addresses, c.HTTP.Listen = brokers, []string{redis}, listen
	c.Windows = append([]windows.Window{{Name: "5m", Length: 5 * time.Minute, Step: windows.Minute}}, c.Windows...)
	soon := 20 * time.Second
	c.Alerts.KeepFiringFor = policy.PerWindow[time.Duration]{All: &soon}
	return c
}

// simulate writes a quiet week first, for the pages to have a past, and then plays the story in real time.
func (d *demo) simulate(ctx context.Context, client *kafka.Client) error {
	write := recordsTo(client, demoTopic)
	const week, events = 7 * 24 * time.Hour, 20_000
	begin := time.Now().UTC()
	past := simulate.New(simulate.Options{Seed: d.seed + 1000, Start: begin.Add(-week), Rate: events / week.Seconds(), Calm: true})
	var batch []event.Event
	for e := past.Next(); e.Time.Before(begin.Add(-5 * time.Minute)); e = past.Next() {
		batch = append(batch, e)
	}
	if err := write(ctx, batch); err != nil {
		return ignoreEnd(ctx, err)
	}
	story := simulate.New(simulate.Options{Seed: d.seed, Start: begin, Rate: d.rate, Pace: 1000})
	p := player{stream: story, start: begin, write: write}
	_, err := p.run(ctx)
	return err
}

func (d *demo) welcome(address, broker, redis string) {
	fmt.Fprintf(d.out, `sendwatch demo: everything in this process, nothing is kept.

  Dashboard  http://%[1]s
  Kafka      %[2]s (embedded; topics mail.events, mail.alerts, mail.events.rejected)
  Redis      %[3]s (embedded)
  Pipeline   %[4]d simulated tenants, %.0[5]f events a second

The story, told again every eight minutes:
  after 10 s  bad-list mails a bought list: hard bounces far above 3%%
  after 15 s  noisy spoils the IP that it shares with neighbour: blocks and unsubscribes
  after 20 s  storm is reported as spam, at one mailbox provider only
  then        they stop, good mail dilutes the damage, and alerts resolve one by one
  all along   healthy stays healthy, and small has too little mail to be judged

Try in another terminal:
  curl 'http://%[1]s/api/v1/rates?subject=tenant=bad-list'
  curl 'http://%[1]s/api/v1/alerts?status=firing'
  go run ./cmd/monitor rates --server http://%[1]s --dimensions tenant
  go run ./cmd/monitor tail --brokers %[2]s --from-start
  kcat -b %[2]s -t mail.alerts -C -J

Ctrl-C ends it.
`, address, broker, redis, len(simulate.Cast()), d.rate)
}
