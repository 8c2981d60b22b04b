// Command monitor is sendwatch: it counts mail events from Kafka, keeps exact rolling rates in Redis, raises alerts on a
// Kafka topic and answers questions about all of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command and returns its exit status: 0 done, 1 failed, 2 wrong usage or configuration, 3 a limit is
// breached.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root, started := newRootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitFailed
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.code
		err = exit.err
	} else if !*started {
		code = exitUsage
	}
	if err != nil {
		fmt.Fprintln(stderr, "monitor: "+err.Error())
	}
	if code == exitUsage && !*started {
		fmt.Fprintln(stderr, "Run 'monitor --help', or 'monitor COMMAND --help', for usage.")
	}
	return code
}
