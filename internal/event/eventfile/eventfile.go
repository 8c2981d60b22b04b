// Package eventfile reads files of events in any form that is known: it joins the cutting of a file into records with the
// formats of records and the formats of log files.
package eventfile

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/logfile"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/mapping"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/record"
)

// The formats of log files, which only a file can have.
const (
	PowerMTA = "powermta"
	Momentum = "momentum"
)

// Formats returns the names that NewDecoder takes, auto first.
func Formats() []string { return append(provider.Names(), provider.FileNames()...) }

// Decoder reads files, one after the other, as one format or whatever they are. It is for one goroutine at a time.
type Decoder struct {
	format   string
	maxAhead time.Duration
	records  *provider.Decoder // nil when the format is one of log files
}

// NewDecoder returns a decoder for one of Formats, or of the own ones that a configuration describes. Times more than maxAhead
// ahead of the clock are rejected; 0 turns that off. Records of files have no limit of their own, other than record.MaxSize.
func NewDecoder(format string, maxAhead time.Duration, own ...*mapping.Format) (*Decoder, error) {
	d := &Decoder{format: format, maxAhead: maxAhead}
	if slices.Contains(provider.FileNames(), format) {
		return d, nil
	}
	if names := provider.NamesWith(own); !slices.Contains(names, format) {
		return nil, fmt.Errorf("format %q is not known, expected one of %s", format, strings.Join(append(names, provider.FileNames()...), ", "))
	}
	var err error
	d.records, err = provider.NewDecoder(format, provider.Options{MaxAhead: maxAhead, Own: own})
	return d, err
}

// Open reads the beginning of a file. The error tells of a file that cannot be read, or whose packing is broken. Files of
// one Decoder are read one after the other, not side by side.
func (d *Decoder) Open(file io.Reader) (*Reader, error) {
	form := record.Detect
	switch d.format {
	case PowerMTA:
		form = record.PowerMTA
	case Momentum:
		form = record.Momentum
	}
	records, err := record.Open(file, form)
	if err != nil {
		return nil, err
	}
	r := &Reader{decoder: d, records: records}
	switch records.Form() {
	case record.PowerMTA:
		r.lines, r.format = new(logfile.PowerMTA), PowerMTA
	case record.Momentum:
		r.momentum = new(logfile.Momentum)
		r.lines, r.format = r.momentum, Momentum
	}
	return r, nil
}

// Reader gives what the records of one file become.
type Reader struct {
	decoder  *Decoder
	records  *record.Reader
	lines    logfile.Reader // nil when it is no log file
	format   string         // of the log file
	momentum *logfile.Momentum
	out      payload.Out
}

// Next returns what the next record becomes at the time now, or io.EOF behind the last one. Lines that only tell how to
// read others are left out. The result is valid until the next call.
func (r *Reader) Next(now time.Time) (event.Result, error) {
	for {
		text, err := r.records.Next()
		if err != nil {
			return event.Result{}, err
		}
		if r.lines == nil {
			return r.decoder.records.Decode(text, now), nil
		}
		r.out.Reset(now, r.decoder.maxAhead)
		if r.decoder.format == provider.Auto || r.decoder.format == r.format {
			r.lines.Read(text, &r.out)
		} else {
			r.out.Reject(event.UnknownShape, "line: of a log file of %s, expected %s", r.format, r.decoder.format)
		}
		if r.out.Outcomes() > 0 {
			return r.out.Result(), nil
		}
	}
}

// Line is the line at which the record of the newest result begins; the first one of a file is 1.
func (r *Reader) Line() int { return r.records.Line() }

// MomentumBounces returns how many lines so far tell of bounces in Momentum's mainlog (P), and in its bouncelog (B). Only
// the latter become events: logs with the first and none of the second count no bounces, of which a user should be warned.
func (r *Reader) MomentumBounces() (mainlog, bouncelog int) {
	if r.momentum == nil {
		return 0, 0
	}
	return r.momentum.Bounces()
}

// Close frees what the reader holds. It does not close the file.
func (r *Reader) Close() { r.records.Close() }
