package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// plainEvery is how often the progress of a long reading is told in a line.
const plainEvery = 10 * time.Second

// progress shows how far a long reading is: a bar on a terminal, elsewhere a line every ten seconds. Its readers and add may be
// used by several goroutines.
type progress struct {
	what  string
	size  int64 // bytes, 0 = not known
	out   io.Writer
	now   func() time.Time
	begun time.Time

	container *mpb.Progress // nil without a terminal
	bar       *mpb.Bar

	mu       sync.Mutex
	next     time.Time // of the next plain line
	read     int64     // bytes, without a terminal
	itemName string
	items    atomic.Int64
}

// newProgress begins to show the progress of size bytes, 0 = not known.
func newProgress(cmd *cobra.Command, what string, size int64) *progress {
	p := &progress{what: what, size: size, out: cmd.ErrOrStderr(), now: time.Now, begun: time.Now()}
	p.next = p.begun.Add(plainEvery)
	f, ok := p.out.(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return p
	}
	p.container = mpb.New(mpb.WithOutput(f))
	speed, pace := decor.AverageSpeed(decor.SizeB1024(0), "% .1f"), decor.Any(func(decor.Statistics) string { return p.pace() })
	read := mpb.PrependDecorators(decor.Name(what+" "), decor.CountersKibiByte("% .1f / % .1f"))
	left := mpb.AppendDecorators(speed, pace, decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO), decor.Name(" left"))
	if size == 0 {
		read = mpb.PrependDecorators(decor.Name(what+" "), decor.CurrentKibiByte("% .1f"))
		left = mpb.AppendDecorators(speed, pace)
	}
	p.bar = p.container.AddBar(size, read, left)
	return p
}

// reader counts what is read as progress.
func (p *progress) reader(r io.Reader) io.Reader { return counted{r, p.add} }

// lines counts the lines of what is read, which may be unpacked, as items of this name, to tell how many there are a second.
func (p *progress) lines(r io.Reader, name string) io.Reader {
	p.itemName = name
	return lineCounter{r, &p.items}
}

// add tells of n bytes that were read elsewhere.
func (p *progress) add(n int) {
	if p.bar != nil {
		p.bar.IncrBy(n)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read += int64(n)
	if now := p.now(); !now.Before(p.next) {
		p.next = now.Add(plainEvery)
		fmt.Fprintln(p.out, p.line(now))
	}
}

// line is how far it is, for a log.
func (p *progress) line(now time.Time) string {
	const mib = 1 << 20
	text := fmt.Sprintf("%s: %.1f MiB", p.what, float64(p.read)/mib)
	if p.size > 0 {
		text = fmt.Sprintf("%s: %d%%, %.1f of %.1f MiB", p.what, p.read*100/p.size, float64(p.read)/mib, float64(p.size)/mib)
	}
	if took := now.Sub(p.begun).Seconds(); took > 0 {
		text += fmt.Sprintf(", %.1f MiB/s", float64(p.read)/mib/took)
	}
	text += p.pace()
	if p.size > 0 && p.read > 0 {
		left := time.Duration(float64(now.Sub(p.begun)) * (float64(p.size)/float64(p.read) - 1))
		text += fmt.Sprintf(", %s left", max(0, left).Round(time.Second))
	}
	return text
}

// pace is how many items were read, and how many a second; empty when they are not counted.
func (p *progress) pace() string {
	n, took := p.items.Load(), p.now().Sub(p.begun).Seconds()
	if n == 0 || took <= 0 {
		return ""
	}
	return fmt.Sprintf(", %s %s, %s/s", thousands(n), p.itemName, thousands(int64(float64(n)/took)))
}

// done ends the bar; of what took long, it leaves a line that tells how fast it was.
func (p *progress) done() {
	took := p.now().Sub(p.begun)
	if p.bar != nil {
		p.bar.SetTotal(-1, true)
		p.container.Wait()
	} else if pace := p.pace(); took >= plainEvery && pace != "" {
		fmt.Fprintf(p.out, "%s: done in %s%s\n", p.what, took.Round(100*time.Millisecond), pace)
	}
}

type counted struct {
	io.Reader
	add func(int)
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.add(n)
	return n, err
}

type lineCounter struct {
	io.Reader
	n *atomic.Int64
}

func (c lineCounter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(bytes.Count(b[:n], []byte{'\n'})))
	return n, err
}
