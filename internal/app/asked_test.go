package app

import (
	"testing"
	"time"

	"sendwatch/internal/config"
	"sendwatch/internal/windows"
)

// held is what an evaluator holds.
type held struct {
	keep   windows.Retention
	series map[string]*windows.Series
}

func (h held) Reset()                                                  {}
func (h held) Load(string, *windows.Series)                            {}
func (h held) Add(string, windows.Step, int64, windows.Counter, int64) {}
func (h held) Series(subject string) *windows.Series                   { return h.series[subject] }
func (h held) Retention() windows.Retention                            { return h.keep }

// While there is a backlog, and only then, a subject that was asked for is answered from a copy: for the moment of the copy, as
// long as that is new enough, and whatever is counted meanwhile.
func TestAskedIsCopied(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	old := windows.AsOf{Time: now.Add(-5 * time.Hour), Lag: 5 * time.Hour}
	h := held{windows.DefaultRetention(90), map[string]*windows.Series{}}
	for _, subject := range []string{"all", "tenant=a"} {
		h.series[subject] = windows.NewSeries(h.keep)
		h.series[subject].Add(windows.Day, 1, windows.Delivered, 10)
	}
	a := newAsked(config.Default())
	a.note("all", now)
	a.note("tenant=unknown", now)

	a.copy(h, windows.AsOf{Time: now}, now)
	if _, ok := a.last.Load().moment(now); ok {
		t.Error("answered from a copy without a backlog")
	}
	a.copy(h, old, now)
	h.series["all"].Add(windows.Day, 1, windows.Delivered, 1)
	later := now.Add(time.Second)
	c := a.last.Load()
	at, ok := c.moment(later)
	if !ok || !at.Time.Equal(old.Time) || at.Lag != 5*time.Hour+time.Second {
		t.Errorf("moment %v, %v", at, ok)
	}
	if s := c.of("all", at.Time); s == nil || s.Bucket(windows.Day, 1)[windows.Delivered] != 10 {
		t.Errorf("copied %v", s)
	}
	if c.of("tenant=a", at.Time) != nil || c.of("tenant=unknown", at.Time) != nil {
		t.Error("a copy of what nobody asked for, or nobody has")
	}
	if c.of("all", at.Time.Add(time.Minute)) != nil {
		t.Error("a copy answers for another time")
	}
	if _, ok := c.moment(now.Add(copiesGoodBy + 1)); ok {
		t.Error("answered from an old copy")
	}
	if (*copies)(nil).of("all", now) != nil {
		t.Error("copies before there are any")
	}

	a.copy(h, old, now.Add(askedFor+time.Second))
	if len(a.last.Load().series) != 0 {
		t.Error("still copied, a minute after it was asked for")
	}
}

// An evaluator whose limits look at fewer days than answers do has nothing to copy.
func TestNothingIsCopiedOfTooLittle(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	h := held{windows.DefaultRetention(90), map[string]*windows.Series{"all": windows.NewSeries(windows.DefaultRetention(90))}}
	h.keep[windows.Day] = 24 * time.Hour
	a := newAsked(config.Default())
	a.note("all", now)
	a.copy(h, windows.AsOf{Time: now.Add(-time.Hour), Lag: time.Hour}, now)
	if a.last.Load() != nil {
		t.Error("copied")
	}
}
