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
	const size, ahead = 1024, 4
	type step struct {
		second int64
		sifted memstore.Sifted
		counts bool
	}
	full, free := make(chan []step, ahead), make(chan []step, ahead+2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for steps := range full {
			for i := range steps {
				a.count(steps[i].second, steps[i].sifted, steps[i].counts)
			}
			free <- steps[:0]
		}
	}()
	for range ahead + 2 {
		free <- make([]step, 0, size)
	}
	now := <-free
	take = func(r *event.Result) {
		for i := range r.Events {
			e := &r.Events[i]
			x, counts := a.store.Sift(e, time.Time{})
			now = append(now, step{e.Time.Unix(), x, counts})
			if len(now) == size {
				full <- now
				now = <-free
			}
		}
		a.store.Note(r)
	}
	wait = func() {
		full <- now
		close(full)
		<-done
	}
	return take, wait
}
