// Package logfile reads the log files of mail servers that are no JSON: PowerMTA's accounting files and Momentum's
// mainlog, bouncelog and fbllog. What a line means depends on lines before it, so one reader belongs to one file. The
// texts of events share the memory of the line that they came from.
package logfile

import (
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider/payload"
)

// Reader reads the lines of one file, in their order. It is for one goroutine at a time.
type Reader interface {
	// Read turns a line, without its line break, into what it means. A line that only tells how to read the others, such as
	// a header, comes to nothing.
	Read(line []byte, out *payload.Out)
}

var (
	_ Reader = (*PowerMTA)(nil)
	_ Reader = (*Momentum)(nil)
)

// timeOf is like payload.Time for a text and a way of reading it.
func timeOf(field, text string, parse func(string) (time.Time, bool), expected string) (time.Time, *event.Rejection) {
	if text == "" {
		return time.Time{}, &event.Rejection{Reason: event.NoTime, Detail: field + ": absent, every event needs a time"}
	}
	t, ok := parse(text)
	if !ok {
		return time.Time{}, &event.Rejection{Reason: event.BadTime, Detail: field + ": expected " + expected}
	}
	return t, nil
}
