package memstore

import (
	"math/bits"

	"sendwatch/internal/engagement"
)

// people are the recipients of one tenant: 16 bytes a slot, and a row beside for those with anything that can suppress.
// Recipients are told apart by 63 bits of a keyed hash; addresses are not kept.
type people struct {
	segs  [peopleSegs]peopleSeg
	marks map[uint64]marks
}

const peopleSegs = 16

type peopleSeg struct {
	slots []person
	used  int
}

// person is one recipient: hash with the lowest bit telling whether there are marks (0 = empty slot), and the packed days.
type person struct{ key, days uint64 }

// marks are the parts of a record that few recipients have.
type marks struct{ unsubscribed, complained, hardBounced, optedIn engagement.Instant }

// The days of a record in one word: the first event (22 bits, from the year 0 on), then how many days later the newest event
// and the newest interaction were (21 bits each, all ones = no interaction). A recipient is forgotten long before
// those could overflow.
const (
	dayBase  = -719528 // 0000-01-01
	diffBits = 21
	noDiff   = 1<<diffBits - 1
)

func pack(r *engagement.Recipient) uint64 {
	acted := uint64(noDiff)
	if r.Interacted != engagement.Never {
		acted = uint64(r.Interacted - r.First)
	}
	return uint64(r.First-dayBase)<<(2*diffBits) | uint64(r.Last-r.First)<<diffBits | acted
}

func unpack(days uint64) engagement.Recipient {
	r := engagement.NewRecipient()
	r.First = engagement.Day(days>>(2*diffBits)) + dayBase
	r.Last = r.First + engagement.Day(days>>diffBits&noDiff)
	if acted := days & noDiff; acted != noDiff {
		r.Interacted = r.First + engagement.Day(acted)
	}
	return r
}

// get returns the record of the recipient with this hash.
func (p *people) get(hash uint64) engagement.Recipient {
	key := personKey(hash)
	seg := &p.segs[key>>(64-4)]
	if len(seg.slots) == 0 {
		return engagement.NewRecipient()
	}
	if s := &seg.slots[seg.find(key)]; s.key != 0 {
		return p.load(s)
	}
	return engagement.NewRecipient()
}

// touch reads where the record of the recipient would be.
func (p *people) touch(hash uint64) uint64 {
	key := personKey(hash)
	seg := &p.segs[key>>(64-4)]
	if len(seg.slots) == 0 {
		return 0
	}
	return seg.slots[int(key>>1)&(len(seg.slots)-1)].key
}

func (p *people) load(s *person) engagement.Recipient {
	r := unpack(s.days)
	if s.key&1 != 0 {
		m := p.marks[s.key&^1]
		r.Unsubscribed, r.Complained, r.HardBounced, r.OptedIn = m.unsubscribed, m.complained, m.hardBounced, m.optedIn
	}
	return r
}

// personKey clears the flag's bit and keeps clear of 0, which marks an empty slot.
func personKey(hash uint64) uint64 {
	if key := hash &^ 1; key != 0 {
		return key
	}
	return 2
}

// see takes an event into the record of the recipient with this hash and returns the record. forgotten is the day before
// which records may go when room is needed.
func (p *people) see(hash uint64, kind engagement.Kind, at engagement.Instant, b *engagement.Bounds, forgotten engagement.Day) engagement.Recipient {
	key := personKey(hash)
	seg := &p.segs[key>>(64-4)]
	if seg.used >= len(seg.slots)/8*7 {
		p.grow(seg, forgotten)
	}
	s := &seg.slots[seg.find(key)]
	r := engagement.NewRecipient()
	if s.key != 0 {
		r = p.load(s)
	} else if kind == engagement.NotSeen {
		return r
	}
	had := s.key&1 != 0
	r.See(kind, at, b)
	if s.key == 0 {
		s.key = key
		seg.used++
	}
	s.days = pack(&r)
	m := marks{r.Unsubscribed, r.Complained, r.HardBounced, r.OptedIn}
	switch has := m != noMarks(); {
	case has:
		if p.marks == nil {
			p.marks = map[uint64]marks{}
		}
		p.marks[key] = m
		s.key = key | 1
	case had:
		delete(p.marks, key)
		s.key = key
	}
	return r
}

func noMarks() marks {
	return marks{engagement.NeverAt, engagement.NeverAt, engagement.NeverAt, engagement.NeverAt}
}

// all calls f with every record.
func (p *people) all(f func(engagement.Recipient)) {
	for i := range p.segs {
		for j := range p.segs[i].slots {
			if s := &p.segs[i].slots[j]; s.key != 0 {
				f(p.load(s))
			}
		}
	}
}

func (s *peopleSeg) find(key uint64) int {
	mask := len(s.slots) - 1
	i := int(key>>1) & mask
	for s.slots[i].key&^1 != key && s.slots[i].key != 0 {
		i = (i + 1) & mask
	}
	return i
}

// grow leaves out who is forgotten and makes room for as many again as are left.
func (p *people) grow(seg *peopleSeg, forgotten engagement.Day) {
	keep := func(s person) bool {
		if s.key == 0 {
			return false
		}
		first := engagement.Day(s.days>>(2*diffBits)) + dayBase
		return first+engagement.Day(s.days>>diffBits&noDiff) >= forgotten
	}
	live := 0
	for _, s := range seg.slots {
		if keep(s) {
			live++
		}
	}
	size := 1 << max(3, bits.Len(uint(live*3/2)))
	next := peopleSeg{slots: make([]person, size), used: live}
	for _, s := range seg.slots {
		if keep(s) {
			next.slots[next.find(s.key&^1)] = s
		} else if s.key&1 != 0 {
			delete(p.marks, s.key&^1)
		}
	}
	*seg = next
}
