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
	"time"

	"sendwatch/internal/testparts"
)

const partitions = 8

func main() {
	events := flag.Int("events", 3_000_000, "events in the topic")
	live := flag.Duration("live", 20*time.Second, "how long to measure the way from an event to its alert, 0 = not at all")
	only := flag.String("only", "", "measure only this: \"counts only\", \"with repeats\" or \"everything\"")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *events, *live, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, events int, live time.Duration, chosen string) error {
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
	fmt.Printf("%d events, %d partitions, lz4, three days, 1M recipients, 50 tenants, 200 (tenant, ip) pairs\n", events, partitions)
	size, err := fill(ctx, broker.Addr, events)
	if err != nil {
		return err
	}
	fmt.Printf("%d bytes an event\n", size/int64(events))
	reading, err := readOnly(ctx, broker.Addr, events)
	if err != nil {
		return err
	}
	fmt.Printf("%-28s %9.0f events/s\n", "reading and doing nothing", reading)
	for _, mode := range []mode{
		{name: "counts only", env: []string{"SENDWATCH_DEDUPE_HORIZON=0", "SENDWATCH_ENGAGEMENT_ENABLED=false"}},
		{name: "with repeats", env: []string{"SENDWATCH_ENGAGEMENT_ENABLED=false"}},
		{name: "everything", live: live},
	} {
		if chosen != "" && chosen != mode.name {
			continue
		}
		m := measured{mode: mode, binary: binary, dir: dir, broker: broker.Addr, brokerPID: broker.Nodes[0].PID(), events: events, readOnly: reading}
		if err := m.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", mode.name, err)
		}
	}
	return nil
}
