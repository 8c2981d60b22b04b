package redisstore

import (
	"context"
	"encoding/binary"
	"slices"
	"strconv"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// dayBase is the day before the first one that recipients are kept by: 1999-12-31. Days are kept in 15 bits; earlier and later
// ones (from 2089-09-17) are taken as the first and the last.
const (
	dayBase = 10956
	lastDay = 1<<15 - 1
)

// storedDay is how a day is kept. 0 stands for before all others: never.
func storedDay(d engagement.Day) uint16 {
	return uint16(min(max(int64(d)-dayBase, 0), lastDay))
}

func dayStored(n uint16) engagement.Day {
	if n == 0 {
		return engagement.Never
	}
	return engagement.Day(n) + dayBase
}

// storedTime is how an instant is kept. 0 stands for never.
func storedTime(at engagement.Instant) uint64 {
	if at == engagement.NeverAt {
		return 0
	}
	return uint64(min(max(at, 0), 1<<62-1)) + 1
}

func timeStored(n uint64) engagement.Instant {
	if n == 0 {
		return engagement.NeverAt
	}
	return engagement.Instant(n - 1)
}

// A bucket of recipients is a string of entries of 13 bytes, free ones (all zero) last: who (7), first, newest and newest
// interaction day (2 each, as stored). The top bits of the three tell that there is an unsubscribe, complaint, opt-in in xu, xc, xo: strings of
// entries of 15 bytes, who (7) and time (8). xh, hard bounces, has no bit.
const (
	personBytes = whoBytes + daysBytes
	sideBytes   = whoBytes + 8
	freePerson  = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
)

// aside is what is kept of few recipients, in buckets beside theirs.
type aside uint8

const (
	unsubscribes aside = iota
	complaints
	optIns
	hardBounces
	numAsides int = iota
)

var asideNames = [numAsides]string{"xu:", "xc:", "xo:", "xh:"}

// asideOf is where an event of the kind is kept beside its recipient.
func asideOf(k engagement.Kind) (aside, bool) {
	switch k {
	case engagement.Unsubscribe:
		return unsubscribes, true
	case engagement.Complaint:
		return complaints, true
	case engagement.OptIn:
		return optIns, true
	case engagement.HardBounce:
		return hardBounces, true
	}
	return 0, false
}

// sides are the buckets beside those of recipients that a batch needs.
type sides struct {
	list []side
	of   index // number plus 1, by bucket and aside
}

type side struct {
	what   aside
	bucket uint32
	text   string
	dirty  bool
}

func (x *sides) reset() {
	x.list = x.list[:0]
	x.of.reset()
}

func sideKey(what aside, bucket uint32) uint64 { return uint64(bucket)<<3 | uint64(what) + 1 }

func (x *sides) need(what aside, bucket uint32) {
	if n := x.of.at(sideKey(what, bucket)); *n == 0 {
		x.list = append(x.list, side{what: what, bucket: bucket})
		*n = uint32(len(x.list))
	}
}

func (x *sides) get(what aside, bucket uint32) *side {
	return &x.list[*x.of.at(sideKey(what, bucket))-1]
}

// since is the time kept for a recipient.
func (x *side) since(who string) engagement.Instant {
	p := findEntry(x.text, who, sideBytes)
	if p < 0 {
		return engagement.NeverAt
	}
	return timePacked(x.text[p+whoBytes:])
}

// keep has the time kept, or none when it is engagement.NeverAt.
func (x *side) keep(who string, at engagement.Instant) {
	p := findEntry(x.text, who, sideBytes)
	stored := storedTime(at)
	if p >= 0 {
		x.text = x.text[:p] + x.text[p+sideBytes:]
	} else if stored == 0 {
		return
	}
	if stored != 0 {
		x.text += string(binary.BigEndian.AppendUint64([]byte(who), stored))
	}
	x.dirty = true
}

// person is a recipient of whom a batch has events.
type person struct {
	from, to int // references
	at       int // place of the entry in its bucket, -1 = there is none
}

// encodePeople takes the events into the records of their recipients, in the order in which they were read, and counts deliveries by
// what their recipients are at that moment.
func (e *encoder) encodePeople(ctx context.Context, s *Store, sh *shard, v view) error {
	e.cohorts.reset()
	e.tenants, e.tenantOf = e.tenants[:0], resize(e.tenantOf, e.fold.Routes())
	return s.readChunks(ctx, sh, v, "r:", e.personRuns, func(runs []bucketRun, buckets []packed) error {
		e.findPeople(runs, buckets)
		if err := e.readSides(ctx, s, sh, v); err != nil {
			return err
		}
		at := 0
		for i, run := range runs {
			e.added = e.added[:0]
			for ; at < len(e.people) && e.people[at].from < run.to; at++ {
				e.encodePerson(&e.people[at], run.bucket, buckets[i])
			}
			if len(e.added) > 0 {
				e.addPeople(run.bucket, buckets[i])
			}
		}
		for i := range e.sides.list {
			if x := &e.sides.list[i]; x.dirty {
				e.set(asideNames[x.what], x.bucket, []byte(x.text))
			}
		}
		return nil
	})
}

// findPeople finds the entries of all recipients and which buckets beside theirs are needed.
func (e *encoder) findPeople(runs []bucketRun, buckets []packed) {
	e.people = e.people[:0]
	e.sides.reset()
	for i, run := range runs {
		text := buckets[i].text
		for from := run.from; from < run.to; {
			who := e.work.Items[e.personRefs[from].item].Who
			name := nameOf(who)
			p := person{from: from, to: from, at: findEntry(text, string(name[:]), personBytes)}
			last := engagement.Never
			if p.at >= 0 {
				flags := text[p.at+whoBytes : p.at+personBytes]
				for what, top := range [...]byte{unsubscribes: flags[0], complaints: flags[2], optIns: flags[4]} {
					if top >= 0x80 {
						e.sides.need(aside(what), run.bucket)
					}
				}
				last = dayPacked(flags[2:])
			}
			gone := true
			for ; p.to < run.to; p.to++ {
				it := &e.work.Items[e.personRefs[p.to].item]
				if it.Who != who {
					break
				}
				if it.Gone {
					continue
				}
				gone = false
				if what, ok := asideOf(engagement.Kind(it.Kind)); ok {
					e.sides.need(what, run.bucket)
				}
				if p.at >= 0 && last < e.bounds.of(e.rules, dayOf(it)).Forgotten {
					e.sides.need(hardBounces, run.bucket)
				}
			}
			if !gone {
				e.people = append(e.people, p)
			}
			from = p.to
		}
	}
}

// readSides reads the buckets that findPeople asked for.
func (e *encoder) readSides(ctx context.Context, s *Store, sh *shard, v view) error {
	if len(e.sides.list) == 0 {
		return nil
	}
	names := make([]string, len(e.sides.list))
	for i, x := range e.sides.list {
		names[i] = asideNames[x.what] + strconv.FormatUint(uint64(x.bucket), 10)
	}
	buckets, err := s.readBuckets(ctx, sh, v, names)
	for i, b := range buckets {
		e.sides.list[i].text = b.text
	}
	return err
}

// dayOf is the day of an item, within those that can be stored.
func dayOf(it *windows.Item) engagement.Day {
	return min(max(engagement.Day(int64(it.Minute)/(24*60)), dayBase+1), dayBase+lastDay)
}

// encodePerson takes the events of one recipient into the record. A new one is appended to added.
func (e *encoder) encodePerson(p *person, bucket uint32, b packed) {
	first := &e.work.Items[e.personRefs[p.from].item]
	name := nameOf(first.Who)
	who := string(name[:])
	r := engagement.NewRecipient()
	var was [daysBytes]byte
	if p.at >= 0 {
		copy(was[:], b.text[p.at+whoBytes:])
		r = e.record(was, who, bucket)
	}
	before, hard := r, false
	for _, ref := range e.personRefs[p.from:p.to] {
		it := &e.work.Items[ref.item]
		if it.Gone {
			continue
		}
		at, bounds := engagement.Instant(it.At), e.bounds.of(e.rules, dayOf(it))
		if !hard && (engagement.Kind(it.Kind) == engagement.HardBounce || p.at >= 0 && before.Last < bounds.Forgotten) {
			hard = true
			if p.at >= 0 {
				before.HardBounced = e.sides.get(hardBounces, bucket).since(who)
				r.HardBounced = before.HardBounced
			}
		}
		r.See(engagement.Kind(it.Kind), at, bounds)
		if it.Delivery() {
			state := windows.Sent
			switch r.State(bounds) {
			case engagement.Engaged:
				state = windows.DeliveredEngaged
			case engagement.New:
				state = windows.DeliveredNew
			case engagement.Unengaged:
				state = windows.DeliveredUnengaged
			}
			e.fold.Deliver(e.shard, int(ref.item), state, r.SuppressedFor(at, e.rules.HonourWithin))
		}
	}
	for what, times := range [numAsides][2]engagement.Instant{
		unsubscribes: {before.Unsubscribed, r.Unsubscribed}, complaints: {before.Complained, r.Complained},
		optIns: {before.OptedIn, r.OptedIn}, hardBounces: {before.HardBounced, r.HardBounced},
	} {
		if times[0] != times[1] {
			e.sides.get(aside(what), bucket).keep(who, times[1])
		}
	}
	now := packDays(&r)
	if p.at >= 0 {
		if now != was {
			e.moveCohorts(first.Route, &before, -1)
			e.moveCohorts(first.Route, &r, 1)
			e.patch("r:", bucket, p.at+whoBytes, now[:])
		}
		return
	}
	e.moveCohorts(first.Route, &r, 1)
	e.added = append(append(e.added, who...), now[:]...)
}

// record is what a bucket, and those beside it, hold of a recipient. Hard bounces are left out.
func (e *encoder) record(days [daysBytes]byte, who string, bucket uint32) engagement.Recipient {
	text := string(days[:])
	r := engagement.NewRecipient()
	r.First, r.Last, r.Interacted = dayPacked(text[0:]), dayPacked(text[2:]), dayPacked(text[4:])
	if days[0] >= 0x80 {
		r.Unsubscribed = e.sides.get(unsubscribes, bucket).since(who)
	}
	if days[2] >= 0x80 {
		r.Complained = e.sides.get(complaints, bucket).since(who)
	}
	if days[4] >= 0x80 {
		r.OptedIn = e.sides.get(optIns, bucket).since(who)
	}
	return r
}

func packDays(r *engagement.Recipient) (days [daysBytes]byte) {
	binary.BigEndian.PutUint16(days[0:], storedDay(r.First))
	binary.BigEndian.PutUint16(days[2:], storedDay(r.Last))
	binary.BigEndian.PutUint16(days[4:], storedDay(r.Interacted))
	for i, at := range [...]engagement.Instant{r.Unsubscribed, r.Complained, r.OptedIn} {
		if at != engagement.NeverAt {
			days[2*i] |= 0x80
		}
	}
	return days
}

// moveCohorts counts a record in its cohorts, or takes it out of them.
func (e *encoder) moveCohorts(route uint32, r *engagement.Recipient, n int32) {
	tenant := uint64(e.tenant(route)) << 24
	move := func(kind byte, day engagement.Day) {
		*e.cohorts.at(tenant | uint64(kind)<<16 | uint64(storedDay(day))) += uint32(n)
	}
	move('s', r.Last)
	if r.Interacted != engagement.Never {
		move('i', r.Interacted)
	} else {
		move('n', r.First)
	}
}

// tenant numbers the tenant of a route among those of this batch, from 1.
func (e *encoder) tenant(route uint32) uint32 {
	if n := e.tenantOf[route]; n != 0 {
		return n
	}
	// Routes of one tenant share a number; tenants are few and batches large, so the list is looked through once a route.
	name := e.fold.Route(route).Tenant
	n := slices.Index(e.tenants, name)
	if n < 0 {
		n = len(e.tenants)
		e.tenants = append(e.tenants, name)
	}
	e.tenantOf[route] = uint32(n + 1)
	return e.tenantOf[route]
}

// addPeople puts the new entries into a bucket: in free places when there are enough of them.
func (e *encoder) addPeople(bucket uint32, b packed) {
	e.addedRecipients += int64(len(e.added) / personBytes)
	stop := freePlace(b.text, 0, freePerson)
	if b.there && stop+len(e.added) <= len(b.text) {
		e.patch("r:", bucket, stop, e.added)
		return
	}
	e.whole = padded(append(append(e.whole[:0], b.text[:stop]...), e.added...))
	e.set("r:", bucket, e.whole)
}

// nameOf is how a recipient is named in buckets.
func nameOf(who uint64) (name [whoBytes]byte) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], who)
	copy(name[:], b[1:])
	return name
}

// daysBounds remembers the bounds of the days that were asked for last.
type daysBounds [64]engagement.Bounds

func (b *daysBounds) of(rules *engagement.Rules, d engagement.Day) *engagement.Bounds {
	have := &b[uint64(d)%uint64(len(b))]
	if have.Day != d {
		*have = rules.At(d)
	}
	return have
}

// resize makes room for every route of a fold.
func resize(list []uint32, n int) []uint32 {
	if cap(list) < n {
		list = make([]uint32, n, n+n/2)
	}
	list = list[:n]
	clear(list)
	return list
}
