package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// runDecode runs the command by itself and returns its exit status.
func runDecode(ctx context.Context, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	var out, messages bytes.Buffer
	c := newDecodeCommand()
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	c.SetIn(stdin)
	c.SetOut(&out)
	c.SetErr(&messages)
	err := c.ExecuteContext(ctx)
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.code
		err = exit.err
	} else if err != nil {
		code = exitFailed
	}
	if err != nil {
		messages.WriteString(err.Error() + "\n")
	}
	return code, out.String(), messages.String()
}

// decodeFiles writes files by name into a directory of the test, and returns that.
func decodeFiles(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func decodePacked(t *testing.T, text string) (gz, zst string) {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return b.String(), string(e.EncodeAll([]byte(text), nil))
}

const (
	decodeIn  = `{"type":"delivery","time":1772439304,"recipient":"Ann@Example.org"}`
	decodeOut = `{"type":"delivery","time":"2026-03-02T08:15:04Z","recipient":"ann@example.org"}` + "\n"
)

func TestDecode(t *testing.T) {
	gz, zst := decodePacked(t, decodeIn+"\n"+decodeIn+"\n")
	dir := decodeFiles(t, map[string]string{
		"good.json": decodeIn, "good.gz": gz, "good.zst": zst, "empty": "", "cut.gz": gz[:len(gz)-9], "cut.zst": zst[:len(zst)-3],
		"ping.json": `{"msys":{}}`, "mixed.ndjson": decodeIn + "\n\n[" + decodeIn + `,{"type":"delivery"},` + decodeIn + "]\nnonsense\n" + decodeIn,
		"acct.csv": "type,timeLogged\nd,1772439304\nz,1\n", "report.eml": "Date: Mon, 2 Mar 2026 08:15:04 +0000\nContent-Type: message/feedback-report\n\nFeedback-Type: opt-out\n",
	})
	in := func(names ...string) []string {
		for i, name := range names {
			if name != "-" && !strings.HasPrefix(name, "--") {
				names[i] = filepath.Join(dir, name)
			}
		}
		return names
	}
	const noTime = ": no_time: time: absent, every event needs a time\n"
	for _, c := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string // what stderr has, DIR standing for the directory
	}{
		{"one", in("good.json"), 0, decodeOut, ""},
		{"several, packed", in("good.gz", "empty", "good.json", "good.zst"), 0, strings.Repeat(decodeOut, 5), ""},
		{"standard input", in("good.json", "-"), 0, decodeOut + decodeOut, ""},
		{"no mail event", in("ping.json"), 0, "", ""},
		{"good events of a bad payload", in("mixed.ndjson"), 1, strings.Repeat(decodeOut, 4), "DIR/mixed.ndjson:3" + noTime + "DIR/mixed.ndjson:4: not_json: value: neither JSON nor a mail"},
		{"the format asked for", in("--format=native", "good.json"), 0, decodeOut, ""},
		{"another format", in("--format=ses", "good.json"), 1, "", "DIR/good.json:1: unknown_shape: value: has the format native, expected ses"},
		{"a log file", in("acct.csv"), 1, `{"type":"delivery","time":"2026-03-02T08:15:04Z"}` + "\n", "DIR/acct.csv:3: unknown_type: type: "},
		{"a mail", in("report.eml"), 0, `{"type":"unsubscribe","time":"2026-03-02T08:15:04Z"}` + "\n", ""},
		{"cut off gzip", in("cut.gz", "good.json"), 1, strings.Repeat(decodeOut, 3), "DIR/cut.gz: broken gzip data: it ends too early, the file was cut off\n"},
		{"cut off zstd", in("cut.zst", "good.json"), 1, decodeOut, "DIR/cut.zst: broken zstd data: it ends too early, the file was cut off\n"},
		{"no such file", in("absent", "good.json"), 1, decodeOut, "DIR/absent: no such file or directory\n"},
		{"a directory", in("."), 1, "", ": is a directory\n"},
		{"wrong format", in("--format=mailchimp", "good.json"), 2, "", `--format: format "mailchimp" is not known, expected one of auto, native, ses,`},
		{"wrong format before an unreadable file", in("--format=", "absent"), 2, "", `--format: format "" is not known`},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := runDecode(t.Context(), strings.NewReader(decodeIn+"\n"), c.args...)
			stderr = strings.ReplaceAll(stderr, dir, "DIR")
			if code != c.code {
				t.Errorf("exit status %d, want %d", code, c.code)
			}
			if diff := cmp.Diff(c.stdout, stdout); diff != "" {
				t.Errorf("standard output (-want +got):\n%s", diff)
			}
			if !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
				t.Errorf("standard error\n got %s\nwant %s", stderr, c.stderr)
			}
		})
	}
}

func TestDecodeWithoutFiles(t *testing.T) {
	if code, _, stderr := runDecode(t.Context(), strings.NewReader("")); code == 0 || stderr == "" {
		t.Errorf("exit status %d, message %q", code, stderr)
	}
}

// TestDecodeShowsWhatHasCome checks that an event is printed while more input is waited for, and that the wait ends when
// the command is interrupted.
func TestDecodeShowsWhatHasCome(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	stdin, feed := io.Pipe()
	defer feed.Close()
	shown, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		c := newDecodeCommand()
		c.SilenceErrors, c.SilenceUsage = true, true
		c.SetArgs([]string{"-"})
		c.SetIn(stdin)
		c.SetOut(out)
		done <- c.ExecuteContext(ctx)
	}()
	if _, err := io.WriteString(feed, decodeIn+"\n"); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len(decodeOut))
	if _, err := io.ReadFull(shown, line); err != nil || string(line) != decodeOut {
		t.Fatalf("%q, error %v", line, err)
	}
	cause := errors.New("enough")
	interrupt(cause)
	if err := <-done; !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}

// TestDecodeTellsFailedWrites checks that output which cannot be written is a failure, and is told.
func TestDecodeTellsFailedWrites(t *testing.T) {
	dir := decodeFiles(t, map[string]string{"events": decodeIn})
	c := newDecodeCommand()
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs([]string{filepath.Join(dir, "events")})
	var messages bytes.Buffer
	c.SetOut(fullDisk{})
	c.SetErr(&messages)
	if err := c.ExecuteContext(t.Context()); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
	if messages.Len() > 0 {
		t.Errorf("a full disk is blamed on the input: %s", messages.String())
	}
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
