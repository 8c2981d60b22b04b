package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far a long reading is: a bar on a terminal, elsewhere a line now and then. Both are messages: they go to standard
// error.
type progress struct {
	container *mpb.Progress
	bar       *mpb.Bar
	lines     *progressLines
}

// newProgress begins to show the progress of size bytes, 0 = not known.
func newProgress(cmd *cobra.Command, what string, size int64) *progress {
	f, ok := cmd.ErrOrStderr().(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return &progress{lines: newProgressLines(cmd.ErrOrStderr(), what, size, time.Now)}
	}
	p := mpb.New(mpb.WithOutput(f))
	read := mpb.PrependDecorators(decor.Name(what+" "), decor.CountersKibiByte("% .1f / % .1f"))
	left := mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1024(0), "% .1f"), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left"))
	if size == 0 {
		read = mpb.PrependDecorators(decor.Name(what+" "), decor.CurrentKibiByte("% .1f"))
		left = mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1024(0), "% .1f"))
	}
	return &progress{container: p, bar: p.AddBar(size, read, left)}
}

func (p *progress) reader(r io.Reader) io.Reader {
	if p.bar == nil {
		return countedReader{r, p.lines}
	}
	proxied, err := p.bar.ProxyReader(r)
	if err != nil {
		return r // the bar has ended already
	}
	return proxied
}

func (p *progress) done() {
	if p.bar == nil {
		return
	}
	p.bar.SetTotal(-1, true)
	p.container.Wait()
}

// add tells of n bytes that were read elsewhere.
func (p *progress) add(n int) {
	if p.bar == nil {
		p.lines.add(n)
		return
	}
	p.bar.IncrBy(n)
}

// betweenLines is how often a line is written. What ends sooner writes none.
const betweenLines = 10 * time.Second

// progressLines is progress as lines. It is safe for concurrent use.
type progressLines struct {
	mu          sync.Mutex
	w           io.Writer
	what        string
	size, read  int64
	now         func() time.Time
	begun, last time.Time
}

func newProgressLines(w io.Writer, what string, size int64, now func() time.Time) *progressLines {
	t := now()
	return &progressLines{w: w, what: what, size: size, now: now, begun: t, last: t}
}

func (p *progressLines) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read += int64(n)
	now := p.now()
	if now.Sub(p.last) < betweenLines {
		return
	}
	p.last = now
	rate := float64(p.read) / now.Sub(p.begun).Seconds()
	of, left := "", ""
	if p.size > 0 {
		of = fmt.Sprintf(" of %.1f", decor.SizeB1024(p.size))
		if rest := p.size - p.read; rest > 0 && rate > 0 {
			left = fmt.Sprintf(", %s left", (time.Duration(float64(rest) / rate * float64(time.Second))).Round(time.Second))
		}
	}
	fmt.Fprintf(p.w, "%s: %.1f%s, %.1f/s%s\n", p.what, decor.SizeB1024(p.read), of, decor.SizeB1024(int64(rate)), left) // what cannot be told is not missed
}

type countedReader struct {
	io.Reader
	lines *progressLines
}

func (r countedReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.lines.add(n)
	return n, err
}
