package logfile

import (
	"cmp"
	"strings"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/status"
)

// PowerMTA reads an accounting file: CSV with a header line that names the columns, and that may come again, with other
// columns too.
type PowerMTA struct {
	columns []column // of the fields of a row
	row     row
	values  [columnCount]string
}

// column is what a field of a row is for.
type column int

const (
	unused column = iota
	colType
	colTimeLogged
	colTimeQueued
	colOrig
	colRcpt
	colDSNStatus
	colDSNDiag
	colBounceCat
	colDlvSourceIP
	colRepSourceIP
	colVMTAPool
	colJobID
	colFeedbackType
	colFrom
	colMessageID
	colTenant
	colCampaign
	colStream
	columnCount
)

// columnOf knows a column by its name. Names of columns for headers of the mail have no case, as headers have none.
func columnOf(name string) column {
	switch name = strings.TrimSpace(name); name {
	case "type":
		return colType
	case "timeLogged":
		return colTimeLogged
	case "timeQueued":
		return colTimeQueued
	case "orig":
		return colOrig
	case "rcpt":
		return colRcpt
	case "dsnStatus":
		return colDSNStatus
	case "dsnDiag":
		return colDSNDiag
	case "bounceCat":
		return colBounceCat
	case "dlvSourceIp":
		return colDlvSourceIP
	case "repSourceIp":
		return colRepSourceIP
	case "vmtaPool":
		return colVMTAPool
	case "jobId":
		return colJobID
	case "feedbackType":
		return colFeedbackType
	}
	switch strings.ToLower(name) {
	case "header_from":
		return colFrom
	case "header_message-id":
		return colMessageID
	case "header_x-sendwatch-tenant":
		return colTenant
	case "header_x-sendwatch-campaign":
		return colCampaign
	case "header_x-sendwatch-stream":
		return colStream
	}
	return unused
}

// Read reads a row. The first one names the columns.
func (p *PowerMTA) Read(line []byte, out *payload.Out) {
	fields, ok := p.row.split(strings.TrimPrefix(alias(line), "\xef\xbb\xbf"))
	if !ok {
		out.Reject(event.BadPayload, "line: a quoted field that is not closed, or is followed by something else than a comma")
		return
	}
	if p.columns == nil || fields[0] == "type" {
		p.nameColumns(fields)
		return
	}
	clear(p.values[:])
	for i, field := range fields {
		if i == len(p.columns) {
			break
		}
		// When a name stands twice the first value counts.
		if c := p.columns[i]; c != unused && p.values[c] == "" {
			p.values[c] = payload.Text(field)
		}
	}
	if p.values[colType] == "type" { // a header again, in which type does not stand first
		p.nameColumns(fields)
		return
	}
	p.read(out)
}

func (p *PowerMTA) nameColumns(names []string) {
	p.columns = p.columns[:0]
	for _, name := range names {
		p.columns = append(p.columns, columnOf(name))
	}
}

func (p *PowerMTA) read(out *payload.Out) {
	v := &p.values
	var e event.Event
	ip, queued := v[colDlvSourceIP], v[colTimeQueued]
	switch strings.ToLower(v[colType]) {
	case "d", "delivery":
		e.Type = event.Delivery
	case "b", "bounce":
		e.Type = event.Bounce
	case "rb": // a bounce that came as a mail
		e.Type, e.BounceAsync, queued = event.Bounce, true, ""
	case "t":
		e.Type = event.Deferral
	case "r":
		e.Type = event.Send
	case "f":
		e.Type, ip, queued = event.Complaint, v[colRepSourceIP], ""
		var optOut bool
		if e.ComplaintKind, optOut = status.Kind(v[colFeedbackType]); optOut {
			e.Type = event.Unsubscribe
		}
	case "tq", "rs":
		out.Ignore()
		return
	default:
		out.Reject(event.UnknownType, "type: %s is no record that PowerMTA is known to have", payload.Name(v[colType]))
		return
	}
	var rejection *event.Rejection
	e.Time, rejection = timeOf("timeLogged", v[colTimeLogged], parseLocalTime, "a number since 1970 or a time like 2006-01-02 15:04:05-0700")
	if rejection != nil {
		out.Refuse(rejection)
		return
	}
	e.SentAt, _ = parseLocalTime(queued)
	e.Recipient = event.Address(v[colRcpt])
	e.IP = event.IP(ip)
	e.Pool = v[colVMTAPool]
	e.Domain = cmp.Or(event.DomainOf(v[colFrom]), event.DomainOf(v[colOrig]))
	e.MessageID = event.MailID(v[colMessageID])
	e.Tenant = v[colTenant]
	e.Campaign = cmp.Or(v[colCampaign], v[colJobID])
	e.Stream = v[colStream]
	e.BounceCategory = v[colBounceCat]
	e.BounceCode = status.Code(v[colDSNStatus], v[colDSNDiag])
	var known bool
	if e.BounceClass, known = status.PowerMTAClass(e.BounceCategory); !known {
		e.BounceClass = status.Class(e.BounceCode, status.Reply(v[colDSNDiag]))
	}
	out.Event(e)
}

// parseLocalTime reads "2006-01-02 15:04:05-0700", or a number since 1970.
func parseLocalTime(text string) (time.Time, bool) {
	const shape = "2006-01-02 15:04:05-0700"
	if len(text) > 4 && text[4] == '-' {
		if len(text) != len(shape) || text[10] != ' ' {
			return time.Time{}, false
		}
		// The form of RFC 3339 differs in a 'T' and a ':'.
		var b [len(shape) + 1]byte
		zone := copy(b[:], text[:len(shape)-2])
		b[10], b[zone] = 'T', ':'
		copy(b[zone+1:], text[zone:])
		text = string(b[:])
	}
	return event.ParseTime(text)
}
