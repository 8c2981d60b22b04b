package app

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sendwatch/internal/alerts/holder"
	"sendwatch/internal/config"
	"sendwatch/internal/windows"
)

// asked keeps copies of what the evaluator of this process holds of the subjects that somebody asks for again and again, while
// there is a backlog: the scripts that bring large batches into Redis take a tenth of a second and more, and whoever reads Redis
// waits for the one that runs. An answer from a copy is that of its own moment, as every answer says with its as_of.
//
// It is safe for concurrent use.
type asked struct {
	need windows.Retention // what an answer looks at
	last atomic.Pointer[copies]

	mu   sync.Mutex
	when map[string]time.Time // subjects, and when each was last asked for
}

// copies are the counts of some subjects at one moment. They are never changed. nil has none.
type copies struct {
	at     windows.AsOf
	taken  time.Time
	series map[string]*windows.Series
}

const (
	askedAtMost  = 64
	askedFor     = time.Minute     // a subject that nobody asked for since is not copied any more
	copiesGoodBy = 5 * time.Second // older ones are not answered from
)

func newAsked(c *config.Config) *asked {
	kept := windows.DefaultRetention(c.Retention.Days)
	return &asked{need: windows.NewPlan(c.Windows, kept).Retention(kept), when: map[string]time.Time{}}
}

// note remembers that somebody asked for a subject.
func (a *asked) note(subject string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, known := a.when[subject]; known || len(a.when) < askedAtMost {
		a.when[subject] = now
	}
}

// lately are the subjects that were asked for within askedFor.
func (a *asked) lately(now time.Time) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.when, func(_ string, last time.Time) bool { return now.Sub(last) > askedFor })
	return slices.Collect(maps.Keys(a.when))
}

// copy takes copies of what from holds now; at was the moment before. While there is no backlog it takes none, because Redis
// answers at once then.
func (a *asked) copy(from holder.Sink, at windows.AsOf, now time.Time) {
	for step, length := range from.Retention() {
		if length < a.need[step] {
			return // policies look at less than answers do
		}
	}
	next := &copies{at: at, taken: now, series: map[string]*windows.Series{}}
	if at.Lag > 0 {
		for _, subject := range a.lately(now) {
			if s := from.Series(subject); s != nil {
				next.series[subject] = s.Clone()
			}
		}
	}
	a.last.Store(next)
}

// moment is the one of the copies, when there was a backlog and they are new enough to be answered from.
func (c *copies) moment(now time.Time) (windows.AsOf, bool) {
	if c == nil || c.at.Lag == 0 || len(c.series) == 0 || now.Sub(c.taken) > copiesGoodBy {
		return windows.AsOf{}, false
	}
	at := c.at
	at.Lag = now.Sub(at.Time)
	return at, true
}

// of is the copy of a subject's counts for an answer at this time, nil when there is none.
func (c *copies) of(subject string, at time.Time) *windows.Series {
	if c == nil || !c.at.Time.Equal(at) {
		return nil
	}
	return c.series[subject]
}
