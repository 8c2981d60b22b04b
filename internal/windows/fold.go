package windows

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"sendwatch/internal/event"
)

// Hasher makes keyed hashes of addresses (HMAC-SHA-256), so that nothing that is kept names anybody. It need not be safe for
// concurrent use.
type Hasher interface {
	Sum(tenant, recipient string) [32]byte
}

// FoldOptions say what a fold counts. The store that the fold is for gives them out.
type FoldOptions struct {
	Combinations []Combination // subjects
	Shards       int           // home shards of the state, at least 1
	Late         time.Duration // events older than this are late; 0 = none is
	Repeats      bool          // tell repeats from new events
	Providers    *Providers
	Hasher       Hasher
	// Kind says what an event means to its recipient's record, 0 for nothing; nil turns recipients off.
	Kind func(*event.Event) uint8
}

// Fold turns the events of many records into what they add to the state, apart for each home shard: counts by subject and
// minute, and what has to be looked up there (repeats, recipients). It covers a run of offsets of each of its partitions.
//
// It keeps what it has interned and its buffers over Reset, so that at steady state nothing is allocated per event. It is not
// safe for concurrent use.
type Fold struct {
	o      FoldOptions
	routes routes
	works  []Work
	parts  map[Partition]*Run
	order  []*Run
	spare  []*Run
	last   *Run
	events int
	seed   uint64 // secret, of the hashes that are kept
	buf    []byte
}

// Run is what a fold covers of one partition.
type Run struct {
	Partition Partition
	From      []int64   // by shard: the offset that the shard has to stand at
	Next      int64     // the offset after the last one taken
	Newest    time.Time // newest time of an event in it, zero when there is none
	TopicID   string    // "" = as it was
	Lost      []int64   // by shard: records that were gone before they could be read, and that it does not know of yet
}

// Moves tells whether the run moves the shard's position. It does not when that shard has been further already.
func (r *Run) Moves(shard int) bool { return r.Next > r.From[shard] }

// Tally is what became of events and records, besides counts.
type Tally struct {
	Counted, Duplicate, Late, Ignored int64
	Rejected                          map[event.Reason]int64
}

// NewFold returns an empty fold.
func NewFold(o FoldOptions) *Fold {
	f := &Fold{o: o, routes: newRoutes(o.Combinations, o.Shards, o.Providers), works: make([]Work, o.Shards), parts: map[Partition]*Run{}}
	sum := o.Hasher.Sum("", "")
	f.seed = binary.LittleEndian.Uint64(sum[:])
	return f
}

// Start makes the fold take records of a partition. next is, by shard, the offset that the state stands at, -1 for a shard
// that has nothing of it yet. A partition that has been started is not started again before Reset.
func (f *Fold) Start(p Partition, next []int64) {
	if len(next) != f.o.Shards {
		panic("windows: start with positions of another number of shards")
	}
	if f.parts[p] != nil {
		panic("windows: partition started twice")
	}
	var r *Run
	if n := len(f.spare); n > 0 {
		r, f.spare = f.spare[n-1], f.spare[:n-1]
	} else {
		r = new(Run)
	}
	*r = Run{Partition: p, From: append(r.From[:0], next...), Next: math.MinInt64, Lost: append(r.Lost[:0], make([]int64, len(next))...)}
	f.parts[p] = r
	f.order = append(f.order, r)
}

// Started tells whether the fold takes records of the partition.
func (f *Fold) Started(p Partition) bool { return f.parts[p] != nil }

// Follow starts every partition of the fold before this one where that one ends.
func (f *Fold) Follow(before *Fold) {
	next := make([]int64, f.o.Shards)
	for _, r := range before.order {
		for s := range next {
			next[s] = max(r.From[s], r.Next)
		}
		f.Start(r.Partition, next)
	}
}

// Add takes the outcome of one record: its events, what was ignored and what was rejected. A shard that has the record
// already is left alone. now is the clock that "late" is measured by. The strings of the events are not kept.
func (f *Fold) Add(p Partition, offset int64, r *event.Result, now time.Time) {
	run := f.run(p)
	for i := range r.Events {
		e := &r.Events[i]
		if e.Time.After(run.Newest) {
			run.Newest = e.Time
		}
		f.count(run, offset, e, now)
	}
	if offset >= run.From[0] {
		t := &f.works[0].Tally
		t.Ignored += int64(r.Ignored)
		if r.Rejected != nil {
			t.reject(r.Rejected.Reason)
		}
	}
	f.events += max(1, len(r.Events))
	run.Next = max(run.Next, offset+1)
}

// Advance notes that everything below next has been taken, records without a trace (control records) too.
func (f *Fold) Advance(p Partition, next int64) {
	run := f.run(p)
	run.Next = max(run.Next, next)
}

// Lost notes that the next n records of the partition were gone before they could be read: for a shard that has nothing of it yet,
// from offset 0 on.
func (f *Fold) Lost(p Partition, n int64) {
	run := f.run(p)
	first := run.Next
	if first == math.MinInt64 {
		first = max(slices.Min(run.From), 0)
	}
	next := first + n
	for shard, from := range run.From {
		run.Lost[shard] += max(next-max(first, from), 0)
	}
	run.Next = max(run.Next, next)
}

// Topic notes the id of the topic that the partition's records come from; it is kept with the position.
func (f *Fold) Topic(p Partition, id string) { f.run(p).TopicID = id }

// Len is about how many events the fold holds; records without events count as one.
func (f *Fold) Len() int { return f.events }

// Runs are the partitions with what the fold covers of them. They stay the fold's own.
func (f *Fold) Runs() []*Run { return f.order }

// Shards is the number of home shards.
func (f *Fold) Shards() int { return f.o.Shards }

// Work is what the fold adds to one shard. It stays the fold's own.
func (f *Fold) Work(shard int) *Work { return &f.works[shard] }

// Reset empties the fold; partitions have to be started again.
func (f *Fold) Reset() {
	for i := range f.works {
		f.works[i].reset()
	}
	for _, r := range f.order {
		delete(f.parts, r.Partition)
		f.spare = append(f.spare, r)
	}
	f.order, f.last, f.events = f.order[:0], nil, 0
	f.routes.bound()
}

func (f *Fold) run(p Partition) *Run {
	if f.last != nil && f.last.Partition == p {
		return f.last
	}
	f.last = f.parts[p]
	if f.last == nil {
		panic("windows: record of a partition that was not started")
	}
	return f.last
}

// count takes one event: late, duplicate within the fold, or counted, in this order. Whether the state has it already is the
// store's to find out.
func (f *Fold) count(run *Run, offset int64, e *event.Event, now time.Time) {
	seconds := e.Time.Unix()
	minute := Minute.BucketOf(seconds)
	// What lies outside the minutes that a cell can hold is older than any retention, or ahead of any clock.
	if f.o.Late > 0 && now.Sub(e.Time) > f.o.Late || uint64(minute) > maxMinute {
		if offset >= run.From[0] {
			f.works[0].Tally.Late++
		}
		return
	}
	home := f.home(run, offset, e)
	if offset < run.From[home] {
		return
	}
	w := &f.works[home]
	var address [16]byte
	if e.Recipient != "" && (f.o.Repeats || f.o.Kind != nil) {
		sum := f.o.Hasher.Sum("", e.Recipient)
		address = [16]byte(sum[:16])
	}
	var item Item
	if f.o.Repeats {
		if item.Print = f.fingerprint(e, &address); item.Print != 0 && !w.seen.Add(item.Print) {
			w.Tally.Duplicate++
			return
		}
	}
	route, r := f.routes.find(e)
	item.Route, item.Minute = route, int32(minute)
	item.first, item.second, item.two = CountersOf(e)
	item.reports = item.first == Delivered && r.reports
	if f.o.Kind != nil && e.Recipient != "" {
		if item.Kind = f.o.Kind(e); item.Kind != 0 {
			item.Who = f.who(&address, r.Tenant)
		}
	}
	w.Tally.Counted++
	w.count(&item, r.Subjects, 1)
	if item.Print != 0 || item.Who != 0 {
		item.At = e.Time.UnixNano()
		w.Items = append(w.Items, item)
	} else {
		w.newest = max(w.newest, seconds)
	}
}

// home is the event's home shard: a hash of the recipient; without one, of what makes it the same event; without that, of its
// position. No key goes into it: it must stay what it is when keys change.
func (f *Fold) home(run *Run, offset int64, e *event.Event) int {
	if f.o.Shards == 1 {
		return 0
	}
	var h uint64
	switch {
	case e.Recipient != "":
		h = xxhash.Sum64String(e.Recipient)
	case e.ID != "":
		f.buf = append(append(f.buf[:0], byte(e.Type), 'i'), e.ID...)
		h = xxhash.Sum64(f.buf)
	case e.MessageID != "":
		f.buf = append(append(f.buf[:0], byte(e.Type), 'm'), e.MessageID...)
		h = xxhash.Sum64(appendTime(f.buf, e.Time))
	default:
		f.buf = binary.LittleEndian.AppendUint64(f.buf[:0], uint64(offset))
		f.buf = binary.LittleEndian.AppendUint32(f.buf, uint32(run.Partition.ID))
		h = xxhash.Sum64(append(f.buf, run.Partition.Topic...))
	}
	return int(h % uint64(f.o.Shards))
}

// fingerprint hashes what makes two events the same (contract, section 2); 0 for an event that is never a repeat. Two
// different events share one with a chance of 2^-64.
func (f *Fold) fingerprint(e *event.Event, address *[16]byte) uint64 {
	b := binary.LittleEndian.AppendUint64(f.buf[:0], f.seed)
	b = append(b, address[:]...)
	switch {
	case e.ID != "":
		b = append(append(b, byte(e.Type), 'i'), e.ID...)
	case e.MessageID != "":
		b = appendTime(append(b, byte(e.Type), 'm'), e.Time)
		b = append(b, e.MessageID...)
	default:
		return 0
	}
	f.buf = b
	h := xxhash.Sum64(b)
	if h>>16 == 0 { // stores may use numbers that begin with zeros for something else
		h |= 1 << 63
	}
	return h
}

// who names the recipient of a tenant in 56 bits, of which two among ten million are the same with a chance of 1 in 1,400.
func (f *Fold) who(address *[16]byte, tenant string) uint64 {
	f.buf = append(append(f.buf[:0], address[:]...), tenant...)
	h := xxhash.Sum64(f.buf) >> 8
	if h>>8 == 0 { // stores may use numbers that begin with zeros for something else
		h |= 1 << 55
	}
	return h
}

// Who is the number under which a store keeps a recipient of a tenant, as folds name it in Item.Who, and its home shard.
func Who(h Hasher, shards int, tenant, recipient string) (who uint64, shard int) {
	sum := h.Sum("", recipient)
	f := Fold{}
	return f.who((*[16]byte)(sum[:16]), tenant), int(xxhash.Sum64String(recipient) % uint64(shards))
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.LittleEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

func (t *Tally) reject(reason event.Reason) {
	if t.Rejected == nil {
		t.Rejected = map[event.Reason]int64{}
	}
	t.Rejected[reason]++
}

// Zero tells whether nothing was tallied.
func (t *Tally) Zero() bool {
	return t.Counted|t.Duplicate|t.Late|t.Ignored == 0 && len(t.Rejected) == 0
}

// stringHash is the hash by which a process finds what it has interned; it is never kept.
func stringHash(seed maphash.Seed, s string) uint64 { return maphash.String(seed, s) }
