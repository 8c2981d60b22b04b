package main

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"sendwatch/internal/policy"
)

func newRatesCommand() *cobra.Command {
	var c client
	var subject, dimensions, window, rate, at, verdict string
	var limit int
	cmd := &cobra.Command{
		Use:   "rates",
		Short: "Show rates, limits and verdicts, now or at a time",
		Long: `Show the rates of one subject (--subject, all mail by default), or of every subject of a combination of dimensions, worst first
(--dimensions). The exit status is 3 when one of the rates shown is in breach.`,
		Example: `  monitor rates
  monitor rates --subject tenant=acme,provider=gmail --window 24h
  monitor rates --dimensions tenant,campaign --verdict breach
  monitor rates --subject tenant=acme --at 2026-03-01T12:00:00Z --window 7d -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("subject") && cmd.Flags().Changed("dimensions") {
				return usagef("--subject and --dimensions exclude each other")
			}
			q := setQuery("window", window, "rate", rate, "at", at)
			if dimensions == "" {
				q.Set("subject", subject)
			} else {
				q.Set("dimensions", dimensions)
				q.Set("limit", strconv.Itoa(limit))
			}
			if verdict != "" {
				if dimensions == "" {
					return usagef("--verdict goes with --dimensions")
				}
				q.Set("verdict", verdict)
			}
			return showRates(cmd, &c, q)
		},
	}
	c.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&subject, "subject", "all", "key of the subject, such as tenant=acme,provider=gmail")
	f.StringVar(&dimensions, "dimensions", "", "combination of dimensions, such as tenant,provider")
	f.StringVar(&window, "window", "", "only this window")
	f.StringVar(&rate, "rate", "", "only this rate: bounce, complaint, unsubscribe, suppressed or engaged")
	f.StringVar(&at, "at", "", "time to look at, RFC 3339 (default: now)")
	f.StringVar(&verdict, "verdict", "", "only this verdict: no_data, low_volume, ok, watch or breach (with --dimensions)")
	f.IntVar(&limit, "limit", 50, "how many rows at most (with --dimensions)")
	return cmd
}

// ratesAnswer is what /api/v1/rates answers.
type ratesAnswer struct {
	AsOf       time.Time `json:"as_of"`
	Stale      bool      `json:"stale"`
	LagSeconds float64   `json:"lag_seconds"`
	Rates      []rateRow `json:"rates"`
	NextCursor string    `json:"next_cursor"`
}

// rateRow is the part of a row that a table shows.
type rateRow struct {
	SubjectKey  string   `json:"subject_key"`
	Policy      *string  `json:"policy"`
	Rate        string   `json:"rate"`
	Window      string   `json:"window"`
	Numerator   int64    `json:"numerator"`
	Denominator int64    `json:"denominator"`
	Exposure    int64    `json:"exposure"`
	Ratio       *float64 `json:"ratio"`
	Judged      *float64 `json:"judged"`
	Lower       *float64 `json:"lower"`
	Upper       *float64 `json:"upper"`
	Limit       *float64 `json:"limit"`
	Verdict     *string  `json:"verdict"`
	Headroom    *int64   `json:"headroom"`
}

func showRates(cmd *cobra.Command, c *client, q url.Values) error {
	var answer ratesAnswer
	if err := c.get(cmd, "/api/v1/rates", q, &answer); err != nil {
		return err
	}
	if c.output == "table" {
		if err := printRates(cmd, answer); err != nil {
			return err
		}
	}
	for _, r := range answer.Rates {
		if r.Verdict != nil && *r.Verdict == policy.Breach.String() {
			return &exitError{code: exitBreach}
		}
	}
	return nil
}

func printRates(cmd *cobra.Command, answer ratesAnswer) error {
	note := ""
	if answer.Stale {
		note = ", STALE: events are not being read"
	} else if answer.LagSeconds > 0 {
		note = fmt.Sprintf(", %.0f s behind", answer.LagSeconds)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "as of %s%s\n\n", moment(answer.AsOf), note)
	t := newTable("SUBJECT", "RATE", "WINDOW", "VERDICT", ">JUDGED", ">LIMIT", ">COUNT", ">EXPOSURE", ">RATIO", ">OF", ">HEADROOM", "POLICY")
	for _, r := range answer.Rates {
		verdict, headroom, name := "-", "-", "-"
		if r.Verdict != nil {
			verdict, name = *r.Verdict, *r.Policy
		}
		if r.Headroom != nil {
			headroom = thousands(*r.Headroom)
		}
		t.row(r.SubjectKey, r.Rate, r.Window, verdict, percent(r.Judged), percent(r.Limit), thousands(r.Numerator), thousands(r.Exposure),
			percent(r.Ratio), thousands(r.Denominator), headroom, name)
	}
	if err := t.print(cmd.OutOrStdout()); err != nil {
		return err
	}
	if answer.NextCursor != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "There are more: raise --limit.")
	}
	return nil
}
