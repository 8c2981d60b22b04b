// Command cmd runs a soak: `make soak`, or `go run ./internal/soak/cmd --help`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sendwatch/internal/soak"
)

func main() { os.Exit(run()) }

func run() int {
	o := soak.Options{Out: os.Stdout}
	flag.DurationVar(&o.Time, "time", time.Hour, "for how long")
	flag.IntVar(&o.Rate, "rate", 20_000, "records a second")
	flag.IntVar(&o.Pace, "pace", 48, "event time runs so many times as fast as the clock, and ends about an hour ago")
	flag.DurationVar(&o.Horizon, "horizon", 2*time.Hour, "dedupe.horizon, in event time")
	flag.IntVar(&o.Monitors, "monitors", 2, "processes")
	flag.DurationVar(&o.Every, "every", 10*time.Second, "between two samples")
	flag.Uint64Var(&o.Seed, "seed", 1, "of the stream")
	flag.StringVar(&o.CSV, "csv", "", "file for the samples")
	flag.StringVar(&o.SVG, "svg", "", "file for the drawing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if _, err := soak.Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 1
	}
	return 0
}
