package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
	"sendwatch/internal/simulate"
)

func newSimulateCommand() *cobra.Command {
	var target kafkaTarget
	var o simulate.Options
	var count int64
	var duration time.Duration
	var start string
	var fast bool
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Produce a realistic, seeded stream of mail events",
		Long: `Produce the events of a simulated mail pipeline: six tenants, most of which do everything right while one mails a bought list,
one is reported as spam at one mailbox provider, and one spoils the IP that it shares. The story repeats every eight minutes.

Events go to standard output, one JSON object a line, or with --brokers (or --config) to a Kafka topic, keyed by recipient. They
come at --rate in real time; with --fast as quickly as they can be made, their times still --rate apart.`,
		Example: `  monitor simulate --brokers localhost:9092 --rate 200
  monitor simulate --fast --count 100000 --start 2026-03-01T00:00:00Z > events.ndjson`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Start = time.Now().UTC()
			if start != "" {
				at, err := time.Parse(time.RFC3339, start)
				if err != nil {
					return usagef("--start %q: expected a time such as 2026-03-01T00:00:00Z", start)
				}
				o.Start = at
			}
			if o.Rate <= 0 || o.Pace <= 0 || o.Recipients <= 0 {
				return usagef("--rate, --pace and --recipients must be above 0")
			}
			sink, stop, err := simulateTo(cmd, &target)
			if err != nil {
				return err
			}
			defer stop()
			play := player{stream: simulate.New(o), start: o.Start, count: count, duration: duration, fast: fast, write: sink}
			n, err := play.run(cmd.Context())
			fmt.Fprintf(cmd.ErrOrStderr(), "%s events\n", thousands(n))
			return err
		},
	}
	target.flags(cmd, "topic", "mail.events", "topic to write to (with --brokers or --config)")
	f := cmd.Flags()
	f.Uint64Var(&o.Seed, "seed", 1, "the same seed gives the same stream")
	f.Float64Var(&o.Rate, "rate", 200, "events a second")
	f.IntVar(&o.Recipients, "recipients", 20_000, "distinct recipients of each tenant")
	f.Float64Var(&o.Pace, "pace", 500, "divides the delays between a mail and its answers; 1 is life, where they take hours")
	f.BoolVar(&o.Calm, "calm", false, "leave out everything that goes wrong")
	f.Int64Var(&count, "count", 0, "stop after this many events")
	f.DurationVar(&duration, "duration", 0, "stop after this much simulated time")
	f.StringVar(&start, "start", "", "when the story begins, RFC 3339 (default: now)")
	f.BoolVar(&fast, "fast", false, "do not wait for the clock")
	return cmd
}

// writeEvents takes a batch of events.
type writeEvents func(ctx context.Context, batch []event.Event) error

// simulateTo writes to standard output, or to Kafka when brokers are given.
func simulateTo(cmd *cobra.Command, target *kafkaTarget) (writeEvents, func(), error) {
	if !target.given() {
		out := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
		return linesTo(out), func() { out.Flush() }, nil
	}
	client, topic, err := target.open(cmd)
	if err != nil {
		return nil, nil, err
	}
	return recordsTo(client, topic), client.Close, nil
}

func linesTo(out *bufio.Writer) writeEvents {
	var line []byte
	return func(_ context.Context, batch []event.Event) error {
		for i := range batch {
			line = append(event.AppendJSON(line[:0], &batch[i]), '\n')
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return out.Flush()
	}
}

// recordsTo writes at most a thousand records at once: brokers take batches of a megabyte.
func recordsTo(client *kafka.Client, topic string) writeEvents {
	var records []kafka.Record
	return func(ctx context.Context, batch []event.Event) error {
		for part := range slices.Chunk(batch, 1000) {
			records = records[:0]
			for i := range part {
				records = append(records, kafka.Record{Key: []byte(part[i].Recipient), Value: event.AppendJSON(nil, &part[i])})
			}
			if _, err := client.Produce(ctx, topic, records...); err != nil {
				return err
			}
		}
		return nil
	}
}

// player plays a stream in real time, or as fast as it is taken.
type player struct {
	stream   *simulate.Stream
	start    time.Time
	count    int64
	duration time.Duration
	fast     bool
	write    writeEvents
}

// run plays until the context ends or what was asked for is out. The events that are due are written every 50 ms.
func (p *player) run(ctx context.Context) (int64, error) {
	const most = 2000
	begun := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var n int64
	var batch []event.Event
	next := p.stream.Next()
	for {
		due := p.start.Add(time.Since(begun))
		batch = batch[:0]
		done := false
		for len(batch) < most && (p.fast || !next.Time.After(due)) {
			if done = p.count > 0 && n == p.count || p.duration > 0 && next.Time.Sub(p.start) >= p.duration; done {
				break
			}
			batch = append(batch, next)
			next = p.stream.Next()
			n++
		}
		if len(batch) > 0 {
			if err := p.write(ctx, batch); err != nil {
				return n - int64(len(batch)), ignoreEnd(ctx, err)
			}
		}
		if done {
			return n, nil
		}
		if len(batch) == most {
			if ctx.Err() != nil {
				return n, nil
			}
			continue // behind: no time to wait
		}
		select {
		case <-ctx.Done():
			return n, nil
		case <-tick.C:
		}
	}
}

// ignoreEnd drops an error that only says that we were told to end.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil || err == io.ErrClosedPipe {
		return nil
	}
	return err
}
