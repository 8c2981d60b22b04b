package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sendwatch/internal/app"
	"sendwatch/internal/audit/digest"
	"sendwatch/internal/config"
	"sendwatch/internal/policytest"
)

func newTestPolicyCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "test-policy FILE...",
		Short: "Run tests of policies: sequences of events and the alerts that they have to lead to",
		Long: `Run the rule tests of files. A test has a sequence of events and the alerts that have to come of it, judged by the same counting,
windows, limits and alerts as audit and the service. What comes otherwise is told line by line: - what was expected, + what came,
written as the file writes it. docs/BACKTEST.md describes the files, configs/policy-test.yaml is one.

The exit status is 0 when everything came as expected, 1 when something did not or a file cannot be read, 2 when a file is wrong:
each mistake is one line on standard error, FILE:LINE: what was found, what is allowed.`,
		Example: `  monitor test-policy configs/policy-test.yaml
  monitor test-policy --config monitor.yaml tests/*.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error { return testPolicies(cmd, path, files) },
	}
	c.Flags().StringVar(&path, "config", "", "take from this configuration `file` what the tests do not say: policies, subjects, windows, mailbox providers")
	return c
}

// testPolicies reads all files before it runs any, so that a wrong one is told at once.
func testPolicies(cmd *cobra.Command, path string, files []string) error {
	base, err := loadConfig(cmd, path)
	if err != nil {
		return err
	}
	var suites []*policytest.Suite
	code := exitOK
	for _, file := range files {
		suite, err := config.LoadPolicyTests(file, base)
		switch {
		case err == nil:
			suites = append(suites, suite)
		case isProblems(err):
			fmt.Fprintln(cmd.ErrOrStderr(), err)
			code = exitUsage
		default:
			fmt.Fprintln(cmd.ErrOrStderr(), err)
			code = max(code, exitFailed)
		}
	}
	if code != exitOK {
		return &exitError{code: code}
	}
	for _, suite := range suites {
		good, err := testSuite(cmd, base, suite)
		if err != nil {
			return err
		}
		if !good {
			code = exitFailed
		}
	}
	if code != exitOK {
		return &exitError{code: code}
	}
	return nil
}

// testSuite runs the tests of a file and tells what differs. It is true when nothing does.
func testSuite(cmd *cobra.Command, base *config.Config, suite *policytest.Suite) (bool, error) {
	c := *base
	c.Policies, c.Subjects, c.Windows = suite.Policies, suite.Subjects, suite.Windows
	options := app.AuditOptions(&c)
	failed := 0
	for i := range suite.Cases {
		if err := cmd.Context().Err(); err != nil {
			return false, err
		}
		test := &suite.Cases[i]
		differences := test.Compare(test.Run(options))
		if len(differences) == 0 {
			continue
		}
		failed++
		if err := tellDifferences(cmd.OutOrStdout(), suite.File, test, differences); err != nil {
			return false, err
		}
	}
	verdict := "good"
	if failed > 0 {
		verdict = fmt.Sprintf("%d of %d failed", failed, len(suite.Cases))
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s\n", suite.File, digest.Count(len(suite.Cases), "test"), verdict)
	return failed == 0, err
}

func tellDifferences(w io.Writer, file string, test *policytest.Case, differences []policytest.Difference) error {
	if _, err := fmt.Fprintf(w, "%s:%d: %s\n", file, test.Line, test.Name); err != nil {
		return err
	}
	for _, d := range differences {
		for _, line := range test.Lines(d) {
			if _, err := fmt.Fprintf(w, "    %s\n", line); err != nil {
				return err
			}
		}
	}
	return nil
}
