package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Run starts the parts, plays rounds until the time for faults is over, and reports. An error says that something did not come
// back, or that the harness could not work; differences are in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	o.fill()
	own := o.Dir == ""
	if own {
		dir, err := os.MkdirTemp("", "sendwatch-chaos-")
		if err != nil {
			return nil, err
		}
		o.Dir = dir
	}
	p, err := start(&o)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	report := &Report{}
	rounds := int(max(1, (o.Time+o.Round/2)/o.Round))
	for i := range rounds {
		seed := o.Seed + uint64(i)
		began := time.Now()
		r, err := p.newRound(ctx, &o, seed)
		if err == nil {
			var one *RoundReport
			one, err = r.run(ctx)
			report.Faults = append(report.Faults, r.injected...)
			if one != nil {
				report.Rounds = append(report.Rounds, *one)
				fmt.Fprintf(o.Out, "seed %-4d %s: %d faults, %d records, %d lost on purpose, %d cells of %d subjects, %d alert records of %d episodes (%d published again): %d differences\n",
					seed, time.Since(began).Round(time.Second), one.Faults, one.Records, one.Lost, one.Cells, one.Subjects, one.Transitions, one.Episodes, one.Again, one.Differences)
				for _, f := range one.Findings {
					fmt.Fprintln(o.Out, "  "+f)
				}
			}
			if err != nil {
				logs, _ := r.keepLogs(r.names)
				err = fmt.Errorf("%w (logs: %s)", err, logs)
			}
		}
		if err != nil {
			return report, err
		}
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
	}
	if own && report.Differences() == 0 {
		return report, errors.Join(os.RemoveAll(o.Dir))
	}
	return report, nil
}
