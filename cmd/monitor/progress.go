package main

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far a long reading is, on a terminal; elsewhere it shows nothing.
type progress struct {
	container *mpb.Progress
	bar       *mpb.Bar
}

// newProgress begins to show the progress of size bytes, 0 = not known.
func newProgress(cmd *cobra.Command, what string, size int64) *progress {
	f, ok := cmd.ErrOrStderr().(*os.File)
	if !ok || !isatty.IsTerminal(f.Fd()) {
		return &progress{}
	}
	p := mpb.New(mpb.WithOutput(f))
	bar := p.AddBar(size, mpb.PrependDecorators(decor.Name(what+" "), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1024(0), "% .1f"), decor.Name(" "), decor.AverageETA(decor.ET_STYLE_GO)))
	return &progress{p, bar}
}

func (p *progress) reader(r io.Reader) io.Reader {
	if p.bar == nil {
		return r
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

// add tells the bar of n bytes that were read elsewhere.
func (p *progress) add(n int) {
	if p.bar != nil {
		p.bar.IncrBy(n)
	}
}
