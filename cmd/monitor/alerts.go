package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

func newAlertsCommand() *cobra.Command {
	var c client
	var status, subject string
	var limit int
	cmd := &cobra.Command{
		Use:   "alerts [ID]",
		Short: "List alerts, or show one with its history",
		Example: `  monitor alerts
  monitor alerts --status all --subject tenant=acme
  monitor alerts 3f0c8a61d2b94e57a1c6`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return showAlert(cmd, &c, args[0])
			}
			var answer struct {
				Alerts     []alertRow `json:"alerts"`
				NextCursor string     `json:"next_cursor"`
			}
			q := setQuery("status", status, "subject", subject, "limit", strconv.Itoa(limit))
			if err := c.get(cmd, "/api/v1/alerts", q, &answer); err != nil || c.output == "json" {
				return err
			}
			if len(answer.Alerts) == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "No alerts.")
				return nil
			}
			if err := printAlerts(cmd, answer.Alerts); err != nil {
				return err
			}
			if answer.NextCursor != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "There are more: raise --limit.")
			}
			return nil
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&status, "status", "firing", "firing, resolved or all")
	cmd.Flags().StringVar(&subject, "subject", "", "only alerts of this subject")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at most")
	return cmd
}

// alertRow is the part of an alert record that tables and tail show.
type alertRow struct {
	ID          string    `json:"id"`
	Seq         int64     `json:"seq"`
	Incident    string    `json:"incident"`
	Change      string    `json:"change"`
	Status      string    `json:"status"`
	Severity    string    `json:"severity"`
	Policy      string    `json:"policy"`
	Rate        string    `json:"rate"`
	Window      string    `json:"window"`
	Limit       float64   `json:"limit"`
	SubjectKey  string    `json:"subject_key"`
	Observed    observed  `json:"observed"`
	StartsAt    time.Time `json:"starts_at"`
	EvaluatedAt time.Time `json:"evaluated_at"`
	Annotations struct {
		Summary     string `json:"summary"`
		Description string `json:"description"`
	} `json:"annotations"`
	Definition string     `json:"definition"`
	History    []alertRow `json:"history"`
}

type observed struct {
	Numerator int64    `json:"numerator"`
	Exposure  int64    `json:"exposure"`
	Judged    *float64 `json:"judged"`
}

func printAlerts(cmd *cobra.Command, alerts []alertRow) error {
	t := newTable("SEVERITY", "STATUS", "SUBJECT", "RATE", "WINDOW", ">NOW", ">LIMIT", ">COUNT", ">EXPOSURE", "SINCE", "ID")
	for _, a := range alerts {
		limit := a.Limit
		t.row(a.Severity, a.Status, a.SubjectKey, a.Rate, a.Window, percent(a.Observed.Judged), percent(&limit), thousands(a.Observed.Numerator),
			thousands(a.Observed.Exposure), moment(a.StartsAt), a.ID)
	}
	return t.print(cmd.OutOrStdout())
}

func showAlert(cmd *cobra.Command, c *client, id string) error {
	var a alertRow
	if err := c.get(cmd, "/api/v1/alerts/"+pathEscape(id), nil, &a); err != nil || c.output == "json" {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s\n%s\n\n%s\n\nincident %s\n\n", a.Annotations.Summary, a.Annotations.Description, a.Definition, a.Incident)
	t := newTable(">SEQ", "AT", "CHANGE", "SEVERITY", ">VALUE", ">COUNT", ">EXPOSURE")
	for _, h := range a.History {
		t.row(strconv.FormatInt(h.Seq, 10), moment(h.EvaluatedAt), h.Change, h.Severity, percent(h.Observed.Judged), thousands(h.Observed.Numerator), thousands(h.Observed.Exposure))
	}
	return t.print(out)
}
