package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"sendwatch/internal/kafka"
)

func newTailCommand() *cobra.Command {
	var target kafkaTarget
	var output string
	var fromStart bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow the alert topic",
		Long:  "Follow the alert topic and print each record as it comes, a line of text or (-o json) the record as it is.",
		Example: `  monitor tail --brokers localhost:9092
  monitor tail --config monitor.yaml --from-start -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usagef("--output is %q, expected table or json", output)
			}
			c, err := target.load(cmd)
			if err != nil {
				return err
			}
			if target.topic == "" {
				target.topic = c.Kafka.AlertsTopic
			}
			client, topic, err := target.open(cmd)
			if err != nil {
				return err
			}
			defer client.Close()
			return tail(cmd, client, topic, fromStart, output)
		},
	}
	target.flags(cmd, "topic", "", "alert topic (default: the configuration's, mail.alerts)")
	cmd.Flags().BoolVar(&fromStart, "from-start", false, "begin with the oldest record that the topic has")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table (a line each) or json")
	return cmd
}

// tail follows every partition of the topic until the context ends.
func tail(cmd *cobra.Command, client *kafka.Client, topic string, fromStart bool, output string) error {
	ctx := cmd.Context()
	found, err := client.Topics(ctx, topic)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("topic %s does not exist there: has the service been started?", topic)
	}
	var mu sync.Mutex
	show := func(_ int64, value []byte) error {
		mu.Lock()
		defer mu.Unlock()
		return showRecord(cmd, value, output)
	}
	var wg sync.WaitGroup
	errs := make(chan error, len(found[0].Partitions))
	for _, p := range found[0].Partitions {
		first, next, err := client.Offsets(ctx, topic, p.ID)
		if err != nil {
			return err
		}
		from := next
		if fromStart {
			from = first
		}
		wg.Go(func() { errs <- follow(ctx, client, topic, p.ID, from, show) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// follow goes on over errors that pass by themselves.
func follow(ctx context.Context, client *kafka.Client, topic string, partition int, from int64, show func(int64, []byte) error) error {
	for {
		next, err := client.Follow(ctx, topic, partition, from, show)
		if err == nil || ctx.Err() != nil || !kafka.CategoryOf(err).Passes() {
			return err
		}
		from = next
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

func showRecord(cmd *cobra.Command, value []byte, output string) error {
	out := cmd.OutOrStdout()
	if output == "json" {
		_, err := fmt.Fprintf(out, "%s\n", value)
		return err
	}
	var a alertRow
	if err := json.Unmarshal(value, &a); err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "a record that is no alert: %v\n", err)
		return nil
	}
	_, err := fmt.Fprintf(out, "%s  %-9s %-8s %s\n", moment(a.EvaluatedAt), a.Change, a.Severity, a.Annotations.Summary)
	return err
}
