package eventstream

import (
	"io"
	"time"
	"unsafe"

	"sendwatch/internal/event"
	"sendwatch/internal/event/logfile"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/record"
)

const (
	chunkBytes   = 256 << 10 // with many sources an eighth of it
	chunkRecords = 2048
)

// chunk is a run of records of one source, first as text and then as what they became. Its memory is used again.
type chunk struct {
	text    []byte
	ends    []int   // of the records in text
	lines   []int64 // at which they begin
	decoded bool    // where lines depend on each other, whoever cut them has decoded them
	ready   chan struct{}

	outcomes []outcome
	events   []event.Event
	extra    []byte // texts that are not as they stand in text
	records  int    // how many there may be
	bytes    int    // from how many on it is full
}

// outcome is what one record became; its events end before the given one.
type outcome struct {
	events, ignored int
	rejected        *event.Rejection
}

func newChunk(records, bytes int) *chunk {
	return &chunk{ready: make(chan struct{}, 1), records: records, bytes: bytes}
}

func (c *chunk) reset() {
	clear(c.outcomes) // rejections
	c.text, c.ends, c.lines, c.decoded = c.text[:0], c.ends[:0], c.lines[:0], false
	c.outcomes, c.events, c.extra = c.outcomes[:0], c.events[:0], c.extra[:0]
}

func (c *chunk) full() bool {
	return len(c.lines) >= c.records || len(c.text) >= c.bytes || len(c.extra) >= c.bytes || len(c.events) >= maxEvents
}

// maxEvents bounds what records that hold many events each make of a chunk.
const maxEvents = 8 * chunkRecords

// add takes the text of a record and returns it where it stays until the chunk is full.
func (c *chunk) add(text []byte, line int) []byte {
	if len(c.text)+len(text) > cap(c.text) {
		// What was decoded already keeps the memory that it points to.
		bigger := make([]byte, len(c.text), max(len(c.text)+len(text), c.bytes+c.bytes/8))
		copy(bigger, c.text)
		c.text = bigger
	}
	from := len(c.text)
	c.text = append(c.text, text...)
	c.ends = append(c.ends, len(c.text))
	c.lines = append(c.lines, int64(line))
	return c.text[from:]
}

// decode turns the records into what they become.
func (c *chunk) decode(d *provider.Decoder, now time.Time) {
	if c.decoded {
		return
	}
	from := 0
	for _, end := range c.ends {
		result := d.Decode(c.text[from:end:end], now)
		c.keep(&result)
		from = end
	}
}

// keep takes an outcome that is valid for a moment only.
func (c *chunk) keep(r *event.Result) {
	for i := range r.Events {
		c.events = append(c.events, r.Events[i])
		c.own(&c.events[len(c.events)-1])
	}
	c.outcomes = append(c.outcomes, outcome{len(c.events), r.Ignored, r.Rejected})
}

func (c *chunk) eventsBefore(record int) int {
	if record == 0 {
		return 0
	}
	return c.outcomes[record-1].events
}

// own copies those texts of an event that are not parts of the chunk's text: they belong to a decoder, which will write over
// them.
func (c *chunk) own(e *event.Event) {
	for _, s := range [...]*string{
		&e.ID, &e.Recipient, &e.MessageID, &e.Tenant, &e.IP, &e.Pool, &e.Domain, &e.Campaign, &e.Stream, &e.Provider,
		&e.BounceCategory, &e.BounceCode,
	} {
		if *s == "" || c.holds(*s) {
			continue
		}
		from := len(c.extra)
		c.extra = append(c.extra, *s...)
		*s = unsafe.String(&c.extra[from], len(*s))
	}
}

// holds tells whether s is a part of the chunk's text.
func (c *chunk) holds(s string) bool {
	base, at := uintptr(unsafe.Pointer(unsafe.SliceData(c.text))), uintptr(unsafe.Pointer(unsafe.StringData(s)))
	return at-base < uintptr(len(c.text))
}

// cutter cuts one source into chunks.
type cutter struct {
	decoded  Outcomes // of a source that is no file; then nothing of the following is there
	records  *record.Reader
	now      time.Time
	maxAhead time.Duration
	lines    logfile.Reader // of a log file, else nil
	momentum *logfile.Momentum
	out      payload.Out
}

func openCutter(file io.Reader, now time.Time, maxAhead time.Duration) (*cutter, error) {
	records, err := record.Open(file, record.Detect)
	if err != nil {
		return nil, err
	}
	c := &cutter{records: records, now: now, maxAhead: maxAhead}
	switch records.Form() {
	case record.PowerMTA:
		c.lines = new(logfile.PowerMTA)
	case record.Momentum:
		c.momentum = new(logfile.Momentum)
		c.lines = c.momentum
	}
	return c, nil
}

func (c *cutter) close() {
	if c.decoded != nil {
		c.decoded.Close()
		return
	}
	c.records.Close()
}

// fill cuts records into the chunk until it is full. With an error, io.EOF at the end, it may hold some all the same.
func (c *cutter) fill(to *chunk) error {
	if c.decoded != nil {
		return c.fillDecoded(to)
	}
	for !to.full() {
		text, err := c.records.Next()
		if err != nil {
			return err
		}
		text = to.add(text, c.records.Line())
		if c.lines == nil {
			continue
		}
		to.decoded = true
		c.out.Reset(c.now, c.maxAhead)
		c.lines.Read(text, &c.out)
		result := c.out.Result()
		to.keep(&result) // a line that only tells how to read others becomes nothing
	}
	return nil
}

// fillDecoded takes outcomes instead of texts.
func (c *cutter) fillDecoded(to *chunk) error {
	to.decoded = true
	for !to.full() {
		result, err := c.decoded.Next(c.now)
		if err != nil {
			return err
		}
		to.lines = append(to.lines, c.decoded.Number())
		to.keep(&result)
	}
	return nil
}

// bounces are the lines of bounces in Momentum's mainlog and in its bouncelog.
func (c *cutter) bounces() (n [2]int) {
	if c.momentum != nil {
		n[0], n[1] = c.momentum.Bounces()
	}
	return n
}
