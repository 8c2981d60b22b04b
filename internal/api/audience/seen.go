package audience

import (
	"hash/maphash"
	"math/bits"
)

// MaxExact is the number of different addresses up to which duplicates are exact.
const MaxExact = 10_000_000

// seen remembers addresses by 64-bit fingerprints under a key of its own, 10 to 13 bytes each: at ten million the chance
// that any two of a list share one is 3 in a million. It is cut into parts that grow by a quarter one at a time, so that
// growing never needs the whole twice.
type seen struct {
	seed  maphash.Seed
	parts [256]part
	n     int
	max   int
}

type part struct {
	slots []uint64 // 0 is empty
	n     int
}

func newSeen(limit int) *seen { return &seen{seed: maphash.MakeSeed(), max: limit} }

// add says whether the address was there already, and remembers it while there is room.
func (s *seen) add(address []byte) bool {
	f := maphash.Bytes(s.seed, address)
	if f<<8 == 0 {
		f |= 1 // 0 marks an empty slot
	}
	p := &s.parts[f>>56]
	i, found := p.find(f)
	if found || s.n >= s.max {
		return found
	}
	if (p.n+1)*5 > len(p.slots)*4 {
		p.grow()
		i, _ = p.find(f)
	}
	p.slots[i] = f
	p.n++
	s.n++
	return false
}

// full says that the set took all it may: what came later is only compared with these.
func (s *seen) full() bool { return s.n >= s.max }

func (p *part) find(f uint64) (int, bool) {
	if len(p.slots) == 0 {
		return 0, false
	}
	hi, _ := bits.Mul64(f<<8, uint64(len(p.slots))) // the top byte chose the part
	for i := int(hi); ; {
		switch p.slots[i] {
		case f:
			return i, true
		case 0:
			return i, false
		}
		if i++; i == len(p.slots) {
			i = 0
		}
	}
}

func (p *part) grow() {
	old := p.slots
	p.slots = make([]uint64, max(64, len(old)+len(old)/4))
	for _, f := range old {
		if f != 0 {
			i, _ := p.find(f)
			p.slots[i] = f
		}
	}
}
