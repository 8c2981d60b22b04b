// Package payload is what the formats of providers share: where their events go, and how the places that a table names
// become fields.
package payload

import (
	"fmt"
	"time"

	"sendwatch/internal/event"
)

// Out takes what the elements of one record become. A format calls, for each element of its payload, Event once or more,
// or Ignore, or Reject. It keeps its memory from one Reset to the next and is for one goroutine at a time.
type Out struct {
	now      time.Time
	maxAhead time.Duration
	events   []event.Event
	ignored  int
	outcomes int
	rejected *event.Rejection
}

// Reset begins a record. Times more than maxAhead after now are rejected; 0 turns that off.
func (o *Out) Reset(now time.Time, maxAhead time.Duration) {
	const keep = 1 << 13 // an event has some 300 bytes
	if cap(o.events) > keep {
		o.events = nil
	}
	*o = Out{now: now, maxAhead: maxAhead, events: o.events[:0]}
}

// Event adds an event, or rejects the record when the event cannot be counted: its time must have been read already (see
// Time), its dimensions are checked here. Fields that do not belong to its type are cleared.
func (o *Out) Event(e event.Event) {
	draft := o.Draft()
	*draft = e
	draft.Tidy()
	o.Commit()
}

// Draft returns a zero event for those who fill it where it will stay. Commit adds it; without that it never was.
func (o *Out) Draft() *event.Event {
	n := len(o.events)
	o.events = append(o.events, event.Event{})[:n]
	return &o.events[:n+1][n]
}

// Commit is Event for the last Draft, which has been filled with what belongs to its type.
func (o *Out) Commit() {
	n := len(o.events)
	if rejection := o.events[:n+1][n].Check(o.now, o.maxAhead); rejection != nil {
		o.Refuse(rejection)
		return
	}
	o.outcomes++
	o.events = o.events[:n+1]
}

// Each adds one event for each of the recipients, or one without a recipient when there are none.
func (o *Out) Each(e event.Event, recipients []string) {
	if len(recipients) == 0 {
		e.Recipient = ""
		o.Event(e)
	}
	for _, r := range recipients {
		e.Recipient = r
		o.Event(e)
	}
}

// One adds one event, which has a recipient only when it is clear which: when exactly one is listed.
func (o *Out) One(e event.Event, recipients []string) {
	e.Recipient = ""
	if len(recipients) == 1 {
		e.Recipient = recipients[0]
	}
	o.Event(e)
}

// Ignore counts an element that is known and is no mail event.
func (o *Out) Ignore() {
	o.outcomes++
	o.ignored++
}

// Reject counts an element that cannot become an event. Details begin with the field, say what was found and what was
// expected, and never carry an address: texts of the payload go through Name.
func (o *Out) Reject(reason event.Reason, format string, args ...any) {
	o.Refuse(&event.Rejection{Reason: reason, Detail: fmt.Sprintf(format, args...)})
}

// Refuse counts an element that cannot become an event for a reason found elsewhere, such as by Time.
func (o *Out) Refuse(r *event.Rejection) {
	o.outcomes++
	if o.rejected == nil {
		o.rejected = r
	}
}

// Outcomes counts the calls of Event, Ignore and Reject so far: a format that made none had an empty batch.
func (o *Out) Outcomes() int { return o.outcomes }

// Result is what came out since Reset. It is valid until the next Reset.
func (o *Out) Result() event.Result {
	return event.Result{Events: o.events, Ignored: o.ignored, Rejected: o.rejected}
}

// Name quotes a text of the payload for a rejection when it is harmless: a short name of letters, digits and "._- ".
func Name(s string) string {
	const longest = 60
	if s == "" {
		return "nothing"
	}
	if len(s) > longest {
		return "a long text"
	}
	for _, c := range []byte(s) {
		if c != '.' && c != '_' && c != '-' && c != ' ' && !('a' <= c|0x20 && c|0x20 <= 'z') && !('0' <= c && c <= '9') {
			return "a text with other characters than a name has"
		}
	}
	return `"` + s + `"`
}
