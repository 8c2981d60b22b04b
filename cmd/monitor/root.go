package main

import (
	"github.com/spf13/cobra"
)

// newRootCommand puts the commands together. started tells whether a command's own work began: an error before that is one
// of usage.
func newRootCommand() (root *cobra.Command, started *bool) {
	started = new(bool)
	root = &cobra.Command{
		Use:   "monitor",
		Short: "Watch bounce, complaint and unsubscribe rates of a mail pipeline",
		Long: `sendwatch reads mail events from Kafka, keeps exact rolling rates and six-month engagement windows in Redis, raises
alerts on a Kafka topic when a rate crosses its limit, and answers what the rates are now, and why.

Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 a limit is breached (audit, rates, backtest, audience check).`,
		SilenceErrors:    true,
		SilenceUsage:     true,
		PersistentPreRun: func(*cobra.Command, []string) { *started = true },
	}
	root.AddGroup(
		&cobra.Group{ID: "serve", Title: "Run:"},
		&cobra.Group{ID: "ask", Title: "Ask a running service:"},
		&cobra.Group{ID: "files", Title: "Without a service:"},
		&cobra.Group{ID: "check", Title: "Check:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("serve", newRunCommand(), newIngestCommand(), newDemoCommand(), newSimulateCommand())
	add("ask", newRatesCommand(), newAlertsCommand(), newEngagementCommand(), newRecipientsCommand(), newAudienceCommand(), newTailCommand())
	add("files", newAuditCommand(), newBacktestCommand(), newTestPolicyCommand(), newDecodeCommand())
	add("check", newCheckConfigCommand(), newDoctorCommand(), newHealthcheckCommand(), newStartAnewCommand(), newForgetCommand())
	root.AddCommand(newVersionCommand())
	return root, started
}
