package audit

import (
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/windows/memstore"
)

// Pipeline is Take on two processors: telling repeats and keeping recipients in the goroutine of the caller, counting and
// judging in another one. The events come in the same order as ever, and the answer is the same. Until wait has returned
// nothing else may be called; after it, take may not.
func (a *Audit) Pipeline() (take func(*event.Result), wait func()) {
	const together, ahead = 64, 32 // events that are sifted together; batches of them on their way
	p := &pipeline{
		a: a, full: make(chan []memstore.Sifted, ahead), free: make(chan []memstore.Sifted, ahead+1), done: make(chan struct{}),
		prepared: make([]memstore.Prepared, 0, together),
	}
	for range ahead + 1 {
		p.free <- make([]memstore.Sifted, 0, together)
	}
	go p.judge()
	return p.take, p.wait
}

type pipeline struct {
	a          *Audit
	prepared   []memstore.Prepared
	full, free chan []memstore.Sifted
	done       chan struct{}
}

func (p *pipeline) judge() {
	defer close(p.done)
	for sifted := range p.full {
		for _, x := range sifted {
			p.a.count(x)
		}
		p.free <- sifted[:0]
	}
}

func (p *pipeline) take(r *event.Result) {
	for i := range r.Events {
		if x, ok := p.a.store.Prepare(&r.Events[i], time.Time{}); ok { // nothing is late in a file
			p.prepared = append(p.prepared, x)
		}
		if len(p.prepared) == cap(p.prepared) {
			p.sift()
		}
	}
	p.a.store.Note(r)
}

func (p *pipeline) sift() {
	p.a.store.Prefetch(p.prepared)
	sifted := <-p.free
	for i := range p.prepared {
		if x, counts := p.a.store.Sift(&p.prepared[i]); counts {
			sifted = append(sifted, x)
		}
	}
	p.full <- sifted
	p.prepared = p.prepared[:0]
}

func (p *pipeline) wait() {
	p.sift()
	close(p.full)
	<-p.done
}
