// Command cmd runs the fault harness: `make chaos`, or `go run ./internal/chaos/cmd --help`.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"sendwatch/internal/chaos"
)

func main() { os.Exit(run()) }

func run() int {
	o := chaos.Options{Out: os.Stdout}
	flag.Uint64Var(&o.Seed, "seed", 1, "of the first round; each next round has the next one")
	flag.DurationVar(&o.Time, "time", 5*time.Minute, "for faults, over all rounds; settling and comparing come on top")
	flag.DurationVar(&o.Round, "round", 75*time.Second, "for faults, of one round")
	flag.IntVar(&o.Rate, "rate", 2000, "records a second")
	flag.IntVar(&o.Monitors, "monitors", 3, "processes")
	flag.IntVar(&o.Shards, "shards", 0, "home shards; 0 = 1, 4 or 16 by the seed")
	flag.BoolVar(&o.Cluster, "cluster", false, "three brokers and a Redis Cluster with replicas")
	flag.StringVar(&o.Other, "other", "", "binary of another version, built with -tags faults, for versions side by side; the same code when empty")
	flag.StringVar(&o.Dir, "dir", "", "for data and logs; one that is removed when nothing is found")
	names := flag.String("faults", "", "only these, with commas between: "+strings.Join(chaos.FaultNames(), ", "))
	report := flag.String("report", "", "file for the report as JSON")
	flag.Parse()
	if *names != "" {
		o.Faults = strings.Split(*names, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	found, err := chaos.Run(ctx, o)
	if found != nil && *report != "" {
		text, _ := json.MarshalIndent(found, "", "  ")
		if err := os.WriteFile(*report, text, 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	case found.Differences() > 0:
		fmt.Fprintln(os.Stderr, "chaos: differences were found")
		return 1
	}
	fmt.Printf("%d faults over %d seeds: no difference\n", len(found.Faults), len(found.Rounds))
	return 0
}
