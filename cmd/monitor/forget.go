package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"sendwatch/internal/api/audience"
	"sendwatch/internal/app"
)

func newForgetCommand() *cobra.Command {
	var path, tenant string
	cmd := &cobra.Command{
		Use:   "forget --tenant TENANT FILE",
		Short: "Erase what is kept of recipients, for privacy requests",
		Long: `Erase the records of a tenant's recipients: one address a line, "-" is standard input. It works on the state in Redis, also while
monitors run. What remains names nobody: the counts that their events are part of, and until dedupe.horizon has passed, keyed
hashes of those events. An event that comes later begins a new record. Each erasure is logged on standard error with its time and
how many records went, never with an address.`,
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
			addresses, invalid, err := readAddresses(list)
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

func readAddresses(r io.Reader) (addresses []string, invalid int, err error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if address, ok := audience.Normalise(lines.Text()); ok {
			addresses = append(addresses, address)
		} else {
			invalid++
		}
	}
	return addresses, invalid, lines.Err()
}
