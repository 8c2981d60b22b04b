// Command bench measures the whole pipeline on real parts: Apache Kafka, redis-server and the monitor, all on this machine.
// Run it with `make bench`. Its figures compare with each other, not with those of other machines: every run also prints what
// reading the same topic and doing nothing takes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"

	"sendwatch/internal/testparts"
)

const partitions = 8

func main() {
	var o options
	flag.IntVar(&o.events, "events", 3_000_000, "events in the topic")
	flag.DurationVar(&o.live, "live", 20*time.Second, "how long to measure the way from an event to its alert, 0 = not at all")
	flag.StringVar(&o.only, "only", "", "measure only this: \"counts only\", \"with repeats\" or \"everything\"")
	flag.IntVar(&o.nodes, "nodes", 0, "masters of a Redis Cluster: 1, 2 or 4; 0 = one standalone Redis")
	flag.IntVar(&o.monitors, "monitors", 1, "monitors in the group: 1 to 3")
	flag.Parse()
	if !slices.Contains([]int{0, 1, 2, 4}, o.nodes) || o.monitors < 1 || o.monitors > 3 {
		fmt.Fprintf(os.Stderr, "bench: -nodes %d -monitors %d: allowed are 0, 1, 2 or 4 nodes and 1 to 3 monitors\n", o.nodes, o.monitors)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	events          int
	live            time.Duration
	only            string
	nodes, monitors int
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "sendwatch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "monitor")
	if err := build(ctx, binary); err != nil {
		return err
	}
	broker, err := testparts.NewKafka(dir, testparts.KafkaOptions{})
	if err != nil {
		return err
	}
	if err := broker.Start(); err != nil {
		return err
	}
	defer broker.Kill()
	if err := testparts.MakeTopic(broker.Addr, "mail.events", partitions); err != nil {
		return err
	}
	fmt.Printf("%d events, %d partitions, lz4, three days, 1M recipients, 50 tenants, 200 (tenant, ip) pairs\n", o.events, partitions)
	size, err := fill(ctx, broker.Addr, o.events)
	if err != nil {
		return err
	}
	fmt.Printf("%d bytes an event\n", size/int64(o.events))
	reading, err := readOnly(ctx, broker.Addr, o.events)
	if err != nil {
		return err
	}
	fmt.Printf("%-28s %9.0f events/s\n", "reading and doing nothing", reading)
	for _, mode := range []mode{
		{name: "counts only", env: []string{"SENDWATCH_DEDUPE_HORIZON=0", "SENDWATCH_ENGAGEMENT_ENABLED=false"}},
		{name: "with repeats", env: []string{"SENDWATCH_ENGAGEMENT_ENABLED=false"}},
		{name: "everything", live: o.live},
	} {
		if o.only != "" && o.only != mode.name {
			continue
		}
		m := measured{mode: mode, options: o, binary: binary, dir: dir, broker: broker.Addr, brokerPID: broker.Nodes[0].PID(), readOnly: reading}
		if err := m.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", mode.name, err)
		}
	}
	return nil
}
