package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"sendwatch/internal/app"
)

func newDoctorCommand() *cobra.Command {
	var path, output string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Reach Kafka and Redis and check what they must allow",
		Long: `Reach Kafka and Redis as the configuration says, and check what the service needs of them: topics and their leaders, the version of
Redis and its eviction policy. Nothing is written. The exit status is 1 when something is wrong.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return usagef("--output is %q, expected table or json", output)
			}
			c, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			checks := app.Examine(ctx, c)
			if output == "json" {
				if err := printValue(cmd.OutOrStdout(), map[string]any{"checks": checks}); err != nil {
					return err
				}
			} else if err := printChecks(cmd, checks); err != nil {
				return err
			}
			for _, k := range checks {
				if !k.OK {
					return &exitError{code: exitFailed}
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", os.Getenv("SENDWATCH_CONFIG"), "configuration file (SENDWATCH_CONFIG)")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to try")
	return cmd
}

func printChecks(cmd *cobra.Command, checks []app.Check) error {
	t := newTable("CHECK", "RESULT", "DETAIL")
	for _, k := range checks {
		result := "good"
		if !k.OK {
			result = "WRONG"
		}
		t.row(k.Name, result, k.Detail)
	}
	return t.print(cmd.OutOrStdout())
}

func newStartAnewCommand() *cobra.Command {
	var path, topic string
	cmd := &cobra.Command{
		Use:   "start-anew --topic TOPIC",
		Short: "Read a topic that was deleted and made again from its beginning",
		Long: `Remove the positions of a topic from the state, so that it is read from its beginning. That is for a topic that was deleted and
made again, or whose log went back: its records are new ones, and what was counted before stays counted. Stop all monitors first.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if topic == "" {
				return usagef("--topic is missing")
			}
			c, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			if err := app.StartAnew(cmd.Context(), c, topic); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is read from its beginning when the monitors start again\n", topic)
			return err
		},
	}
	cmd.Flags().StringVar(&path, "config", os.Getenv("SENDWATCH_CONFIG"), "configuration file (SENDWATCH_CONFIG)")
	cmd.Flags().StringVar(&topic, "topic", "", "the topic")
	return cmd
}
