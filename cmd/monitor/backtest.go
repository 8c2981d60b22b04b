package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sendwatch/internal/app"
	"sendwatch/internal/audit"
	"sendwatch/internal/backtest"
	"sendwatch/internal/config"
	"sendwatch/internal/event/eventstream"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/kafka"
	"sendwatch/internal/windows"
)

// backtestFlags are what backtest can be told.
type backtestFlags struct {
	audit            auditFlags // but for its policies, which are the configuration's
	policies         []string
	brokers          string
	topics           []string
	from, to, warmUp string
}

func newBacktestCommand() *cobra.Command {
	var flags backtestFlags
	c := &cobra.Command{
		Use:   "backtest --policy FILE [--policy FILE] [FILE...]",
		Short: "Replay a Kafka topic's range or files through a policy: what would it have alerted",
		Long: `Replay recorded events through a policy and tell what its limits would have alerted. Without files they come from Kafka: from
--topic, or all topics of the configuration, whose partitions are merged by the times of their events. Nothing is written and no
offset committed. Counting, windows, verdicts and alerts are those of audit and of the service.

A policy is a built-in one by name, or a file with one, with a list of them, or a configuration with the key policies. With two,
both are held against each other: alerts of the first (A) alone, of the second (B) alone, and of both, which are those of the same
rate, window and subject that were open at the same time.

--from and --to bound the times of the events: RFC 3339, a date (UTC), or how long ago (30d). Windows are empty where the range begins;
--warm-up has the events before it counted, too, so that they are full.

The exit status is 3 when a limit is broken at the end of the range or an alert was raised, 1 when something cannot be read.`,
		Example: `  monitor backtest --policy mine.yaml --config monitor.yaml --from 30d --warm-up 30d
  monitor backtest --policy monitor.yaml --policy stricter.yaml --brokers kafka:9092 --topic mail.events --from 2026-03-01 --to 2026-04-01
  monitor backtest --policy strict -o json march.ndjson.zst`,
		RunE: func(cmd *cobra.Command, files []string) error { return runBacktest(cmd, &flags, files) },
	}
	f := c.Flags()
	f.StringArrayVar(&flags.policies, "policy", nil, "judge by this built-in policy, or by those of this `file`; twice to compare two")
	f.StringVar(&flags.from, "from", "", "leave out events before this `time`")
	f.StringVar(&flags.to, "to", "", "leave out events at this `time` and later")
	f.StringVar(&flags.warmUp, "warm-up", "0s", "count events of so long before --from, without telling their alerts")
	f.StringVar(&flags.audit.config, "config", "", "take the way to Kafka, topics, subjects, windows and all else from this configuration `file`")
	f.StringVar(&flags.brokers, "brokers", "", "brokers, host:port with commas between")
	f.StringSliceVar(&flags.topics, "topic", nil, "topics to replay (default: those of the configuration)")
	f.StringVar(&flags.audit.format, "format", provider.Auto, "take only this `format`, one that decode has or of the configuration's own")
	f.StringArrayVar(&flags.audit.subjects, "subjects", nil, "count these `dimensions` (tenant,ip), all for everything together; repeat, or put ; between")
	f.StringSliceVar(&flags.audit.windows, "window", nil, "only these windows, by name")
	f.StringVarP(&flags.audit.output, "output", "o", "table", "table or json")
	f.IntVar(&flags.audit.top, "top", 20, "rows of each table")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)) // fails for unknown flags only
	return c
}

func runBacktest(cmd *cobra.Command, flags *backtestFlags, files []string) error {
	if flags.audit.output != "table" && flags.audit.output != "json" {
		return usagef("--output is %q, expected table or json", flags.audit.output)
	}
	span, err := flags.span(time.Now())
	if err != nil {
		return err
	}
	c, err := flags.audit.load(cmd)
	if err != nil {
		return err
	}
	sides, options, err := flags.sides(cmd, c)
	if err != nil {
		return err
	}
	b := backtest.New(span, options...)
	r := auditRun{cmd: cmd}
	sources, size, lost, done, err := flags.sources(&r, c, span, files)
	if err != nil {
		return err
	}
	defer done()
	r.bar = newProgress(cmd, "replaying", size)
	take, wait := b.Pipeline()
	err = eventstream.Read(cmd.Context(), sources, eventstream.Options{
		Now: time.Now, MaxAhead: c.Events.MaxAhead, Format: flags.audit.format, Own: c.Formats, Rejected: r.rejected, Failed: r.failed,
		Warn: func(text string) { r.message("%s", text) },
	}, take)
	wait()
	r.bar.done()
	if err != nil {
		return err
	}
	if n := lost(); n > 0 {
		r.message("%s records were deleted from the topic before they could be read", thousands(n))
	}
	for i, report := range b.Finish() {
		sides[i].Report = report
	}
	r.tell()
	return flags.report(cmd, sides, r.broken)
}

// report prints what was found, and gives the exit status.
func (f *backtestFlags) report(cmd *cobra.Command, sides []backtest.Side, broken bool) error {
	var err error
	out, breached := cmd.OutOrStdout(), sides[0].Report.Breached()
	switch {
	case len(sides) == 1 && f.audit.output == "json":
		err = sides[0].Report.WriteJSON(out)
	case len(sides) == 1:
		err = printAudit(out, sides[0].Report, f.audit.top)
	default:
		breached = breached || sides[1].Report.Breached()
		found := backtest.Compare(sides[0].Report.Alerts, sides[1].Report.Alerts)
		if f.audit.output == "json" {
			err = backtest.WriteJSON(out, sides[0], sides[1], found)
		} else {
			err = printComparison(out, sides, found, f.audit.top)
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("writing the report: %w", err)
	case broken:
		return &exitError{code: exitFailed}
	case breached:
		return &exitError{code: exitBreach}
	}
	return nil
}

// span reads the range of time.
func (f *backtestFlags) span(now time.Time) (s backtest.Span, err error) {
	if s.From, err = parseMoment("--from", f.from, now); err != nil {
		return s, err
	}
	if s.To, err = parseMoment("--to", f.to, now); err != nil {
		return s, err
	}
	if s.WarmUp, err = windows.ParseDuration(f.warmUp); err != nil {
		return s, usagef("--warm-up: %w", err)
	}
	if s.WarmUp > 0 && s.From.IsZero() {
		return s, usagef("--warm-up is given without --from, before which it lies")
	}
	if !s.From.IsZero() && !s.To.IsZero() && !s.From.Before(s.To) {
		return s, usagef("--from %s is not before --to %s", moment(s.From), moment(s.To))
	}
	return s, nil
}

// parseMoment reads a time, a date, or how long ago; zero for an empty text.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	ago, err := windows.ParsePeriod(text)
	if err != nil {
		return time.Time{}, usagef("%s %q: expected a time such as 2026-03-01T08:00:00Z, a date such as 2026-03-01, or how long ago, such as 30d", flag, text)
	}
	return ago.Before(now).UTC(), nil
}

// sides are the policies that are to be judged by, each with what its audit needs.
func (f *backtestFlags) sides(cmd *cobra.Command, c *config.Config) (sides []backtest.Side, options []audit.Options, err error) {
	if n := len(f.policies); n < 1 || n > 2 {
		return nil, nil, usagef("--policy is given %d times, expected once, or twice to compare two policies", n)
	}
	for _, name := range f.policies {
		own := *c
		if own.Policies, err = namedPolicies(cmd, []string{name}); err != nil {
			return nil, nil, err
		}
		side := backtest.Side{Name: name}
		for _, p := range own.Policies {
			side.Policies = append(side.Policies, p.Name)
		}
		sides, options = append(sides, side), append(options, app.AuditOptions(&own))
	}
	return sides, options, nil
}

// sources are the files, or the partitions of the topics. lost tells how many records were deleted meanwhile, done gives the way
// to Kafka up.
func (f *backtestFlags) sources(r *auditRun, c *config.Config, span backtest.Span, files []string) (sources []eventstream.Source, size int64, lost func() int64, done func(), err error) {
	lost, done = func() int64 { return 0 }, func() {}
	byKafka := f.brokers != "" || len(f.topics) > 0
	switch {
	case len(files) > 0 && byKafka:
		return nil, 0, nil, nil, usagef("files are given beside --brokers or --topic: events come from the one or from the other")
	case len(files) > 0:
		sources, size, err = r.sources(files)
		return sources, size, lost, done, err
	case !byKafka && f.audit.config == "":
		return nil, 0, nil, nil, usagef("nothing to replay: name files, or a topic by --config or by --brokers and --topic")
	}
	if f.brokers != "" {
		c.Kafka.Brokers = strings.Split(f.brokers, ",")
	}
	o, err := kafkaOptions(c)
	if err != nil {
		return nil, 0, nil, nil, err
	}
	client, err := kafka.New(o)
	if err != nil {
		return nil, 0, nil, nil, usagef("--brokers: %w", err)
	}
	topics := &backtest.Topics{
		Client: client, Topics: f.topicsOf(c), Span: span, Read: func(n int) { r.bar.add(n) },
		Limits: provider.Options{MaxAhead: max(c.Events.MaxAhead, time.Nanosecond), MaxBytes: c.Events.MaxBytes, Own: c.Formats},
	}
	if sources, err = topics.Sources(r.cmd.Context()); err != nil {
		client.Close()
		return nil, 0, nil, nil, err
	}
	return sources, 0, topics.Lost, client.Close, nil
}

// topicsOf are the topics to replay, each with its format: the flag's, else the configuration's.
func (f *backtestFlags) topicsOf(c *config.Config) []backtest.Topic {
	names := f.topics
	if len(names) == 0 {
		for _, t := range c.Kafka.Topics {
			names = append(names, t.Name)
		}
	}
	var topics []backtest.Topic
	for _, name := range names {
		t := backtest.Topic{Name: name, Format: f.audit.format}
		i := slices.IndexFunc(c.Kafka.Topics, func(t config.Topic) bool { return t.Name == name })
		if i >= 0 && t.Format == provider.Auto {
			t.Format = cmp.Or(c.Kafka.Topics[i].Format, provider.Auto)
		}
		topics = append(topics, t)
	}
	return topics
}
