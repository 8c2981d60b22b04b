package main

import (
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

func newHealthcheckCommand() *cobra.Command {
	var c client
	var ready bool
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running service whether it is healthy, for container and service managers",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := "/-/healthy"
			if ready {
				path = "/-/ready"
			}
			body, err := c.do(cmd.Context(), http.MethodGet, path, nil, "", nil)
			if err != nil {
				return err
			}
			defer body.Close()
			_, err = io.Copy(cmd.OutOrStdout(), body)
			return err
		},
	}
	c.flags(cmd)
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it is ready to serve, not only alive")
	return cmd
}
