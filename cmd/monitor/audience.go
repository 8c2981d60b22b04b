package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sendwatch/internal/api/audience"
	"sendwatch/internal/event/record"
)

func newAudienceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audience", Short: "Ask about lists of recipients"}
	cmd.AddCommand(newAudienceCheckCommand())
	return cmd
}

// audienceCheck is one run of the command.
type audienceCheck struct {
	client                      client
	tenant                      string
	maxUnengaged, maxSuppressed float64
	write                       string // directory
	overwrite                   bool
}

func newAudienceCheckCommand() *cobra.Command {
	c := &audienceCheck{}
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a list of addresses before mailing it",
		Long: `Check a list of addresses (one a line, or CSV with a column named email; .gz and .zst too; "-" is standard input) against what is
known of a tenant's recipients. The list is streamed: it may be of any length. The exit status is 3 when the share of addresses that are
neither engaged nor new, or of suppressed ones, is above its bound.

With --write the list is split into files: engaged, new, unengaged, unknown, suppressed and invalid, as .txt, or as .csv with all columns.
Who is suppressed (unsubscribed, complained or hard bounced, and no opt-in since) is in that file alone. Of duplicates the first is
written. The files appear together at the end, or not at all; existing ones are not touched without --overwrite.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) },
	}
	c.client.flags(check)
	c.client.timeout = 0
	f := check.Flags()
	f.StringVar(&c.tenant, "tenant", "default", "whose recipients")
	f.Float64Var(&c.maxUnengaged, "max-unengaged", 20, "percent of the valid addresses that may be unengaged or unknown")
	f.Float64Var(&c.maxSuppressed, "max-suppressed", 0, "percent of the valid addresses that may have unsubscribed, complained or hard bounced")
	f.StringVar(&c.write, "write", "", "directory to split the list into files in; it is made when it is not there")
	f.BoolVar(&c.overwrite, "overwrite", false, "with --write: replace files that are there already")
	return check
}

func (c *audienceCheck) run(cmd *cobra.Command, name string) error {
	if err := c.client.checkOutput(); err != nil {
		return err
	}
	if c.write == "" && c.overwrite {
		return usagef("--overwrite is for --write, which is missing")
	}
	var report audience.Report
	var files []splitFile
	var err error
	if c.write == "" {
		report, err = c.sums(cmd, name)
	} else {
		report, files, err = c.split(cmd, name)
	}
	if err != nil {
		return err
	}
	if err := c.show(cmd, report, files); err != nil {
		return err
	}
	valid := float64(report.Engaged + report.New + report.Unengaged + report.Unknown)
	if valid > 0 && (float64(report.Unengaged+report.Unknown)/valid*100 > c.maxUnengaged || float64(report.Suppressed.Any)/valid*100 > c.maxSuppressed) {
		return &exitError{code: exitBreach}
	}
	return nil
}

// sums asks for the sums of a list.
func (c *audienceCheck) sums(cmd *cobra.Command, name string) (report audience.Report, err error) {
	list, size, err := openList(cmd, name)
	if err != nil {
		return report, err
	}
	defer list.Close()
	bar := newProgress(cmd, "checking", size)
	body, err := c.post(cmd.Context(), contentTypeOf(name), bar, list, false)
	bar.done()
	if err != nil {
		return report, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&report); err != nil {
		return report, fmt.Errorf("the answer is not what this version expects: %w", err)
	}
	return report, nil
}

// post sends a list as it is inside its packing, which the request closes when it is done with it.
func (c *audienceCheck) post(ctx context.Context, contentType string, bar *progress, list io.Reader, lines bool) (io.ReadCloser, error) {
	content, err := record.Unpack(bar.reader(list))
	if err != nil {
		return nil, err
	}
	query := setQuery("tenant", c.tenant)
	if lines {
		query.Set("lines", "true")
	}
	body := struct {
		io.Reader
		io.Closer
	}{bar.lines(content, "addresses"), content}
	return c.client.do(ctx, http.MethodPost, "/api/v1/audience/check", query, contentType, body)
}

func openList(cmd *cobra.Command, name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func contentTypeOf(name string) string {
	name = strings.ToLower(name)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	if strings.HasSuffix(name, ".csv") {
		return "text/csv"
	}
	return "text/plain"
}

func (c *audienceCheck) show(cmd *cobra.Command, r audience.Report, files []splitFile) error {
	out := cmd.OutOrStdout()
	if c.client.output == "json" {
		answer := struct {
			audience.Report
			Files []splitFile `json:"files,omitempty"`
		}{r, files}
		return printValue(out, answer)
	}
	if err := printAudience(out, r); err != nil || files == nil {
		return err
	}
	fmt.Fprintln(out)
	t := newTable("FILE", ">ADDRESSES")
	for _, f := range files {
		t.row(f.Path, thousands(f.Addresses))
	}
	return t.print(out)
}

func printAudience(out io.Writer, a audience.Report) error {
	share := func(n int64) string {
		if a.Total == 0 {
			return "-"
		}
		s := float64(n) / float64(a.Total)
		return percent(&s)
	}
	t := newTable("ADDRESSES", ">COUNT", ">SHARE")
	for _, r := range []struct {
		name string
		n    int64
	}{
		{"engaged", a.Engaged}, {"new", a.New}, {"unengaged", a.Unengaged}, {"unknown", a.Unknown}, {"invalid", a.Invalid},
		{"duplicates", a.Duplicates}, {"total", a.Total}, {"of them suppressed", a.Suppressed.Any}, {"  unsubscribed", a.Suppressed.Unsubscribed},
		{"  complained", a.Suppressed.Complained}, {"  hard bounced", a.Suppressed.HardBounced},
	} {
		t.row(r.name, thousands(r.n), share(r.n))
	}
	return t.print(out)
}
