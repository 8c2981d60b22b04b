package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sendwatch/internal/event"
	"sendwatch/internal/event/eventfile"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/mapping"
)

func newDecodeCommand() *cobra.Command {
	var format, path string
	c := &cobra.Command{
		Use:   "decode [--format auto] FILE...",
		Short: "Print the mail events of files in their normal form",
		Long: `Print what files of events become: one JSON object a line, as every part of sendwatch would see it. A file holds payloads
of any provider (one JSON value, or one a line), one mail (ARF, JMRP, DSN), or is a log file of PowerMTA or Momentum; it may be
packed (.gz, .zst). "-" is standard input. With --config the formats that the configuration describes are known too.

What is no mail event prints nothing. A mistake is one line on standard error, FILE:LINE: what was found; the good events of the
same payload are printed all the same, and the exit status is 1 at the end.`,
		Example: `  monitor decode webhook.json
  zcat acct-*.csv.gz | monitor decode -
  monitor decode --format dsn bounces/*.eml
  monitor decode --format acme --config monitor.yaml payload.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error { return decode(cmd, format, path, files) },
	}
	formats := eventfile.Formats()
	c.Flags().StringVar(&format, "format", provider.Auto, "take only this `format`: "+strings.Join(formats, " ")+", or one of the configuration's own")
	c.Flags().StringVar(&path, "config", "", "know the formats of this configuration `file` too")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)) // fails for unknown flags only
	return c
}

func decode(cmd *cobra.Command, format, path string, files []string) error {
	const maxAhead = 10 * time.Minute // the default of events.max_ahead
	var own []*mapping.Format
	if path != "" { // without one the environment changes nothing, as it never did here
		c, err := loadConfig(cmd, path)
		if err != nil {
			return err
		}
		own = c.Formats
	}
	decoder, err := eventfile.NewDecoder(format, maxAhead, own...)
	if err != nil {
		return usagef("--format: %w", err)
	}
	p := printer{out: bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16), messages: cmd.ErrOrStderr()}
	for _, name := range files {
		if err := p.file(cmd.Context(), decoder, name, cmd.InOrStdin()); err != nil {
			return err
		}
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("writing events: %w", err)
	}
	if p.failed {
		return &exitError{code: exitFailed}
	}
	return nil
}

// printer prints the events of files, and their mistakes.
type printer struct {
	out      *bufio.Writer
	messages io.Writer
	failed   bool // there was a mistake, and it has been told
	line     []byte
}

// file prints one file. The error ends the command: what is wrong with a file does not.
func (p *printer) file(ctx context.Context, decoder *eventfile.Decoder, name string, stdin io.Reader) error {
	input := io.Reader(interruptible{ctx, stdin})
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			p.mistake(name, 0, err)
			return nil
		}
		defer file.Close() // was only read
		input = file
	}
	// Flushing before a read, which may have to wait, shows all events of what has come so far.
	events, err := decoder.Open(flushing{input, p.out})
	if err != nil {
		return p.unreadable(ctx, name, err)
	}
	defer events.Close()
	for ctx.Err() == nil {
		result, err := events.Next(time.Now())
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return p.unreadable(ctx, name, err)
		}
		if result.Rejected != nil {
			p.mistake(name, events.Line(), result.Rejected)
		}
		if err := p.events(result.Events); err != nil {
			return fmt.Errorf("writing events: %w", err)
		}
	}
	return context.Cause(ctx)
}

func (p *printer) events(events []event.Event) error {
	for i := range events {
		p.line = append(event.AppendJSON(p.line[:0], &events[i]), '\n')
		if _, err := p.out.Write(p.line); err != nil {
			return err
		}
	}
	return nil
}

// unreadable tells what is wrong with a file, unless it is something else that stopped the reading: an interruption, or
// output that cannot be written.
func (p *printer) unreadable(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("writing events: %w", err)
	}
	p.mistake(name, 0, err)
	return nil
}

// mistake says what is wrong at a line, or with a whole file when line is 0.
func (p *printer) mistake(name string, line int, err error) {
	p.failed = true
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err // names the file, which stands before it already
	}
	if line == 0 {
		fmt.Fprintf(p.messages, "%s: %v\n", name, err)
		return
	}
	fmt.Fprintf(p.messages, "%s:%d: %v\n", name, line, err)
}

// flushing writes out what was printed before it reads on.
type flushing struct {
	io.Reader
	out *bufio.Writer
}

func (f flushing) Read(p []byte) (int, error) {
	if err := f.out.Flush(); err != nil {
		return 0, err
	}
	return f.Reader.Read(p)
}

// interruptible gives up waiting for input when its context ends. The read that it leaves behind goes on: nothing can stop
// it, and only the end of the process is left to do.
type interruptible struct {
	ctx context.Context
	io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	type outcome struct {
		data []byte
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		buf := make([]byte, len(p)) // p may be in use again by the time this comes back
		n, err := r.Reader.Read(buf)
		done <- outcome{buf[:n], err}
	}()
	select {
	case o := <-done:
		return copy(p, o.data), o.err
	case <-r.ctx.Done():
		return 0, context.Cause(r.ctx)
	}
}
