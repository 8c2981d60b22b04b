package page

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/audit"
	"sendwatch/internal/audit/digest"
	"sendwatch/internal/windows"
)

// Where the drawing's middle lies, in pixels from the top, and how large its inner coordinates are: it is stretched to the page's
// width, texts are not.
const (
	plotTop    = 14.0
	plotHeight = 132.0
	inner      = 1000.0
)

// chart is a rate over time on one window, with its limit and when an alert was open.
type chart struct {
	Window, Name, Label string
	Line                string // of the path, in inner coordinates
	Area                string
	Limit               float64 // how high the limit lies, in inner coordinates
	LimitY              float64 // and in pixels
	LimitText           string
	Open                []band
	Peak                dot
	Scale               []mark // beside the drawing
	Ticks               []mark // below it

	length time.Duration // of the window, for the order
}

// band is when an alert was open, in per cent of the width.
type band struct {
	X, W  float64
	Class string
	Title string
}

// dot is the highest reading, in per cent of the width and in pixels.
type dot struct {
	X, Y   float64
	Text   string
	Anchor string
}

// mark is a text at a place: X in per cent, Y in pixels.
type mark struct {
	X, Y   float64
	Text   string
	Anchor string
}

// newChart draws the readings around the alerts of one limit on one window, of which there is one at least.
func newChart(a *alerts.Record, points []audit.Point, episodes []digest.Episode) chart {
	from, to := rangeOf(points, episodes, a.AtFire.To.Sub(a.AtFire.From))
	points = within(points, from, to)
	peak := peakOf(points, episodes, a.Rate == windows.Engaged.String())
	s := scale{from: from, length: max(to.Sub(from), time.Second), top: niceTop(max(highest(points), a.Limit*1.25, 1e-6))}
	c := chart{
		Window: a.Window, Name: digest.PolicyName(a.Policy, a.LimitName), Limit: s.y(a.Limit), LimitText: "limit " + digest.Percent(&a.Limit),
		length: a.AtFire.To.Sub(a.AtFire.From),
	}
	c.LimitY = pixels(c.Limit)
	var line strings.Builder
	for i, p := range points {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(&line, "%s%s %s", command, number(s.x(p.At)*inner/100), number(s.y(p.Judged())))
	}
	c.Line = line.String()
	c.Area = fmt.Sprintf("%sL%s %sL%s %[3]sZ", c.Line, number(s.x(points[len(points)-1].At)*inner/100), number(inner), number(s.x(points[0].At)*inner/100))
	for _, e := range episodes {
		end := to
		if !e.Open() {
			end = *e.Last.EndsAt
		}
		x := s.x(e.Fired.StartsAt)
		c.Open = append(c.Open, band{X: x, W: max(round(s.x(end)-x), 0.3), Class: e.Last.Severity.String(), Title: "alert open " + e.During()})
	}
	judged := peak.Judged()
	c.Peak = dot{X: s.x(peak.At), Y: pixels(s.y(judged)), Text: digest.Percent(&judged)}
	c.Peak.Anchor = anchor(c.Peak.X)
	c.Label = fmt.Sprintf("%s rate over the %s window from %s to %s: at most %s at %s; the limit is below %s", a.Rate, a.Window,
		digest.Moment(from), digest.Moment(to), c.Peak.Text, digest.Moment(peak.At), digest.Percent(&a.Limit))
	for _, share := range []float64{s.top, s.top / 2, 0} {
		c.Scale = append(c.Scale, mark{Y: pixels(s.y(share)), Text: digest.Percent(&share)})
	}
	c.Ticks = s.ticks()
	return c
}

// rangeOf is from before the first alert to after the last one, by half as long as they were open or as the window is, as far as there
// are readings.
func rangeOf(points []audit.Point, episodes []digest.Episode, window time.Duration) (from, to time.Time) {
	from, to = episodes[0].Fired.StartsAt, episodes[0].Fired.StartsAt
	end := points[len(points)-1].At
	for _, e := range episodes {
		last := end
		if !e.Open() {
			last = *e.Last.EndsAt
		}
		if last.After(to) {
			to = last
		}
	}
	around := max(to.Sub(from), window) / 2
	first := from
	if from = first.Add(-around); from.Before(points[0].At) {
		from = points[0].At
	}
	if limit := to.Add(around); limit.Before(end) {
		to = limit
	} else if end.After(to) {
		to = end
	}
	if margin := to.Sub(first) / 25; first.Sub(from) < margin {
		from = first.Add(-margin) // the rise is seen
	}
	return from, to
}

// within are the points of a range, with the one before and the one after, to which the line leads.
func within(points []audit.Point, from, to time.Time) []audit.Point {
	i := max(0, sort.Search(len(points), func(i int) bool { return !points[i].At.Before(from) })-1)
	j := min(len(points), 1+sort.Search(len(points), func(i int) bool { return points[i].At.After(to) }))
	return points[i:j]
}

// peakOf is the highest of the alerts' peaks; where the reading was left out of the points, the highest while an alert was open. Of
// the rate whose limit is a floor it is the lowest.
func peakOf(points []audit.Point, episodes []digest.Episode, floor bool) audit.Point {
	beyond := func(a, b audit.Point) bool { return a.Judged() != b.Judged() && a.Judged() > b.Judged() != floor }
	var peak, open *audit.Point
	for i := range points {
		p := &points[i]
		for _, e := range episodes {
			if p.At.Before(e.Fired.StartsAt) || !e.Open() && p.At.After(*e.Last.EndsAt) {
				continue
			}
			if open == nil || beyond(*p, *open) {
				open = p
			}
			if p.Numerator == e.Last.Peak.Numerator && p.Exposure == e.Last.Peak.Exposure && (peak == nil || beyond(*p, *peak)) {
				peak = p
			}
		}
	}
	switch {
	case peak != nil:
		return *peak
	case open != nil:
		return *open
	}
	return points[len(points)-1]
}

func highest(points []audit.Point) float64 {
	most := 0.0
	for _, p := range points {
		most = max(most, p.Judged())
	}
	return most
}

// scale turns times and shares into places.
type scale struct {
	from   time.Time
	length time.Duration
	top    float64
}

// x is in per cent of the width.
func (s scale) x(t time.Time) float64 { return round(float64(t.Sub(s.from)) / float64(s.length) * 100) }

// y is in inner coordinates, from the top.
func (s scale) y(share float64) float64 { return round(inner * (1 - share/s.top)) }

func pixels(y float64) float64 { return round(plotTop + y/inner*plotHeight) }

func round(x float64) float64 { return math.Round(x*100) / 100 }

func number(x float64) string { return strconv.FormatFloat(round(x), 'f', -1, 64) }

// niceTop is the next of 1, 2, 2.5 and 5 times a power of ten.
func niceTop(x float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, f := range []float64{1, 2, 2.5, 5} {
		if f*power >= x {
			return f * power
		}
	}
	return 10 * power
}

// anchor keeps a text at x per cent within the drawing.
func anchor(x float64) string {
	switch {
	case x < 12:
		return "start"
	case x > 88:
		return "end"
	}
	return "middle"
}

// ticks are four times that divide the length, as short as tells them apart.
func (s scale) ticks() []mark {
	layout := "2 Jan 15:04"
	switch {
	case s.length > 8*24*time.Hour:
		layout = "2 Jan"
	case s.from.UTC().Format(time.DateOnly) == s.from.Add(s.length).UTC().Format(time.DateOnly):
		layout = "15:04"
	}
	var all []mark
	for i := range 4 {
		x := float64(i) * 100 / 3
		text := s.from.Add(time.Duration(float64(s.length) * float64(i) / 3)).UTC().Format(layout)
		all = append(all, mark{X: round(x), Text: text, Anchor: [...]string{"start", "middle", "middle", "end"}[i]})
	}
	return all
}
