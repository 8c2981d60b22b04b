package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"sendwatch/internal/audit/digest"
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

func percent(share *float64) string { return digest.Percent(share) }

func thousands(n int64) string { return digest.Thousands(n) }

func moment(t time.Time) string { return digest.Moment(t) }

func printValue(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return printJSON(w, text)
}
