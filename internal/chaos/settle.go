package chaos

import (
	"context"
	"fmt"
	"time"

	"sendwatch/internal/truth"
	"sendwatch/internal/windows"
)

// settle waits until everything written is in the state, and compares all there is with the truth.
func (r *round) settle(ctx context.Context) (*RoundReport, error) {
	if _, err := r.recovered(ctx, 2*time.Minute); err != nil {
		return nil, fmt.Errorf("settling: %w", err)
	}
	if err := r.breakTheQuiet(ctx); err != nil {
		return nil, err
	}
	for topic, n := range map[string]int{r.topic(): mainPartitions, r.names.loose(): int(r.loose.Load())} {
		if err := r.tellOracle(ctx, topic, n); err != nil {
			return nil, err
		}
	}
	counts := r.oracle.Count(oracleOptions(), time.Now())
	report, err := truth.Comparison{Redis: r.counts, Oracle: counts, Lost: r.oracle.Lost(), Combinations: windows.DefaultCombinations(),
		At: time.Now().Add(2 * time.Minute), Recipients: r.stream.SomeRecipients(7)}.Compare(ctx)
	if err != nil {
		return nil, err
	}
	out := &RoundReport{Seed: r.seed, Shards: r.shards, Records: r.oracle.Records(), Events: counts.Totals().Counted, Repeats: counts.Totals().Duplicate,
		Lost: r.oracle.Lost(), Cells: report.Cells, Subjects: report.Subjects, Faults: len(r.injected), Differences: report.Differences,
		Findings: report.Examples}
	alerts, err := r.checkAlerts(ctx, counts)
	if err != nil {
		return nil, err
	}
	out.Episodes, out.Transitions, out.Again = alerts.episodes, alerts.transitions, alerts.again
	out.Differences += len(alerts.findings)
	out.Findings = append(out.Findings, alerts.findings...)
	if out.Differences > 0 {
		if dir, err := r.keepLogs(r.names); err == nil {
			out.Findings = append(out.Findings, "logs: "+dir)
		}
	}
	return out, nil
}

// breakTheQuiet breaks something once nothing is written any more: what went back then has to be noticed without new records.
func (r *round) breakTheQuiet(ctx context.Context) error {
	f := fault{"redis-kill, quiet", 1, (*round).redisKill, false}
	switch {
	case r.o.Cluster:
		f = fault{"failover-behind, quiet", 1, (*round).failoverBehind, false}
	case r.older != "":
		f = fault{"redis-older, quiet", 1, (*round).redisOlder, false}
	}
	return r.inject(ctx, f)
}

// tellOracle lets the oracle read a topic, again when a leader has just moved: what it has read already, it keeps.
func (r *round) tellOracle(ctx context.Context, topic string, partitions int) error {
	return until(ctx, 30*time.Second, "reading for the oracle", func() string {
		if err := r.oracle.Read(ctx, topic, partitions); err != nil {
			return err.Error()
		}
		return ""
	})
}
