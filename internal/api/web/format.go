package web

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/windows"
)

// group writes a number with commas between thousands.
func group(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "−", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// short writes a number in at most four figures: 9,412 · 84.1k · 1.20M.
func short(n int64) string {
	switch f := math.Abs(float64(n)); {
	case f < 10_000:
		return group(n)
	case f < 999_500:
		return figures(float64(n)/1e3) + "k"
	case f < 999_500_000:
		return figures(float64(n)/1e6) + "M"
	}
	return figures(float64(n)/1e9) + "G"
}

// figures writes three significant figures.
func figures(f float64) string {
	switch a := math.Abs(f); {
	case a < 9.995:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case a < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}

// count is a number for people, with the exact one beside it for machines and for those who point at it.
func count(n int64) template.HTML {
	return template.HTML(fmt.Sprintf(`<data value="%d" title="%s">%s</data>`, n, group(n), short(n))) //nolint:gosec // numbers only
}

// share writes a share as per cent with as many decimals as its size needs.
func share(x float64) string { return perCent(x, decimals(x)) }

func decimals(x float64) int {
	switch a := math.Abs(x * 100); {
	case a == 0:
		return 0
	case a < 0.1:
		return 3
	case a < 10:
		return 2
	}
	return 1
}

func perCent(x float64, decimals int) string {
	return strconv.FormatFloat(x*100, 'f', decimals, 64) + " %"
}

// shareAgainst is share with more decimals where rounding would put a share onto its limit that is not there.
func shareAgainst(x, limit float64) string {
	d := decimals(x)
	for x != limit && d < 7 && perCent(x, d) == perCent(limit, d) {
		d++
	}
	return perCent(x, d)
}

// limitText writes a limit without needless zeros: 3 %, 0.1 %.
func limitText(x *float64) string {
	return limitOf(*x)
}

func limitOf(x float64) string {
	return strconv.FormatFloat(math.Round(x*1e8)/1e6, 'f', -1, 64) + " %"
}

// percent is a share for people; the exact one is in its title. nil is a dash that says what it means.
func percent(x, limit *float64) template.HTML {
	if x == nil {
		return `<span class="none" title="no data">–</span>`
	}
	text := share(*x)
	if limit != nil {
		text = shareAgainst(*x, *limit)
	}
	exact := strconv.FormatFloat(*x, 'g', -1, 64)
	return template.HTML(fmt.Sprintf(`<data value="%s" title="%s %%">%s</data>`, exact, strconv.FormatFloat(*x*100, 'f', -1, 64), text)) //nolint:gosec // numbers only
}

// times says how many times the limit a reading is.
func times(x float64) string {
	if x >= 100 {
		return "over 100 ×"
	}
	return figures(x) + " ×"
}

// span writes a length of time in its largest units: 42 s, 5 min, 3 h 10 min, 2 d 4 h.
func span(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Second:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 24*time.Hour:
		return pair(int(d.Hours()), "h", int(d.Minutes())%60, "min")
	}
	return pair(int(d.Hours())/24, "d", int(d.Hours())%24, "h")
}

func pair(a int, unit string, b int, smaller string) string {
	if b == 0 {
		return fmt.Sprintf("%d %s", a, unit)
	}
	return fmt.Sprintf("%d %s %d %s", a, unit, b, smaller)
}

// stamp is a time for people and machines, written with this layout.
func stamp(t time.Time, layout string) template.HTML {
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`, t.Format(time.RFC3339Nano), t.Format("Mon 2 Jan 2006 15:04:05")+" UTC", t.Format(layout))) //nolint:gosec // no text of others
}

func clock(t time.Time) template.HTML { return stamp(t, "15:04:05") + " UTC" }

// moment writes a time as short as can be understood beside now: the hour of today, else the day too.
func moment(t, now time.Time) template.HTML {
	if t.UTC().Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return stamp(t, "15:04")
	}
	return stamp(t, "2 Jan 15:04")
}

// name is a subject for people: its dimensions with their values.
func name(labels windows.Labels) template.HTML {
	pairs := make([][2]string, len(labels))
	for i, l := range labels {
		pairs[i] = [2]string{l.Dimension.String(), l.Value}
	}
	return nameOf(pairs)
}

// nameOfPairs is name for the subject of an alert record.
func nameOfPairs(labels alerts.Pairs) template.HTML {
	pairs := make([][2]string, len(labels))
	for i, l := range labels {
		pairs[i] = [2]string{l.Name, l.Value}
	}
	return nameOf(pairs)
}

func nameOf(pairs [][2]string) template.HTML {
	if len(pairs) == 0 {
		return `<span class="subject"><span class="v">all mail</span></span>`
	}
	var b strings.Builder
	b.WriteString(`<span class="subject">`)
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, `<span class="d"><span class="k">%s</span> <span class="v">%s</span></span>`,
			template.HTMLEscapeString(p[0]), template.HTMLEscapeString(p[1]))
	}
	b.WriteString(`</span>`)
	return template.HTML(b.String()) //nolint:gosec // escaped above
}

// subjectURL is the page of a subject; "" for the subject of an alert about the service itself.
func subjectURL(key string) string {
	if _, ok := windows.ParseSubject(key); !ok {
		return ""
	}
	return "/subject?subject=" + url.QueryEscape(key)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
