package logfile

import (
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/provider/sparkpost"
	"sendwatch/internal/event/status"
)

// Momentum reads mainlog, bouncelog and fbllog, which may stand in one file: lines of fields parted by '@'.
type Momentum struct {
	line      string
	fields    [16]string
	ends      [16]int // of the fields in the line
	count     int
	permanent int // P lines
	bounces   int // B lines
}

// Bounces returns how many lines so far tell of bounces in the mainlog (P), and in the bouncelog (B). Only the latter become
// events: logs with the first and none of the second lack the bouncelog, and count no bounces.
func (m *Momentum) Bounces() (mainlog, bouncelog int) { return m.permanent, m.bounces }

// Read reads a line.
func (m *Momentum) Read(line []byte, out *payload.Out) {
	m.split(alias(line))
	if strings.EqualFold(m.fields[2], "F") {
		m.feedback(out)
		return
	}
	switch kind := strings.ToUpper(m.fields[4]); kind {
	case "R":
		m.reception(out)
	case "D":
		if m.reaches(7, out) {
			m.emit(event.Event{Type: event.Delivery, Pool: m.text(7)}, out)
		}
	case "T":
		m.transient(out)
	case "P": // the bouncelog has the same bounce, with class and recipient
		m.permanent++
		out.Ignore()
	case "B":
		m.bounces++
		m.bounce(out)
	case "X", "M", "M1":
		out.Ignore()
	default:
		out.Reject(event.UnknownType, "offset 4: %s is no kind of line that Momentum is known to have", payload.Name(kind))
	}
}

// split notes the fields of a line. The last one, offset 15, takes the rest of the line.
func (m *Momentum) split(line string) {
	clear(m.fields[:])
	m.line, m.count = line, 0
	for from := 0; m.count < len(m.fields) && from <= len(line); m.count++ {
		end := strings.IndexByte(line[from:], '@')
		if end < 0 || m.count == len(m.fields)-1 {
			end = len(line) - from
		}
		m.fields[m.count] = line[from : from+end]
		m.ends[m.count] = from + end
		from += end + 1
	}
}

// reaches rejects a line that ends before an offset that it must have.
func (m *Momentum) reaches(offset int, out *payload.Out) bool {
	if m.count > offset {
		return true
	}
	out.Reject(event.BadPayload, "line: ends at offset %d, lines of its kind go on to offset %d at least", m.count-1, offset)
	return false
}

func (m *Momentum) text(offset int) string { return payload.Text(m.fields[offset]) }

// address takes a local part together with the domain in the field after it.
func (m *Momentum) address(offset int) string {
	return event.Address(payload.Text(m.line[m.ends[offset-1]+1 : m.ends[offset+1]]))
}

// emit completes an event with what every line has.
func (m *Momentum) emit(e event.Event, out *payload.Out) {
	var rejection *event.Rejection
	e.Time, rejection = timeOf("offset 0", m.fields[0], parseStamp, "10 digits of seconds or 16 of microseconds")
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	e.MessageID = event.MailID(m.text(1))
	out.Event(e)
}

func (m *Momentum) reception(out *payload.Out) {
	if !m.reaches(12, out) {
		return
	}
	if origin := m.fields[11]; strings.EqualFold(origin, "xfer") || strings.EqualFold(origin, "internal") { // from another node, or made here
		out.Ignore()
		return
	}
	m.emit(event.Event{Type: event.Send, Recipient: m.address(5), Domain: event.Domain(m.text(8)), Pool: m.text(12)}, out)
}

// transient tells a line of the mainlog, where a number follows, from one of the bouncelog, which has the same failure.
func (m *Momentum) transient(out *payload.Out) {
	if !m.reaches(6, out) {
		return
	}
	if !isNumber(m.fields[6]) {
		out.Ignore()
		return
	}
	if m.reaches(7, out) {
		m.emit(event.Event{Type: event.Deferral, Pool: m.text(7)}, out)
	}
}

func (m *Momentum) bounce(out *payload.Out) {
	if !m.reaches(15, out) {
		return
	}
	e := sparkpost.FromBounceClass(m.text(12))
	if e.Type == event.Unknown {
		out.Ignore()
		return
	}
	const afterDelivery = "21" // the stage of a bounce that came as a mail
	e.Recipient = m.address(5)
	e.Domain = event.Domain(m.text(8))
	e.Pool = m.text(9)
	e.BounceAsync = m.text(11) == afterDelivery
	e.BounceCategory = m.text(12)
	e.BounceCode = status.Code(m.text(15))
	m.emit(e, out)
}

func (m *Momentum) feedback(out *payload.Out) {
	if !m.reaches(7, out) {
		return
	}
	e := event.Event{Type: event.Complaint, Recipient: m.address(3), Pool: m.text(6)}
	var optOut bool
	if e.ComplaintKind, optOut = status.Kind(m.fields[7]); optOut {
		e.Type = event.Unsubscribe
	}
	m.emit(e, out)
}

// parseStamp reads 10 digits of seconds or 16 of microseconds.
func parseStamp(text string) (time.Time, bool) {
	if !isNumber(text) {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
	case len(text) == 10:
		return time.Unix(n, 0).UTC(), true
	case len(text) == 16:
		return time.UnixMicro(n).UTC(), true
	}
	return time.Time{}, false
}

func isNumber(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
