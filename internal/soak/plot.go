package soak

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Of the drawing, in its own units.
const (
	panelWidth, panelHeight = 440, 150
	left, top, between      = 70, 40, 60
	columns                 = 2
)

// panel is one chart: a few lines over the time of the run.
type panel struct {
	title string
	unit  float64 // what a figure is divided by
	lines []func(*Sample) int64
}

func panels(samples []Sample) []panel {
	var heap, rss, goroutines, files []func(*Sample) int64
	for i := range samples[0].Processes {
		heap = append(heap, func(s *Sample) int64 { return s.Processes[i].Heap })
		rss = append(rss, func(s *Sample) int64 { return s.Processes[i].RSS })
		goroutines = append(goroutines, func(s *Sample) int64 { return s.Processes[i].Goroutines })
		files = append(files, func(s *Sample) int64 { return s.Processes[i].Files })
	}
	one := func(of func(*Sample) int64) []func(*Sample) int64 { return []func(*Sample) int64{of} }
	return []panel{
		{"heap of each process, MB", 1 << 20, heap},
		{"resident memory of each process, MB", 1 << 20, rss},
		{"goroutines of each process", 1, goroutines},
		{"file descriptors of each process", 1, files},
		{"keys in Redis", 1, one(func(s *Sample) int64 { return s.RedisKeys })},
		{"memory of Redis, MB", 1 << 20, one(func(s *Sample) int64 { return s.RedisBytes })},
		{"records written, millions", 1e6, one(func(s *Sample) int64 { return s.Written })},
		{"records not in the state yet", 1, one(func(s *Sample) int64 { return s.Lag })},
	}
}

// plot draws the samples as SVG.
func plot(samples []Sample) string {
	list := panels(samples)
	rows := (len(list) + columns - 1) / columns
	width, height := columns*(left+panelWidth)+40, rows*(panelHeight+between)+top
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12"><rect width="100%%" height="100%%" fill="#fff"/>`+"\n", width, height)
	for i, p := range list {
		p.draw(&b, samples, left+i%columns*(left+panelWidth), top+i/columns*(panelHeight+between))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func (p panel) draw(b *strings.Builder, samples []Sample, x, y int) {
	most := 0.0
	for _, of := range p.lines {
		for i := range samples {
			most = max(most, float64(of(&samples[i]))/p.unit)
		}
	}
	most = round(most)
	end := samples[len(samples)-1].At.Minutes()
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", x, y-10, p.title)
	for i := range 3 {
		at := y + panelHeight - i*panelHeight/2
		fmt.Fprintf(b, `<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="#ddd"/><text x="%d" y="%d" text-anchor="end" fill="#555">%g</text>`+"\n", x, at, x+panelWidth, at, x-6, at+4, most*float64(i)/2)
		fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="middle" fill="#555">%.3g min</text>`+"\n", x+i*panelWidth/2, y+panelHeight+16, end*float64(i)/2)
	}
	colours := []string{"#1f77b4", "#d9622b", "#2a8a4a", "#8a4ab0"}
	for k, of := range p.lines {
		points := make([]string, len(samples))
		for i := range samples {
			points[i] = fmt.Sprintf("%.1f,%.1f", float64(x)+samples[i].At.Minutes()/end*panelWidth, float64(y+panelHeight)-float64(of(&samples[i]))/p.unit/most*panelHeight)
		}
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" stroke-width="1.3" points="%s"/>`+"\n", colours[k%len(colours)], strings.Join(points, " "))
	}
}

// round is the next larger 1, 2, 4, 5 or 10 times a power of ten.
func round(x float64) float64 {
	if x <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(x)))
	for _, m := range []float64{1, 2, 4, 5, 10} {
		if x <= m*power {
			return m * power
		}
	}
	return 10 * power
}

// growth says, of all that should be flat, what was seen in the run's second quarter, when everything is warm, and in its last.
func growth(samples []Sample) string {
	n := len(samples)
	if n < 8 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-38s %14s %14s\n", "median of the", "second quarter", "last quarter")
	for _, p := range panels(samples)[:6] {
		for i, of := range p.lines {
			median := func(part []Sample) float64 {
				values := make([]int64, len(part))
				for k := range part {
					values[k] = of(&part[k])
				}
				slices.Sort(values)
				return float64(values[len(values)/2]) / p.unit
			}
			name := p.title
			if len(p.lines) > 1 {
				name += fmt.Sprintf(" (%d)", i+1)
			}
			fmt.Fprintf(&b, "%-38s %14.1f %14.1f\n", name, median(samples[n/4:n/2]), median(samples[n*3/4:]))
		}
	}
	return b.String()
}
