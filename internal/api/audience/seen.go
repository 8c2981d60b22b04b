package audience

import "hash/maphash"

// MaxExact is the number of different addresses up to which duplicates are exact.
const MaxExact = 10_000_000

// seen remembers addresses by 64-bit fingerprints under a key of its own: at ten million the chance that any two of a list share
// one is 3 in a million. The first bits of a fingerprint choose a part, the other 47 stand in the part's chunks, which are never
// moved or given back while a list is read: memory grows with the list, to 80 MB at ten million, and leaves no garbage.
type seen struct {
	seed  maphash.Seed
	parts []uint32 // the newest chunk of each part, by its number plus 1
	slabs [][]chunk
	used  int // chunks of the slabs
	n     int
	max   int
}

// chunk holds fingerprints of one part.
type chunk struct {
	next uint32 // an older chunk, by its number plus 1
	n    uint32
	low  [chunkSize]uint32
	high [chunkSize]uint16
}

const (
	partBits  = 17
	chunkSize = 32
	slabSize  = 4096 // chunks
)

func newSeen(limit int) *seen {
	return &seen{seed: maphash.MakeSeed(), parts: make([]uint32, 1<<partBits), max: limit}
}

// add says whether the address was there already, and remembers it while there is room.
func (s *seen) add(address []byte) bool {
	f := maphash.Bytes(s.seed, address)
	head := &s.parts[f>>(64-partBits)]
	low, high := uint32(f), uint16(f>>32)&(1<<(32-partBits)-1)
	for at := *head; at != 0; {
		c := s.chunk(at)
		for i, l := range c.low[:c.n] {
			if l == low && c.high[i] == high {
				return true
			}
		}
		at = c.next
	}
	if s.n >= s.max {
		return false
	}
	if *head == 0 || s.chunk(*head).n == chunkSize {
		if s.used == len(s.slabs)*slabSize {
			s.slabs = append(s.slabs, make([]chunk, slabSize))
		}
		s.used++
		s.chunk(uint32(s.used)).next = *head
		*head = uint32(s.used)
	}
	c := s.chunk(*head)
	c.low[c.n], c.high[c.n] = low, high
	c.n++
	s.n++
	return false
}

func (s *seen) chunk(number uint32) *chunk { return &s.slabs[(number-1)/slabSize][(number-1)%slabSize] }

// full says that the set took all it may: what came later is only compared with these.
func (s *seen) full() bool { return s.n >= s.max }
