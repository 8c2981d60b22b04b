package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"sendwatch/internal/api/audience"
	"sendwatch/internal/app"
	"sendwatch/internal/event/record"
)

func newForgetCommand() *cobra.Command {
	var path, tenant string
	cmd := &cobra.Command{
		Use:   "forget --tenant TENANT FILE",
		Short: "Erase what is kept of recipients, for privacy requests",
		Long: `Erase the records of a tenant's recipients: a list of addresses as audience check takes it, "-" is standard input. It works on the
state in Redis, also while monitors run, and may be repeated. What remains names nobody: the counts that their events are part of, and
until dedupe.horizon has passed, keyed hashes of those events. An event that comes later begins a new record. With the record goes what is
known of an unsubscribe. Each erasure is logged on standard error with its time and how many records went, never with an address.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if tenant == "" {
				return usagef("--tenant is missing")
			}
			c, err := loadConfig(cmd, path)
			if err != nil {
				return err
			}
			list, _, err := openList(cmd, args[0])
			if err != nil {
				return err
			}
			defer list.Close()
			addresses, invalid, err := readAddresses(list, contentTypeOf(args[0]) == "text/csv")
			if err != nil {
				return err
			}
			log, _, err := app.Logger(c)
			if err != nil {
				return err
			}
			gone, err := app.Forget(cmd.Context(), c, tenant, addresses)
			log.Info("recipients erased", zap.String("tenant", tenant), zap.Int("asked", len(addresses)), zap.Int64("erased", gone), zap.Time("at", time.Now().UTC()), zap.Error(err))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d addresses, %d records erased, %d lines were no address\n", len(addresses), gone, invalid)
			return err
		},
	}
	cmd.Flags().StringVar(&path, "config", os.Getenv("SENDWATCH_CONFIG"), "configuration file (SENDWATCH_CONFIG)")
	cmd.Flags().StringVar(&tenant, "tenant", "", "whose recipients")
	return cmd
}

func readAddresses(r io.Reader, csv bool) (addresses []string, invalid int, err error) {
	content, err := record.Unpack(r)
	if err != nil {
		return nil, 0, err
	}
	defer content.Close()
	texts, err := audience.Open(content, csv)
	if err != nil {
		return nil, 0, err
	}
	for {
		text, err := texts.Next()
		if errors.Is(err, io.EOF) {
			return addresses, invalid, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if address, ok := text.Address(); ok {
			addresses = append(addresses, string(address))
		} else {
			invalid++
		}
	}
}
