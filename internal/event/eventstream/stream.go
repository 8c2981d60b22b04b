package eventstream

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/mapping"
)

// Source is a file, or what can be read like one.
type Source struct {
	Name string
	Open func() (io.ReadCloser, error)
	// Once says that it can be opened a single time, as standard input.
	Once bool
	// Decoded, instead of Open, begins what is read record by record from elsewhere. It is begun with the stream.
	Decoded func(ctx context.Context) (Outcomes, error)
}

// Outcomes gives what the records of a source become, in their order.
type Outcomes interface {
	// Next returns what the next record becomes at the time now, io.EOF behind the last one. It is valid until the next call.
	Next(now time.Time) (event.Result, error)
	// Number is that of the newest record, which messages name as the line of a file.
	Number() int64
	Close()
}

// Options say how a stream is read and who is told what. The functions are called from the goroutine that called Read, in the
// order of the stream; nil ones are not called.
type Options struct {
	Now      func() time.Time // the clock against which times are too far ahead
	MaxAhead time.Duration    // how far; 0 = as far as they like
	Format   string           // of the records in files; "" = whatever they are
	Own      []*mapping.Format
	Workers  int // that decode; 0 = one for each processor

	Rejected func(source string, line int, r *event.Rejection) // line: the number of the record where there are no lines
	// Failed tells that a source could not be read, or not to its end. The stream goes on without it.
	Failed func(source string, err error)
	// Warn tells what a user should know of sources that are well-formed.
	Warn func(text string)
}

// Read reads all sources and calls take with the outcome of each record. The result is valid until take returns. The error is
// that of ctx, or about the format: everything that is wrong with a source is told to Failed.
func Read(ctx context.Context, sources []Source, o Options, take func(*event.Result)) error {
	if _, err := provider.NewDecoder(cmp.Or(o.Format, provider.Auto), provider.Options{Own: o.Own}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{o: o, ctx: ctx, take: take, work: make(chan *chunk)}
	r.ahead = min(max(1, 32/max(1, len(sources))), 8)
	if r.o.Workers <= 0 {
		r.o.Workers = runtime.GOMAXPROCS(0)
	}
	for range r.o.Workers {
		r.running.Go(r.decode)
	}
	defer func() {
		cancel()
		r.cutting.Wait()
		close(r.work)
		r.running.Wait()
	}()
	r.order(sources)
	return r.merge()
}

// reader is one Read.
type reader struct {
	o       Options
	ctx     context.Context
	take    func(*event.Result)
	work    chan *chunk
	cutting sync.WaitGroup // one for each open source
	running sync.WaitGroup // workers
	ahead   int            // chunks of one source that may be on their way
	waiting []*source      // by the time of their first event
	heads   []*source      // open, by the time of their next record
	bounces [2]int         // lines of bounces in Momentum's mainlogs, and in its bouncelogs
}

// source is a source on its way.
type source struct {
	Source
	at    int64 // time of the next record in nanoseconds since 1970, never going back; of a waiting source that of the first event
	index int   // among all, for equal times

	chunks  chan *chunk
	spare   chan *chunk
	now     *chunk
	next    int    // record of now
	err     error  // of reading; set before chunks is closed
	bounces [2]int // likewise, as the reader's
}

// order finds out when each source begins.
func (r *reader) order(sources []Source) {
	for i, s := range sources {
		src := &source{Source: s, at: math.MinInt64, index: i}
		if len(sources) > 1 && !s.Once && s.Decoded == nil {
			at, err := r.firstEvent(s)
			if err != nil {
				r.failed(s.Name, err)
				continue
			}
			src.at = at
		}
		r.waiting = append(r.waiting, src)
	}
	slices.SortStableFunc(r.waiting, compareSources)
}

func compareSources(a, b *source) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.index, b.index))
}

func (r *reader) failed(name string, err error) {
	if r.o.Failed != nil && r.ctx.Err() == nil {
		r.o.Failed(name, err)
	}
}

// firstEvent is the time of the first event of a source, the earliest of all times when there is none.
func (r *reader) firstEvent(s Source) (int64, error) {
	file, err := s.Open()
	if err != nil {
		return 0, err
	}
	defer file.Close() // was only read
	c, err := openCutter(file, r.o.Now(), r.o.MaxAhead)
	if err != nil {
		return 0, err
	}
	defer c.close()
	decoder := newDecoder(&r.o)
	for r.ctx.Err() == nil {
		one := newChunk(1, chunkBytes)
		if err := c.fill(one); err != nil {
			return math.MinInt64, nil // told when it is read
		}
		one.decode(decoder, r.o.Now())
		if len(one.events) > 0 {
			return nanos(one.events[0].Time), nil
		}
	}
	return 0, context.Cause(r.ctx)
}

func newDecoder(o *Options) *provider.Decoder {
	d, err := provider.NewDecoder(cmp.Or(o.Format, provider.Auto), provider.Options{MaxAhead: o.MaxAhead, Own: o.Own})
	if err != nil {
		panic("eventstream: " + err.Error()) // Read has looked
	}
	return d
}

// nanos is t in nanoseconds since 1970, as far as they reach.
func nanos(t time.Time) int64 {
	const bound = math.MaxInt64 / int64(time.Second)
	switch s := t.Unix(); {
	case s >= bound:
		return math.MaxInt64
	case s <= -bound:
		return math.MinInt64 + 1
	}
	return t.UnixNano()
}

// merge hands out records, always those of the source whose next one is the earliest.
func (r *reader) merge() error {
	for r.ctx.Err() == nil {
		for len(r.waiting) > 0 && (len(r.heads) == 0 || compareSources(r.waiting[0], r.heads[0]) < 0) {
			s := r.waiting[0]
			r.waiting = r.waiting[1:]
			r.start(s)
			if r.advance(s) {
				r.insert(s)
			}
		}
		if len(r.heads) == 0 {
			r.warn()
			break
		}
		s := r.heads[0]
		second := r.second()
		more := true
		for more && (second == nil || compareSources(s, second) < 0) && r.ctx.Err() == nil {
			r.hand(s)
			more = r.advance(s)
		}
		r.heads = r.heads[1:]
		if more {
			r.insert(s)
		}
	}
	return context.Cause(r.ctx)
}

// second is the source that comes after the first head, nil when that is alone.
func (r *reader) second() *source {
	var second *source
	for _, others := range [][]*source{r.heads[1:], r.waiting} {
		if len(others) > 0 && (second == nil || compareSources(others[0], second) < 0) {
			second = others[0]
		}
	}
	return second
}

// insert puts a source among the heads.
func (r *reader) insert(s *source) {
	i, _ := slices.BinarySearchFunc(r.heads, s, compareSources)
	r.heads = slices.Insert(r.heads, i, s)
}

// hand gives out the source's next record.
func (r *reader) hand(s *source) {
	c := s.now
	o := &c.outcomes[s.next-1]
	result := event.Result{Events: c.events[c.eventsBefore(s.next-1):o.events], Ignored: int(o.ignored), Rejected: o.rejected}
	if o.rejected != nil && r.o.Rejected != nil {
		r.o.Rejected(s.Name, int(c.lines[s.next-1]), o.rejected)
	}
	r.take(&result)
}

// advance goes to the source's next record. It is false behind the last one, after what was wrong has been told.
func (r *reader) advance(s *source) bool {
	for s.now == nil || s.next == len(s.now.outcomes) {
		if s.now != nil {
			s.spare <- s.now
			s.now = nil
		}
		c, ok := r.receive(s)
		if !ok {
			return false
		}
		s.now, s.next = c, 0
	}
	if from, to := s.now.eventsBefore(s.next), int(s.now.outcomes[s.next].events); from < to {
		s.at = max(s.at, nanos(s.now.events[from].Time))
	}
	s.next++
	return true
}

// receive waits for the source's next chunk. It is false when there is none, or everything ends.
func (r *reader) receive(s *source) (*chunk, bool) {
	var c *chunk
	select {
	case c = <-s.chunks:
	case <-r.ctx.Done():
		return nil, false
	}
	if c == nil { // closed
		if s.err != nil {
			r.failed(s.Name, s.err)
		}
		r.bounces[0] += s.bounces[0]
		r.bounces[1] += s.bounces[1]
		return nil, false
	}
	select {
	case <-c.ready:
		return c, true
	case <-r.ctx.Done():
		return nil, false
	}
}

// warn tells of Momentum logs that would look as if nothing ever bounced.
func (r *reader) warn() {
	if r.bounces[0] > 0 && r.bounces[1] == 0 && r.o.Warn != nil {
		r.o.Warn(fmt.Sprintf("there are mainlogs of Momentum with %d bounces (P), which do not count: give the bouncelogs too", r.bounces[0]))
	}
}

// start opens a source in a goroutine of its own.
func (r *reader) start(s *source) {
	s.chunks, s.spare = make(chan *chunk, r.ahead), make(chan *chunk, r.ahead+2)
	r.cutting.Go(func() {
		defer close(s.chunks)
		s.err = r.cut(s)
	})
}

// cut cuts a source into records and sends them off.
func (r *reader) cut(s *source) error {
	if s.Decoded != nil {
		decoded, err := s.Decoded(r.ctx)
		if err != nil {
			return err
		}
		return r.cutWith(s, &cutter{decoded: decoded, now: r.o.Now()})
	}
	file, err := s.Open()
	if err != nil {
		return err
	}
	defer file.Close() // was only read
	c, err := openCutter(file, r.o.Now(), r.o.MaxAhead)
	if err != nil {
		return err
	}
	return r.cutWith(s, c)
}

func (r *reader) cutWith(s *source, c *cutter) error {
	defer c.close()
	for {
		next := r.chunk(s)
		err := c.fill(next)
		if len(next.ends) > 0 || len(next.outcomes) > 0 {
			if !r.send(s, next) {
				return context.Cause(r.ctx)
			}
		}
		if err == io.EOF {
			s.bounces = c.bounces()
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// chunk is one to be filled, an old one when there is one.
func (r *reader) chunk(s *source) *chunk {
	select {
	case c := <-s.spare:
		c.reset()
		return c
	default:
		return newChunk(chunkRecords, chunkBytes*r.ahead/8)
	}
}

// send gives a chunk to the workers, unless it is decoded already, and to the one who hands out.
func (r *reader) send(s *source, c *chunk) bool {
	select {
	case s.chunks <- c:
	case <-r.ctx.Done():
		return false
	}
	if c.decoded {
		c.ready <- struct{}{}
		return true
	}
	select {
	case r.work <- c:
		return true
	case <-r.ctx.Done():
		return false
	}
}

// decode is a worker.
func (r *reader) decode() {
	d := newDecoder(&r.o)
	for c := range r.work {
		c.decode(d, r.o.Now())
		c.ready <- struct{}{}
	}
}
