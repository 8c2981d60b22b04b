package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"sendwatch/internal/api/guard"
	"sendwatch/internal/app"
	"sendwatch/internal/config"
	"sendwatch/internal/ingest"
	"sendwatch/internal/kafka"
	"sendwatch/internal/metrics"
)

func newIngestCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "ingest",
		Short: "Receive providers' webhooks and write them to the event topic",
		Long: `Receive the webhooks that ingest.sources of the configuration names, each at /ingest/NAME, until told to stop (SIGTERM, Ctrl-C).
Each sender is verified by its signature or secret. Batches are cut into records keyed by recipient, and a webhook is answered
with success only once Kafka has all of it on every in-sync replica. While Kafka is away the answer is 503, and the provider
sends again. Several receivers may run side by side. See docs/INGEST.md.`,
		Example: `  monitor ingest --config /etc/sendwatch/monitor.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			if len(c.Ingest.Sources) == 0 {
				return usagef("ingest.sources is empty: name the webhooks to receive in the configuration file")
			}
			log, _, err := app.Logger(c)
			if err != nil {
				return err
			}
			defer log.Sync() //nolint:errcheck // standard error may be a terminal, which cannot be synced
			return runIngest(cmd.Context(), c, log, func(string) {})
		},
	}
	cmd.Flags().StringVar(&path, "config", os.Getenv("SENDWATCH_CONFIG"), "configuration file (SENDWATCH_CONFIG)")
	return cmd
}

// runIngest receives until the context ends. started is called with the receiver's address.
func runIngest(ctx context.Context, c *config.Config, log *zap.Logger, started func(address string)) error {
	client, err := ingestClient(c)
	if err != nil {
		return err
	}
	defer client.Close()
	o := ingest.Options{Topic: c.Ingest.TopicOf(c), Producer: client, Log: log, Meter: ingest.NewMeter(), MaxBody: c.Ingest.MaxBytes, MaxRecord: c.Events.MaxBytes,
		Formats: c.Formats}
	for _, s := range c.Ingest.Sources {
		o.Sources = append(o.Sources, ingest.Source{Name: s.Name, Format: s.Format, Verify: s.Options()})
	}
	if c.Ingest.CertFile != "" {
		if o.TLS, err = (guard.TLSFiles{Cert: c.Ingest.CertFile, Key: c.Ingest.KeyFile}).Config(); err != nil {
			return fmt.Errorf("ingest.tls: %w", err)
		}
	}
	server, err := ingest.New(o)
	if err != nil {
		return fmt.Errorf("ingest.sources: %w", err)
	}
	public, admin, err := ingestListeners(ctx, c)
	if err != nil {
		return err
	}
	m := metrics.New(metrics.Build{Version: versionText()})
	m.Register(o.Meter, server.Reached())
	log.Info("receiving webhooks", zap.String("address", public.Addr().String()), zap.String("topic", o.Topic), zap.Int("sources", len(o.Sources)),
		zap.String("version", versionText()))
	started(public.Addr().String())
	return server.Serve(ctx, public, admin, m.Handler())
}

// ingestClient gives up on Kafka sooner than the service does: a provider waits for the answer.
func ingestClient(c *config.Config) (*kafka.Client, error) {
	o, err := kafkaOptions(c)
	if err != nil {
		return nil, err
	}
	o.DialTimeout, o.RequestTimeout = 3*time.Second, 4*time.Second
	return kafka.New(o)
}

func ingestListeners(ctx context.Context, c *config.Config) (public, admin net.Listener, err error) {
	if public, err = new(net.ListenConfig).Listen(ctx, "tcp", c.Ingest.Listen); err != nil {
		return nil, nil, fmt.Errorf("ingest.listen: %w", err)
	}
	if c.Ingest.Admin == "" {
		return public, nil, nil
	}
	if admin, err = new(net.ListenConfig).Listen(ctx, "tcp", c.Ingest.Admin); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("ingest.admin: %w", err), public.Close())
	}
	return public, admin, nil
}
