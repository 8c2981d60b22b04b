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

	"sendwatch/internal/event/record"
)

// audienceAnswer is what an audience check answers.
type audienceAnswer struct {
	Total      int64 `json:"total"`
	Engaged    int64 `json:"engaged"`
	New        int64 `json:"new"`
	Unengaged  int64 `json:"unengaged"`
	Unknown    int64 `json:"unknown"`
	Suppressed struct {
		Unsubscribed int64 `json:"unsubscribed"`
		Complained   int64 `json:"complained"`
		HardBounced  int64 `json:"hard_bounced"`
	} `json:"suppressed"`
	Invalid    int64 `json:"invalid"`
	Duplicates int64 `json:"duplicates"`
}

func newAudienceCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "audience", Short: "Ask about lists of recipients"}
	cmd.AddCommand(newAudienceCheckCommand())
	return cmd
}

func newAudienceCheckCommand() *cobra.Command {
	var c client
	var tenant string
	var maxUnengaged, maxSuppressed float64
	check := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a list of addresses before mailing it",
		Long: `Check a list of addresses (one a line, or CSV with a column named email; .gz and .zst too; "-" is standard input) against what is
known of a tenant's recipients. The list is streamed: it may be of any length. The exit status is 3 when the share of addresses that are
neither engaged nor new, or of suppressed ones, is above its bound.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, size, err := openList(cmd, args[0])
			if err != nil {
				return err
			}
			defer list.Close()
			bar := newProgress(cmd, "checking", size)
			body, err := postList(cmd.Context(), &c, tenant, contentTypeOf(args[0]), bar.reader(list))
			bar.done()
			if err != nil {
				return err
			}
			defer body.Close()
			return showAudience(cmd, &c, body, maxUnengaged, maxSuppressed)
		},
	}
	c.flags(check)
	c.timeout = 0
	f := check.Flags()
	f.StringVar(&tenant, "tenant", "default", "whose recipients")
	f.Float64Var(&maxUnengaged, "max-unengaged", 20, "percent of the valid addresses that may be unengaged or unknown")
	f.Float64Var(&maxSuppressed, "max-suppressed", 0, "percent of the valid addresses that may have unsubscribed or complained")
	return check
}

// postList sends a list as it is inside its packing, which the request closes when it is done with it.
func postList(ctx context.Context, c *client, tenant, contentType string, list io.Reader) (io.ReadCloser, error) {
	content, err := record.Unpack(list)
	if err != nil {
		return nil, err
	}
	return c.do(ctx, http.MethodPost, "/api/v1/audience/check", setQuery("tenant", tenant), contentType, content)
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

func showAudience(cmd *cobra.Command, c *client, body io.Reader, maxUnengaged, maxSuppressed float64) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	var a audienceAnswer
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("the answer is not what this version expects: %w", err)
	}
	if c.output == "json" {
		err = printJSON(cmd.OutOrStdout(), text)
	} else {
		err = printAudience(cmd, a)
	}
	if err != nil {
		return err
	}
	valid := float64(a.Engaged + a.New + a.Unengaged + a.Unknown)
	suppressed := float64(a.Suppressed.Unsubscribed + a.Suppressed.Complained)
	if valid > 0 && (float64(a.Unengaged+a.Unknown)/valid*100 > maxUnengaged || suppressed/valid*100 > maxSuppressed) {
		return &exitError{code: exitBreach}
	}
	return nil
}

func printAudience(cmd *cobra.Command, a audienceAnswer) error {
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
		{"duplicates", a.Duplicates}, {"total", a.Total}, {"of them unsubscribed", a.Suppressed.Unsubscribed},
		{"of them complained", a.Suppressed.Complained}, {"of them hard bounced", a.Suppressed.HardBounced},
	} {
		t.row(r.name, thousands(r.n), share(r.n))
	}
	return t.print(cmd.OutOrStdout())
}
