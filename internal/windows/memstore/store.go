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

	// What Sift works on.
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
	if x, ok := s.Sift(e, now); ok {
		s.Tally(x)
	}
}

// Sifted is an event that counts: for whom, when and as what.
type Sifted struct {
	Seconds  int64 // its time, since 1970
	route    *route
	counters uint32 // one bit each
}

// Sift is the first half of Count: it finds out whether the event counts, and takes it into its recipient's record. The second
// half is Tally, which may go on in another goroutine: the two share nothing. Everything else waits for both.
func (s *Store) Sift(e *event.Event, now time.Time) (Sifted, bool) {
	if s.o.Late > 0 && now.Sub(e.Time) > s.o.Late {
		s.totals.Late++
		return Sifted{}, false
	}
	seconds := e.Time.Unix()
	recipient := maphash.String(s.hash, e.Recipient)
	if s.o.Horizon > 0 {
		if print, ok := s.fingerprint(e, recipient); ok && s.repeats.seen(print, seconds) {
			s.totals.Duplicate++
			return Sifted{}, false
		}
	}
	s.totals.Counted++
	if e.Time.After(s.newest) {
		s.advance(e.Time, seconds)
	}
	if s.oldest.IsZero() || e.Time.Before(s.oldest) {
		s.oldest = e.Time
	}
	r := s.route(e)
	return Sifted{seconds, r, s.countersOf(e, r, recipient, seconds)}, true
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
		sub.early = sub.early || early
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

// countersOf says which counters the event adds 1 to, and takes it into its recipient's record.
func (s *Store) countersOf(e *event.Event, r *route, recipient uint64, seconds int64) uint32 {
	first, second, two := windows.CountersOf(e)
	add := uint32(1) << first
	if two {
		add |= 1 << second
	}
	state, suppressed := s.recipient(r.tenant, e, recipient, seconds)
	if first != windows.Delivered {
		return add
	}
	if r.reports {
		add |= 1 << windows.DeliveredReporting
	}
	switch state {
	case engagement.Engaged:
		add |= 1 << windows.DeliveredEngaged
	case engagement.New:
		add |= 1 << windows.DeliveredNew
	case engagement.Unengaged:
		add |= 1 << windows.DeliveredUnengaged
	}
	if suppressed {
		add |= 1 << windows.DeliveredSuppressed
	}
	return add
}

func (s *Store) advance(t time.Time, seconds int64) {
	s.newest = t
	s.repeats.advance(seconds)
	if s.o.Engagement != nil {
		// A month of grace beyond being forgotten, for events that come late.
		s.forgotten = s.boundsOf(engagement.DayOf(t)).Forgotten - 31
	}
}

// fingerprint hashes what makes two events the same: type, recipient and id; without an id the message and the time. It is
// false for an event that has neither.
func (s *Store) fingerprint(e *event.Event, recipient uint64) (uint64, bool) {
	h := mix(recipient, uint64(e.Type))
	switch {
	case e.ID != "":
		return mix(h, maphash.String(s.hash, e.ID)), true
	case e.MessageID != "":
		h = mix(h, maphash.String(s.hash, e.MessageID))
		h = mix(h, uint64(e.Time.Unix()))
		return mix(h, uint64(e.Time.Nanosecond())+1), true
	}
	return 0, false
}

// recipient takes the event into its recipient's record. For a delivery it returns the recipient's state on that day and
// whether it came too long after an unsubscribe or complaint.
func (s *Store) recipient(t *tenant, e *event.Event, hash uint64, seconds int64) (engagement.State, bool) {
	if s.o.Engagement == nil || e.Recipient == "" {
		return engagement.Unknown, false
	}
	kind, at := engagement.KindOf(e), engagement.InstantOf(e.Time)
	b := s.boundsOf(engagement.Day(windows.Day.BucketOf(seconds)))
	r := t.people.see(hash, kind, at, b, s.forgotten)
	if e.Type != event.Delivery {
		return engagement.Unknown, false
	}
	return r.State(b), r.SuppressedFor(at, s.o.Engagement.HonourWithin)
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
