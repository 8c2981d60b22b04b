package web

import (
	"fmt"
	"math"
	"time"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/policy"
)

// Meter is a reading beside its limit, on a scale from zero to twice the limit, so that limits stand in one line from row to
// row. Lengths are in per cent of the drawing's width.
type Meter struct {
	Class      string  // the verdict
	Value      float64 // length of the bar
	Low, High  float64 // the range within which the true rate lies
	HasRange   bool
	Over       bool // the bar is longer than the drawing
	Label      string
	HasReading bool
}

// meterOf is nil where there is no limit.
func meterOf(judged, lower, upper, limit *float64, class string) *Meter {
	if limit == nil {
		return nil
	}
	m := &Meter{Class: class, Label: "no data"}
	if judged == nil {
		return m
	}
	scale := 50 / *limit
	if *limit <= 0 {
		scale = math.Inf(1)
	}
	at := func(x float64) float64 {
		if x == 0 {
			return 0
		}
		return math.Round(min(100, x*scale)*100) / 100
	}
	m.HasReading, m.Value, m.Over = true, at(*judged), *judged*scale > 100
	m.Label = fmt.Sprintf("%s, limit %s", shareAgainst(*judged, *limit), limitOf(*limit))
	if lower != nil && upper != nil {
		m.HasRange, m.Low, m.High = true, at(*lower), at(*upper)
	}
	return m
}

func meterOfRow(r *policy.Row) *Meter {
	class := ""
	if r.Verdict != nil {
		class = r.Verdict.String()
		if *r.Verdict == policy.Breach && (r.Certain == nil || !*r.Certain) {
			class = "warning"
		}
	}
	return meterOf(r.Judged, r.Lower, r.Upper, r.Limit, class)
}

// Strip is one counter over time, as bars of equal width.
type Strip struct {
	Name  string
	Class string
	Total int64
	Max   int64
	Bars  []Bar
	Ticks []Tick
}

// Bar is one bucket: X and W in per cent of the drawing's width, Y and H in pixels of its height.
type Bar struct {
	X, Y, W, H float64
	Label      string
}

// Tick is a mark on the time axis, at X per cent.
type Tick struct {
	X    float64
	Text string
}

// stripHeight is where the base of a strip's bars lies, in pixels.
const stripHeight = 56.0

// counterOf takes one figure of a bucket.
type counterOf struct {
	name, class string
	of          func(*answer.Tally) int64
}

func responses() []counterOf {
	return []counterOf{
		{"Delivered", "delivered", func(t *answer.Tally) int64 { return t.Delivered }},
		{"Bounced", "bounced", func(t *answer.Tally) int64 { return t.Bounced.Rated() }},
		{"Complained", "complained", func(t *answer.Tally) int64 { return t.Complained }},
		{"Unsubscribed", "unsubscribed", func(t *answer.Tally) int64 { return t.Unsubscribed }},
	}
}

// axis is a run of buckets.
type axis struct {
	from   time.Time
	step   time.Duration
	n      int
	layout string                 // of a bar's label
	tick   func(time.Time) string // "" = no mark at this bucket
}

// strips draws the counters of the buckets, each on its own scale: what is rare is still seen.
func (a axis) strips(buckets []answer.Bucket, of []counterOf) []Strip {
	at := make(map[int]*answer.Tally, len(buckets))
	for i := range buckets {
		at[int(buckets[i].Start.Sub(a.from)/a.step)] = &buckets[i].Tally
	}
	width := 100 / float64(a.n)
	out := make([]Strip, len(of))
	for s, c := range of {
		strip := Strip{Name: c.name, Class: c.class}
		values := make([]int64, a.n)
		for i := range values {
			if t := at[i]; t != nil {
				values[i] = c.of(t)
				strip.Total += values[i]
				strip.Max = max(strip.Max, values[i])
			}
		}
		for i, v := range values {
			start := a.from.Add(time.Duration(i) * a.step)
			if text := a.tick(start); text != "" {
				x := round(float64(i) * width)
				if x > 94 {
					text = "" // it would stand outside
				}
				strip.Ticks = append(strip.Ticks, Tick{X: x, Text: text})
			}
			if v <= 0 {
				continue
			}
			h := max(1, float64(v)/float64(strip.Max)*(stripHeight-2))
			strip.Bars = append(strip.Bars, Bar{X: round(float64(i)*width + width*0.1), Y: round(stripHeight - h), W: round(width * 0.8), H: round(h),
				Label: fmt.Sprintf("%s: %s", start.Format(a.layout), group(v))})
		}
		out[s] = strip
	}
	return out
}

// Stack is how a whole is made up over time: bars of the same height, in layers.
type Stack struct {
	Label  string
	Layers []Layer // the lowest first
	Ticks  []Tick
}

// Layer is one part of a stack.
type Layer struct {
	Class string
	Bars  []Bar
}

// mix draws to whom deliveries went: of each bucket the shares to engaged, new and unengaged recipients.
func (a axis) mix(buckets []answer.Bucket) *Stack {
	s := &Stack{Layers: []Layer{{Class: "engaged"}, {Class: "new"}, {Class: "unengaged"}}}
	width := 100 / float64(a.n)
	for i := range a.n {
		if text := a.tick(a.from.Add(time.Duration(i) * a.step)); text != "" {
			s.Ticks = append(s.Ticks, Tick{X: round(float64(i) * width), Text: text})
		}
	}
	thin(s.Ticks)
	var first, last string
	for _, b := range buckets {
		i := int(b.Start.Sub(a.from) / a.step)
		parts := [...]int64{b.DeliveredEngaged, b.DeliveredNew, b.DeliveredUnengaged}
		total := parts[0] + parts[1] + parts[2]
		if i < 0 || i >= a.n || total <= 0 {
			continue
		}
		y := stripHeight
		for k, n := range parts {
			h := float64(n) / float64(total) * stripHeight
			y -= h
			if n > 0 {
				s.Layers[k].Bars = append(s.Layers[k].Bars, Bar{X: round(float64(i) * width), Y: round(y), W: round(width * 0.9), H: round(h),
					Label: fmt.Sprintf("%s: %s %s (%s of %s)", b.Start.Format(a.layout), share(float64(n)/float64(total)), s.Layers[k].Class, group(n), group(total))})
			}
		}
		last = share(float64(parts[0]) / float64(total))
		if first == "" {
			first = last
		}
	}
	if first == "" {
		return nil
	}
	s.Label = fmt.Sprintf("Share of deliveries to engaged recipients: %s on the first day, %s on the last", first, last)
	return s
}

// thin takes the texts of ticks that would run into others or stand outside.
func thin(ticks []Tick) {
	last := -100.0
	for i := range ticks {
		if x := ticks[i].X; x-last < 9 || x > 94 {
			ticks[i].Text = ""
		} else {
			last = x
		}
	}
}

func round(x float64) float64 { return math.Round(x*100) / 100 }

func hours(asOf time.Time, n int) axis {
	first := asOf.UTC().Truncate(time.Hour).Add(-time.Duration(n-1) * time.Hour)
	return axis{from: first, step: time.Hour, n: n, layout: "Mon 2 Jan 15:04", tick: func(t time.Time) string {
		switch t.Hour() {
		case 0:
			return t.Format("Mon 2")
		case 12:
			return "12:00"
		}
		return ""
	}}
}

func days(asOf time.Time, n int) axis {
	first := asOf.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1-n)
	return axis{from: first, step: 24 * time.Hour, n: n, layout: "Mon 2 Jan 2006", tick: func(t time.Time) string {
		if t.Weekday() == time.Monday {
			return t.Format("2 Jan")
		}
		return ""
	}}
}
