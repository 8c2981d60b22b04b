package audit

import (
	"slices"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/windows"
)

// Point is a reading of one rate on one window: its judged share is Numerator ÷ Exposure, which is above 0.
type Point struct {
	At                  time.Time
	Numerator, Exposure int64
}

const (
	maxPoints = 512 // of a course; a longer one is thinned
	leadIn    = 24  // readings before a limit was first broken, as far as the buckets for them are kept
)

// course is how a line went from shortly before it first broke its limit to the end of the data. It has the readings of looks:
// one an hour at least, and every one that began or ended a breach or was a new peak. Of a fine line there is one a minute, too,
// until there are too many.
type course struct {
	points []Point
	apart  int64 // seconds between the looks that are taken for its sake
}

// add notes a reading.
func (c *course) add(p Point) {
	if p.Exposure <= 0 {
		return
	}
	if n := len(c.points); n > 0 && c.points[n-1] == p {
		return // a subject may be looked at twice at one moment
	}
	if len(c.points) == maxPoints {
		c.thin()
	}
	c.points = append(c.points, p)
}

// thin keeps one of two points, that with the larger share: peaks stay. The first and the last stay too.
func (c *course) thin() {
	kept := c.points[:1]
	for i := 1; i+1 < len(c.points)-1; i += 2 {
		a, b := c.points[i], c.points[i+1]
		if higher(b.Numerator, b.Exposure, a.Numerator, a.Exposure) {
			a = b
		}
		kept = append(kept, a)
	}
	c.points = append(kept, c.points[len(c.points)-1])
	c.apart *= 2
}

// due tells whether a look is needed for the course's sake at this moment.
func (c *course) due(at int64) bool {
	return len(c.points) == 0 || at-c.points[len(c.points)-1].At.Unix() >= c.apart
}

// trace notes the reading of a line that is in breach or was before. last is that of the look before this one.
func (a *Audit) trace(g *ledger, l *line, t *track, at int64, last figures) {
	if t.course == nil {
		if !t.breach || a.courses >= a.o.Courses {
			return
		}
		a.courses++
		t.course = &course{apart: windows.Minute.Seconds()}
		if l.fine && !slices.Contains(a.traced, g) {
			a.traced = append(a.traced, g)
		}
		a.leadIn(g, l, t.course, at)
		if n := len(t.course.points); n == 0 || t.course.points[n-1].At.Unix() < last.At {
			t.course.add(Point{time.Unix(last.At, 0).UTC(), last.Numerator, last.Exposure})
		}
	}
	t.course.add(Point{time.Unix(at, 0).UTC(), t.k, t.e})
}

// traceMinutes looks at the subjects of which a course wants to know how the minute ended.
func (a *Audit) traceMinutes(now time.Time) {
	for _, g := range a.traced {
		for _, i := range g.sheet.fineLines {
			if t := &g.tracks[i]; t.course != nil && t.k > 0 && t.course.due(now.Unix()) {
				a.look(g, now)
				break
			}
		}
	}
}

// leadIn notes readings of the past, by what has been counted until now. It leaves out those for which not all buckets are kept:
// they would look worse than they were.
func (a *Audit) leadIn(g *ledger, l *line, c *course, at int64) {
	spans := []windows.Window{l.window}
	if !l.judgeWindow && l.formula.Rate.Delayed() {
		for _, x := range l.window.Exposure(a.o.Retention) {
			spans = append(spans, windows.Window{Length: x.Length, Step: x.Step})
		}
	}
	step := max(l.window.Step.Seconds(), int64(l.window.Length/time.Second)/leadIn)
	sums := a.sheets.plan.NewSums()
	for n := int64(leadIn); n > 0; n-- {
		then := time.Unix(at-n*step, 0).UTC()
		whole := true
		for _, s := range spans {
			whole = whole && a.kept.Has(s.Span(then))
		}
		if !whole {
			continue
		}
		sums.Load(g.sub.Series(), then, a.kept)
		if r, err := sums.Read(l.index, l.formula, l.judgeWindow); err == nil {
			c.add(Point{then, r.Numerator, r.Exposure})
		}
	}
}

// Course is how the rate of an alert went on its window, from shortly before the limit was first broken to the end of the data,
// in order of time; a moment that ends a second of the data may have two. It is empty for an alert of a rate beyond the Options.Courses that broke a limit first.
func (r *Report) Course(of *alerts.Record) []Point {
	at, found := slices.BinarySearchFunc(r.order, of.SubjectKey, func(g *ledger, key string) int { return strings.Compare(g.sub.Key, key) })
	if !found {
		return nil
	}
	g := r.order[at]
	for i := range g.sheet.lines {
		if c := g.tracks[i].course; c != nil && g.sheet.lines[i].speaksOf(of) {
			return c.points
		}
	}
	return nil
}

func (l *line) speaksOf(a *alerts.Record) bool {
	return l.rule != nil && l.rule.Policy == a.Policy && l.rule.Limit.Name == a.LimitName && l.rule.Limit.Line().Float() == a.Limit &&
		l.formula.Rate.String() == a.Rate && l.window.Name == a.Window
}

// Judged is the point's share.
func (p Point) Judged() float64 { return float64(p.Numerator) / float64(p.Exposure) }
