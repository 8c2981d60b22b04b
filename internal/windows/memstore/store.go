package memstore

import (
	"hash/maphash"
	"math"
	"math/bits"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// Providers says which mailbox provider a recipient belongs to, and which providers send complaint reports.
type Providers interface {
	// Of returns the provider of a recipient's address, "" without an address.
	Of(recipient string) string
	// Reports tells whether complaints about mail at the provider come back to the sender.
	Reports(provider string) bool
}

// Options say what is counted and kept.
type Options struct {
	Combinations []windows.Combination // subjects
	Retention    windows.Retention     // of buckets; Trim applies it
	Late         time.Duration         // events older than this count as late; 0 = none is
	Horizon      time.Duration         // of repeats; 0 = off
	Engagement   *engagement.Rules     // nil = off: recipients are not looked at
	Providers    Providers             // required
}

// Store is the state. Make one with New.
type Store struct {
	o    Options
	hash maphash.Seed

	// What Prepare and Sift work on.
	repeats   *repeats
	tenants   map[string]*tenant
	routes    map[uint64]*route
	used      [windows.NumDimensions]bool // by some combination
	bounds    [512]engagement.Bounds      // of days, by day modulo size
	forgotten engagement.Day              // who was last seen before may go
	oldest    time.Time                   // of counted events
	newest    time.Time                   // likewise
	totals    Totals
	positions map[windows.Partition]*position
	fetched   uint64

	// What Tally works on.
	subjects []*Subject
	byKey    map[string]*Subject
	minute   int64 // the newest that was counted in
	due      []*Subject
	spareDue []*Subject // the list that Due gave out last
	key      []byte     // scratch
}

// Totals is what became of the events taken so far. Read is the sum of the others.
type Totals struct {
	Read, Counted, Duplicate, Late, Ignored int64
	Rejected                                map[event.Reason]int64
}

type tenant struct {
	name   string
	people people
}

type position struct {
	next   int64
	newest time.Time
}

// New returns an empty store.
func New(o Options) *Store {
	s := &Store{
		o: o, hash: maphash.MakeSeed(),
		repeats: newRepeats(int64(math.Ceil(o.Horizon.Seconds()))),
		tenants: map[string]*tenant{}, byKey: map[string]*Subject{}, routes: map[uint64]*route{},
		forgotten: engagement.Never, minute: math.MinInt64, positions: map[windows.Partition]*position{},
		totals: Totals{Rejected: map[event.Reason]int64{}},
	}
	for _, c := range o.Combinations {
		for _, d := range c {
			s.used[d] = true
		}
	}
	for i := range s.bounds {
		s.bounds[i].Day = engagement.Never
	}
	return s
}

// Add takes the outcome of one record of a partition, at its offset. Records below the partition's next offset have been
// taken and change nothing. now is the clock that "late" is measured by.
func (s *Store) Add(p windows.Partition, offset int64, r *event.Result, now time.Time) {
	at := s.positions[p]
	if at == nil {
		at = &position{next: math.MinInt64}
		s.positions[p] = at
	}
	if offset < at.next {
		return
	}
	at.next = offset + 1
	for i := range r.Events {
		if t := r.Events[i].Time; t.After(at.newest) {
			at.newest = t
		}
	}
	s.Take(r, now)
}

// Take is Add for what comes from no partition: a file.
func (s *Store) Take(r *event.Result, now time.Time) {
	for i := range r.Events {
		s.Count(&r.Events[i], now)
	}
	s.Note(r)
}

// Note takes what a record became besides events.
func (s *Store) Note(r *event.Result) {
	s.totals.Ignored += int64(r.Ignored)
	if r.Rejected != nil {
		s.totals.Rejected[r.Rejected.Reason]++
	}
}

// Count is the whole of contract section 2 for one event: late, duplicate or counted, in this order.
func (s *Store) Count(e *event.Event, now time.Time) {
	p, ok := s.Prepare(e, now)
	if !ok {
		return
	}
	if x, ok := s.Sift(&p); ok {
		s.Tally(x)
	}
}

// Prepared is an event that is not late, as Sift needs it. It holds nothing of the event's texts.
type Prepared struct {
	Seconds   int64 // its time, since 1970
	time      time.Time
	print     uint64 // fingerprint, 0 for an event that is never a repeat
	recipient uint64 // hash; meant for anything only when known
	known     bool   // it has a recipient
	kind      engagement.Kind
	counters  uint32 // one bit each, without those by the recipient's state
	route     *route
}

// Prepare is the first of three steps that make up Count. It is false for a late event, which is then done with. Sift and Tally
// are the others. Prepare and Sift belong to one goroutine, Tally may go on in another: it shares nothing with them.
// Everything else waits for all of them.
func (s *Store) Prepare(e *event.Event, now time.Time) (Prepared, bool) {
	if s.o.Late > 0 && now.Sub(e.Time) > s.o.Late {
		s.totals.Late++
		return Prepared{}, false
	}
	p := Prepared{
		Seconds: e.Time.Unix(), time: e.Time, recipient: maphash.String(s.hash, e.Recipient),
		known: s.o.Engagement != nil && e.Recipient != "", kind: engagement.KindOf(e), route: s.route(e),
	}
	if s.o.Horizon > 0 {
		p.print = s.fingerprint(e, p.recipient)
	}
	first, second, two := windows.CountersOf(e)
	p.counters = 1 << first
	if two {
		p.counters |= 1 << second
	}
	if first == windows.Delivered && p.route.reports {
		p.counters |= 1 << windows.DeliveredReporting
	}
	return p, true
}

// Prefetch reads the memory that sifting these events will need, all at once: one after the other, each would have to wait for
// it.
func (s *Store) Prefetch(list []Prepared) {
	var sum uint64
	for i := range list {
		p := &list[i]
		sum += s.repeats.touch(p.print)
		if t := p.route.tenant; t != nil && p.known {
			sum += t.people.touch(p.recipient)
		}
	}
	s.fetched += sum // so that no compiler leaves it out
}

// Sifted is an event that counts: for whom, when and as what.
type Sifted struct {
	Seconds  int64 // its time, since 1970
	route    *route
	counters uint32 // one bit each
}

// Sift finds out whether an event is a repeat and, when it is none, takes it into its recipient's record. Events come in the
// order in which they were prepared.
func (s *Store) Sift(p *Prepared) (Sifted, bool) {
	if p.print != 0 && s.repeats.seen(p.print, p.Seconds) {
		s.totals.Duplicate++
		return Sifted{}, false
	}
	s.totals.Counted++
	if p.time.After(s.newest) {
		s.advance(p.time, p.Seconds)
	}
	if s.oldest.IsZero() || p.time.Before(s.oldest) {
		s.oldest = p.time
	}
	if p.route.tenant == nil {
		p.route.tenant = s.tenant(p.route.values[windows.Tenant])
	}
	return Sifted{p.Seconds, p.route, p.counters | s.see(p)}, true
}

func (s *Store) tenant(name string) *tenant {
	t := s.tenants[name]
	if t == nil {
		t = &tenant{name: name}
		s.tenants[name] = t
	}
	return t
}

// Tally counts a sifted event for all its subjects.
func (s *Store) Tally(x Sifted) {
	minute := windows.Minute.BucketOf(x.Seconds)
	early := minute < s.minute
	s.minute = max(s.minute, minute)
	var list [4]windows.Counter
	add := list[:0]
	for c := x.counters; c != 0; c &= c - 1 {
		add = append(add, windows.Counter(bits.TrailingZeros32(c)))
	}
	first, second := quotasOf(x.counters)
	for _, sub := range s.subjectsOf(x.route) {
		if sub.minute != minute {
			sub.turn(minute)
		}
		sub.early, sub.fresh = sub.early || early, true
		for _, c := range add {
			sub.pending[c]++
		}
		if first >= 0 && sub.use(first) || second >= 0 && sub.use(second) {
			if !sub.due {
				sub.due = true
				s.due = append(s.due, sub)
			}
		}
	}
}

// quotasOf says which quotas an event with these counters uses, -1 for none.
func quotasOf(counters uint32) (first, second int) {
	const bounced = 1<<windows.BouncedHard | 1<<windows.BouncedSoft | 1<<windows.BouncedBlock | 1<<windows.BouncedUndetermined
	switch {
	case counters&(1<<windows.DeliveredSuppressed) != 0:
		return quotaVolume, int(windows.Suppressed)
	case counters&(1<<windows.Delivered) != 0:
		return quotaVolume, -1
	case counters&bounced != 0:
		return quotaVolume, int(windows.Bounce)
	case counters&(1<<windows.Complained) != 0:
		return int(windows.Complaint), -1
	case counters&(1<<windows.Unsubscribed) != 0:
		return int(windows.Unsubscribe), -1
	}
	return -1, -1
}

func (s *Store) advance(t time.Time, seconds int64) {
	s.newest = t
	s.repeats.advance(seconds)
	if s.o.Engagement != nil {
		// A month of grace beyond being forgotten, for events that come late.
		s.forgotten = s.boundsOf(engagement.DayOf(t)).Forgotten - 31
	}
}

// fingerprint hashes what makes two events the same: type, recipient and id; without an id the message and the time. It is 0
// for an event that has neither.
func (s *Store) fingerprint(e *event.Event, recipient uint64) uint64 {
	h := mix(recipient, uint64(e.Type))
	switch {
	case e.ID != "":
		h = mix(h, maphash.String(s.hash, e.ID))
	case e.MessageID != "":
		h = mix(h, maphash.String(s.hash, e.MessageID))
		h = mix(h, uint64(e.Time.Unix()))
		h = mix(h, uint64(e.Time.Nanosecond())+1)
	default:
		return 0
	}
	return max(h, 1)
}

// see takes the event into its recipient's record. For a delivery it returns the counters that the recipient's state on that
// day adds to.
func (s *Store) see(p *Prepared) uint32 {
	if !p.known {
		return 0
	}
	at, b := engagement.InstantOf(p.time), s.boundsOf(engagement.Day(windows.Day.BucketOf(p.Seconds)))
	r := p.route.tenant.people.see(p.recipient, p.kind, at, b, s.forgotten)
	if p.counters&(1<<windows.Delivered) == 0 {
		return 0
	}
	var add uint32
	switch r.State(b) {
	case engagement.Engaged:
		add = 1 << windows.DeliveredEngaged
	case engagement.New:
		add = 1 << windows.DeliveredNew
	case engagement.Unengaged:
		add = 1 << windows.DeliveredUnengaged
	}
	if r.SuppressedFor(at, s.o.Engagement.HonourWithin) {
		add |= 1 << windows.DeliveredSuppressed
	}
	return add
}

func (s *Store) boundsOf(d engagement.Day) *engagement.Bounds {
	b := &s.bounds[uint32(d)%uint32(len(s.bounds))]
	if b.Day != d {
		*b = s.o.Engagement.At(d)
	}
	return b
}

// mix combines two hashes into one that depends on both and on their order.
func mix(a, b uint64) uint64 {
	x := (a ^ 0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd
	x ^= x>>32 ^ b
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>29
}
