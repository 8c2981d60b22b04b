package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"sendwatch/internal/app"
	"sendwatch/internal/config"
	"sendwatch/internal/kafka"
)

func kafkaOptions(c *config.Config) (kafka.Options, error) { return app.KafkaOptions(c) }

func newRunCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the service",
		Long: `Read mail events, count them, evaluate limits, publish alerts and answer questions, until told to stop (SIGTERM, Ctrl-C).
Several processes with one configuration share the work; each answers for all. Kafka and Redis may be away: it waits for them,
says so (/-/ready, log), and goes on by itself. SIGHUP, or POST /-/reload, reads the configuration file again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			log, level, err := app.Logger(c)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), app.Options{Config: c, Log: log, Level: &level, Hook: faultHook(), Now: faultClock(),
				Reload: func() (*config.Config, error) { return config.Load(path, os.Environ()) },
				Started: func(address string) {
					log.Info("answering", zap.String("address", address), zap.String("version", versionText()))
				}})
		},
	}
	cmd.Flags().StringVar(&path, "config", os.Getenv("SENDWATCH_CONFIG"), "configuration file (SENDWATCH_CONFIG); without one, defaults and environment")
	return cmd
}

// serve runs the service until the context ends.
func serve(ctx context.Context, o app.Options) error {
	if os.Getenv("GOGC") == "" {
		// With a backlog most of the heap is a batch, while a long list is checked it is what was seen of it; neither holds many
		// pointers. Collecting at a quarter more, not at twice as much, keeps the process near 200 MB for a few percent of the time.
		debug.SetGCPercent(25)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		// With a backlog the workers would have all of Go's processors, and an answer wait 10 ms for its turn. Threads of the
		// system are treated more evenly.
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 8)
	}
	defer o.Log.Sync() //nolint:errcheck // standard error may be a terminal, which cannot be synced
	hangup := make(chan struct{}, 1)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
				select {
				case hangup <- struct{}{}:
				default: // one is waiting already
				}
			}
		}
	}()
	o.Hangup, o.Version = hangup, versionText()
	if err := app.Run(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("stopped: %w", err)
	}
	return nil
}
