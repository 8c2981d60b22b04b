package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sendwatch/internal/app"
	"sendwatch/internal/audit"
	"sendwatch/internal/audit/page"
	"sendwatch/internal/config"
	"sendwatch/internal/event"
	"sendwatch/internal/event/eventstream"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/windows"
)

// auditFlags are what audit can be told.
type auditFlags struct {
	config   string
	format   string
	policies []string
	subjects []string
	windows  []string
	output   string
	top      int
	html     string
}

func newAuditCommand() *cobra.Command {
	var flags auditFlags
	c := &cobra.Command{
		Use:   "audit FILE...",
		Short: "Judge files of events: rates, verdicts and the alerts that there would have been",
		Long: `Judge recorded events by the rules that the service goes by: the same counting, windows, limits and alerts, but without Kafka
and Redis. A file is in any form that decode knows, packed (.gz, .zst) or not; a directory stands for all files in it, "-" for
standard input. Several files are merged by the times of their events.

The clock is the data's own: rates are judged at the end of every second that has events, and whenever a bucket ends. An event
that is older than one before it counts in its own time and is judged with the second that the clock is in; sorted files
therefore tell alerts best.

The verdict comes first, then the tables; -o json prints everything. --html writes the same to a page that needs nothing else. The exit status is 3 when a limit is broken at the end of
the data or an alert was raised, 1 when a file cannot be read.`,
		Example: `  monitor audit events.ndjson.gz
  monitor audit --policy strict --window 24h,7d logs/
  monitor audit --html report.html yesterday.ndjson
  kcat -C -b kafka:9092 -t mail.events -e -q | monitor audit -o json -`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error { return runAudit(cmd, &flags, names) },
	}
	f := c.Flags()
	f.StringVar(&flags.config, "config", "", "take subjects, windows, policies and all else from this configuration `file`")
	f.StringVar(&flags.format, "format", provider.Auto, "take only this `format`, one that decode has or of the configuration's own")
	f.StringArrayVar(&flags.policies, "policy", nil, "judge by this built-in policy, or by those of this `file`; repeat for several")
	f.StringArrayVar(&flags.subjects, "subjects", nil, "count these `dimensions` (tenant,ip), all for everything together; repeat, or put ; between")
	f.StringSliceVar(&flags.windows, "window", nil, "only these windows, by name")
	f.StringVarP(&flags.output, "output", "o", "table", "table or json")
	f.IntVar(&flags.top, "top", 20, "rows of each table")
	f.StringVar(&flags.html, "html", "", "also write the report as one page with charts to this `file`, to hand on")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp)) // fails for unknown flags only
	return c
}

func runAudit(cmd *cobra.Command, flags *auditFlags, names []string) error {
	if flags.output != "table" && flags.output != "json" {
		return usagef("--output is %q, expected table or json", flags.output)
	}
	c, err := flags.load(cmd)
	if err != nil {
		return err
	}
	options := app.AuditOptions(c)
	var file *pageFile
	if flags.html != "" {
		if file, err = newPageFile(flags.html); err != nil {
			return err
		}
		defer file.drop()
		options.Courses = page.Courses
	}
	r := auditRun{cmd: cmd, audit: audit.New(options)}
	sources, size, err := r.sources(names)
	if err != nil {
		return err
	}
	r.bar = newProgress(cmd, "auditing", size)
	take, wait := r.audit.Pipeline()
	err = eventstream.Read(cmd.Context(), sources, eventstream.Options{
		Now: time.Now, MaxAhead: c.Events.MaxAhead, Format: flags.format, Own: c.Formats, Rejected: r.rejected, Failed: r.failed,
		Warn: func(text string) { r.message("%s", text) },
	}, take)
	wait()
	r.bar.done()
	if err != nil {
		return err
	}
	report := r.audit.Finish()
	r.tell()
	if file != nil {
		if err := file.write(func(w io.Writer) error { return page.Write(w, report, flags.top) }); err != nil {
			return fmt.Errorf("--html: %w", err)
		}
	}
	if flags.output == "json" {
		err = report.WriteJSON(cmd.OutOrStdout())
	} else {
		err = printAudit(cmd.OutOrStdout(), report, flags.top)
	}
	switch {
	case err != nil:
		return fmt.Errorf("writing the report: %w", err)
	case r.broken:
		return &exitError{code: exitFailed}
	case report.Breached():
		return &exitError{code: exitBreach}
	}
	return nil
}

// load returns the configuration, or the defaults, changed by the flags.
func (f *auditFlags) load(cmd *cobra.Command) (*config.Config, error) {
	c, err := loadConfig(cmd, f.config)
	if err != nil {
		return nil, err
	}
	if known := provider.NamesWith(c.Formats); !slices.Contains(known, f.format) {
		return nil, usagef("--format %q: expected one of %s; log files are told from others by themselves", f.format, strings.Join(known, ", "))
	}
	if len(f.policies) > 0 {
		if c.Policies, err = namedPolicies(cmd, f.policies); err != nil {
			return nil, err
		}
	}
	if len(f.subjects) > 0 {
		if c.Subjects, err = parseSubjects(f.subjects); err != nil {
			return nil, err
		}
	}
	if len(f.windows) > 0 {
		if c.Windows, err = chosenWindows(c.Windows, f.windows); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// parseSubjects reads combinations: "all", "tenant", "tenant,ip", several with a semicolon between.
func parseSubjects(texts []string) ([]windows.Combination, error) {
	var found []windows.Combination
	for _, text := range texts {
		for one := range strings.SplitSeq(text, ";") {
			c := windows.Combination{}
			if one = strings.TrimSpace(one); one != windows.All && one != "" {
				for name := range strings.SplitSeq(one, ",") {
					d, ok := windows.ParseDimension(strings.TrimSpace(name))
					if !ok || slices.Contains(c, d) {
						return nil, usagef("--subjects %q: expected all, or some of tenant, ip, pool, domain, campaign, stream, provider, each once", one)
					}
					c = append(c, d)
				}
			}
			if !slices.ContainsFunc(found, func(o windows.Combination) bool { return slices.Equal(o, c) }) {
				found = append(found, c)
			}
		}
	}
	return found, nil
}

// chosenWindows are those of the configuration that were asked for.
func chosenWindows(all []windows.Window, names []string) ([]windows.Window, error) {
	var found []windows.Window
	for _, w := range all {
		if slices.Contains(names, w.Name) {
			found = append(found, w)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(w windows.Window) bool { return w.Name == name }) {
			known := make([]string, len(all))
			for i, w := range all {
				known[i] = w.Name
			}
			return nil, usagef("--window %q: expected one of %s", name, strings.Join(known, ", "))
		}
	}
	return found, nil
}

// auditRun is one run of audit.
type auditRun struct {
	cmd      *cobra.Command
	audit    *audit.Audit
	bar      *progress
	broken   bool // a file could not be read
	mistakes int
	messages []string
}

// sources finds the files, and how large they are together. A name that is nothing is told when it is read, like a file that
// cannot be opened.
func (r *auditRun) sources(names []string) (sources []eventstream.Source, size int64, err error) {
	var files []string
	for _, name := range names {
		if name == "-" {
			if slices.Contains(files, name) {
				return nil, 0, usagef("standard input (-) was given twice")
			}
			files = append(files, name)
			continue
		}
		if info, err := os.Stat(name); err != nil || !info.IsDir() {
			files = append(files, name)
			continue
		}
		found, err := filesBelow(name)
		if err != nil {
			return nil, 0, err
		}
		if len(found) == 0 {
			r.message("%s: no files in it", name)
		}
		files = append(files, found...)
	}
	known := true
	for _, name := range files {
		info, err := os.Stat(name)
		regular := name != "-" && err == nil && info.Mode().IsRegular()
		switch {
		case regular:
			size += info.Size()
		case name == "-" || err == nil:
			known = false
		}
		sources = append(sources, r.source(name, regular && len(files) > 1, name == "-" || err == nil && !regular))
	}
	if !known {
		size = 0
	}
	return sources, size, nil
}

// filesBelow lists the files in a directory and those below it, in order, without hidden ones.
func filesBelow(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != dir && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return filepath.SkipDir
			}
		case !d.IsDir():
			files = append(files, path)
		}
		return nil
	})
	return files, err
}

// source opens a file so that the progress bar sees what is read of it, but for a first look at where it begins. What a first look
// would take away, such as a pipe's content, is opened once.
func (r *auditRun) source(name string, firstLook, once bool) eventstream.Source {
	if name == "-" {
		return eventstream.Source{Name: name, Once: true, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(r.bar.reader(interruptible{r.cmd.Context(), r.cmd.InOrStdin()})), nil
		}}
	}
	return eventstream.Source{Name: name, Once: once, Open: func() (io.ReadCloser, error) {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		if info, err := file.Stat(); err == nil && info.IsDir() {
			file.Close()
			return nil, errors.New("is a directory")
		}
		if firstLook {
			firstLook = false
			return file, nil
		}
		return struct {
			io.Reader
			io.Closer
		}{r.bar.reader(file), file}, nil
	}}
}

// maxMistakes is how many rejected records are named one by one.
const maxMistakes = 5

func (r *auditRun) rejected(source string, line int, why *event.Rejection) {
	if r.mistakes++; r.mistakes <= maxMistakes {
		r.message("%s:%d: %v", source, line, why)
	}
}

func (r *auditRun) failed(source string, err error) {
	r.broken = true
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // names the file, which stands before it already
	}
	r.message("%s: %v", source, err)
}

// message keeps a message until the progress bar is gone.
func (r *auditRun) message(format string, args ...any) {
	r.messages = append(r.messages, fmt.Sprintf(format, args...))
}

func (r *auditRun) tell() {
	for _, m := range r.messages {
		fmt.Fprintln(r.cmd.ErrOrStderr(), m)
	}
	if more := r.mistakes - maxMistakes; more > 0 {
		fmt.Fprintf(r.cmd.ErrOrStderr(), "%s more records were rejected; the totals say why\n", thousands(int64(more)))
	}
}
