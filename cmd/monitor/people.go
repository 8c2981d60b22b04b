package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

func pathEscape(s string) string { return url.PathEscape(s) }

func newEngagementCommand() *cobra.Command {
	var c client
	var tenant string
	cmd := &cobra.Command{
		Use:   "engagement",
		Short: "Show how many of a tenant's recipients are engaged, and who its mail goes to",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var a struct {
				Tenant     string           `json:"tenant"`
				AsOf       time.Time        `json:"as_of"`
				Recipients map[string]int64 `json:"recipients"`
				Delivered  map[string]int64 `json:"delivered_30d"`
				Share      *float64         `json:"engaged_share"`
				Answers    struct {
					People           int64    `json:"people"`
					Machine          int64    `json:"machine"`
					Share            *float64 `json:"share"`
					ShareWithMachine *float64 `json:"share_with_machine"`
				} `json:"interactions_30d"`
			}
			if err := c.get(cmd, "/api/v1/engagement", setQuery("tenant", tenant), &a); err != nil || c.output == "json" {
				return err
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "%s as of %s\n\n", a.Tenant, moment(a.AsOf))
			t := newTable("RECIPIENTS", ">COUNT")
			for _, k := range []string{"known", "engaged", "new", "unengaged", "engaged_30d", "engaged_90d"} {
				t.row(k, thousands(a.Recipients[k]))
			}
			if err := t.print(out); err != nil {
				return err
			}
			fmt.Fprintln(out)
			t = newTable("DELIVERED IN 30 DAYS TO", ">COUNT")
			for _, k := range []string{"engaged", "new", "unengaged", "total", "suppressed"} {
				t.row(k, thousands(a.Delivered[k]))
			}
			t.row("engaged share", percent(a.Share))
			if err := t.print(out); err != nil {
				return err
			}
			fmt.Fprintln(out)
			t = newTable("OPENS, CLICKS AND REPLIES IN 30 DAYS", ">COUNT", ">OF DELIVERIES")
			t.row("people's", thousands(a.Answers.People), percent(a.Answers.Share))
			t.row("with machines'", thousands(a.Answers.People+a.Answers.Machine), percent(a.Answers.ShareWithMachine))
			return t.print(out)
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&tenant, "tenant", "default", "whose recipients")
	return cmd
}

func newRecipientsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "recipients", Short: "Ask about single recipients"}
	var c client
	var tenant string
	lookup := &cobra.Command{
		Use:   "lookup ADDRESS",
		Short: "Show the state of one recipient",
		Long:  "Show the state of one recipient. The address travels in the body of the request, so that no log keeps it.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := json.Marshal(map[string]string{"tenant": tenant, "recipient": args[0]})
			if err != nil {
				return err
			}
			var a map[string]*string
			if err := c.ask(cmd, http.MethodPost, "/api/v1/recipients/lookup", nil, "application/json", bytes.NewReader(body), &a); err != nil || c.output == "json" {
				return err
			}
			t := newTable("RECIPIENT", "")
			for _, k := range []string{"state", "last_engaged", "first_seen", "unsubscribed", "complained", "hard_bounced"} {
				v := "-"
				if a[k] != nil {
					v = *a[k]
				}
				t.row(k, v)
			}
			return t.print(cmd.OutOrStdout())
		},
	}
	c.flags(lookup)
	lookup.Flags().StringVar(&tenant, "tenant", "default", "whose recipient")
	cmd.AddCommand(lookup)
	return cmd
}
