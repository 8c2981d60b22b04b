package windows

import "math/bits"

// A cell is one counter of one subject in one minute, packed into a word whose order is subject, minute, counter: the number
// of the subject (from 1) above, 27 bits of minutes since 1970 (until the year 2225), 5 bits of counter.
const (
	cellCounterBits = 5
	cellMinuteBits  = 27
	maxMinute       = 1<<cellMinuteBits - 1
)

func cellKey(subject uint32, minute int64, c Counter) uint64 {
	return uint64(subject)<<(cellMinuteBits+cellCounterBits) | uint64(minute)<<cellCounterBits | uint64(c)
}

// Cell is what a fold adds to one counter of one subject in one minute.
type Cell struct {
	key uint64
	n   uint32
}

// Subject is the number that Fold.Subject takes.
func (c Cell) Subject() uint32 { return uint32(c.key >> (cellMinuteBits + cellCounterBits)) }

// Minute is the bucket, of step Minute.
func (c Cell) Minute() int64 { return int64(c.key >> cellCounterBits & maxMinute) }

// Counter is what is counted.
func (c Cell) Counter() Counter { return Counter(c.key & (1<<cellCounterBits - 1)) }

// N is how much is added, never negative.
func (c Cell) N() uint32 { return c.n }

// hashBits spreads keys over a table of a power of two (Knuth's multiplicative hashing).
func hashBits(key uint64, shift uint8) uint64 { return key * 0x9e3779b97f4a7c15 >> shift }

// cellTable adds up cells: open addressing in one slice that is reused from batch to batch. Key 0 marks an empty slot.
type cellTable struct {
	slots []Cell
	used  int
	shift uint8
}

func (t *cellTable) add(key uint64, n uint32) {
	if t.used >= len(t.slots)/5*4 {
		t.grow()
	}
	mask := uint64(len(t.slots) - 1)
	for i := hashBits(key, t.shift); ; i++ {
		s := &t.slots[i&mask]
		if s.key == key {
			s.n += n
			return
		}
		if s.key == 0 {
			s.key, s.n = key, n
			t.used++
			return
		}
	}
}

func (t *cellTable) grow() {
	old := t.slots
	size := max(1<<8, 2*len(old))
	t.slots, t.used, t.shift = make([]Cell, size), 0, uint8(64-bits.TrailingZeros(uint(size)))
	for _, s := range old {
		if s.key != 0 {
			t.add(s.key, s.n)
		}
	}
}

// reset empties the table. One that a large batch had blown up shrinks when batches have become small.
func (t *cellTable) reset() {
	if t.used < len(t.slots)/64 && len(t.slots) > 1<<12 {
		*t = cellTable{}
		return
	}
	clear(t.slots)
	t.used = 0
}

// Set is a set of numbers other than 0 that is reused from batch to batch. It is not safe for concurrent use.
type Set struct {
	slots []uint64
	used  int
	shift uint8
}

// Add puts the number in and tells whether it was new.
func (s *Set) Add(key uint64) bool {
	if s.used >= len(s.slots)/4*3 {
		s.grow()
	}
	mask := uint64(len(s.slots) - 1)
	for i := hashBits(key, s.shift); ; i++ {
		switch slot := &s.slots[i&mask]; *slot {
		case key:
			return false
		case 0:
			*slot = key
			s.used++
			return true
		}
	}
}

func (s *Set) grow() {
	old := s.slots
	size := max(1<<8, 2*len(old))
	s.slots, s.used, s.shift = make([]uint64, size), 0, uint8(64-bits.TrailingZeros(uint(size)))
	for _, key := range old {
		if key != 0 {
			s.Add(key)
		}
	}
}

// Reset empties the set, as cellTable.reset does.
func (s *Set) Reset() {
	if s.used < len(s.slots)/64 && len(s.slots) > 1<<12 {
		*s = Set{}
		return
	}
	clear(s.slots)
	s.used = 0
}

// sortCells sorts by key with a radix sort of bytes; passes over bytes that are the same in all keys are left out. scratch is
// as long as cells; the result is one of the two, the other is free.
func sortCells(cells, scratch []Cell) (sorted, free []Cell) {
	var differ uint64
	for _, c := range cells {
		differ |= c.key ^ cells[0].key
	}
	for shift := 0; shift < 64; shift += 8 {
		if byte(differ>>shift) == 0 {
			continue
		}
		var at [256]int
		for _, c := range cells {
			at[byte(c.key>>shift)]++
		}
		sum := 0
		for i, n := range at {
			at[i], sum = sum, sum+n
		}
		for _, c := range cells {
			b := byte(c.key >> shift)
			scratch[at[b]] = c
			at[b]++
		}
		cells, scratch = scratch, cells
	}
	return cells, scratch
}
