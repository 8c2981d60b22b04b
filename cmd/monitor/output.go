package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

func printJSON(w io.Writer, text []byte) error {
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(text), "", "  "); err != nil {
		return err
	}
	out.WriteByte('\n')
	_, err := out.WriteTo(w)
	return err
}

// table writes rows in columns. Columns whose heading begins with ">" are set to the right.
type table struct {
	headings []string
	rows     [][]string
}

func newTable(headings ...string) *table { return &table{headings: headings} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) error {
	widths := make([]int, len(t.headings))
	names := make([]string, len(t.headings))
	for i, h := range t.headings {
		names[i] = strings.TrimPrefix(h, ">")
		widths[i] = len(names[i])
		for _, r := range t.rows {
			widths[i] = max(widths[i], len([]rune(r[i])))
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range append([][]string{names}, t.rows...) {
		for i, cell := range r {
			if strings.HasPrefix(t.headings[i], ">") {
				cell = strings.Repeat(" ", widths[i]-len([]rune(cell))) + cell
			}
			end := "\t"
			if i == len(r)-1 {
				end = "\n"
			}
			fmt.Fprint(tw, cell, end)
		}
	}
	return tw.Flush()
}

// percent writes a share for people: three significant digits and a sign, "-" when there is none.
func percent(share *float64) string {
	if share == nil {
		return "-"
	}
	return strconv.FormatFloat(*share*100, 'g', 3, 64) + "%"
}

// thousands groups the digits of a count: 1,234,567.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func printValue(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return printJSON(w, text)
}
