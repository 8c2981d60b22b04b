package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"sendwatch/internal/config"
)

func newCheckConfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check-config FILE...",
		Short: "Check configuration files and name every mistake",
		Long: `Check configuration files, together with the environment, as run would read them. Each mistake is one line on standard error:
FILE:LINE: what was found, what is allowed. The exit status is 0 when all files are good, 2 when one has a mistake, 1 when one
cannot be read.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			code := exitOK
			for _, file := range files {
				switch _, err := config.Load(file, os.Environ()); {
				case err == nil:
					fmt.Fprintf(cmd.OutOrStdout(), "%s: good\n", file)
				case isProblems(err):
					code = max(code, exitUsage)
					fmt.Fprintln(cmd.ErrOrStderr(), err)
				default:
					fmt.Fprintln(cmd.ErrOrStderr(), err)
					if code == exitOK {
						code = exitFailed
					}
				}
			}
			if code != exitOK {
				return &exitError{code: code}
			}
			return nil
		},
	}
}

func isProblems(err error) bool {
	_, ok := errors.AsType[config.Problems](err)
	return ok
}

// loadConfig reads a configuration for a command: the problems of a wrong one go to standard error line by line, and the
// exit status is 2.
func loadConfig(cmd *cobra.Command, path string) (*config.Config, error) {
	c, err := config.Load(path, os.Environ())
	if err == nil {
		return c, nil
	}
	if isProblems(err) {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		return nil, &exitError{code: exitUsage}
	}
	return nil, err
}
