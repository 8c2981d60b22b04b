package redisstore

import "math/bits"

// ref is an item of a fold with the number that it is sorted by.
type ref struct {
	key  uint64
	item uint32
}

// refKey turns a hash around, so that hashes with the same low bits, whatever their number, come together when sorted: the
// order of buckets under every layout.
func refKey(hash uint64) uint64 { return bits.Reverse64(hash) }

// refHash is the low half of the hash that refKey turned around: the part that chooses a bucket.
func refHash(key uint64) uint32 { return uint32(bits.Reverse64(key)) }

// sortRefs sorts stably by key. scratch is as long as refs; the result is one of the two, the other is free. The upper half of
// the keys goes by radix, which leaves next to nothing to do for the rest.
func sortRefs(refs, scratch []ref) (sorted, free []ref) {
	for shift := 32; shift < 64; shift += 8 {
		var at [256]int
		for i := range refs {
			at[byte(refs[i].key>>shift)]++
		}
		sum := 0
		for i, n := range at {
			at[i], sum = sum, sum+n
		}
		for i := range refs {
			b := byte(refs[i].key >> shift)
			scratch[at[b]] = refs[i]
			at[b]++
		}
		refs, scratch = scratch, refs
	}
	for i := 1; i < len(refs); i++ {
		for j := i; j > 0 && refs[j].key < refs[j-1].key; j-- {
			refs[j], refs[j-1] = refs[j-1], refs[j]
		}
	}
	return refs, scratch
}

// index finds numbers by a key other than 0: open addressing in a slice that is reused.
type index struct {
	slots []indexSlot
	used  int
}

type indexSlot struct {
	key uint64
	n   uint32
}

// at returns the place of the key's number, 0 when the key is new.
func (x *index) at(key uint64) *uint32 {
	if x.used >= len(x.slots)/4*3 {
		x.grow()
	}
	mask := uint64(len(x.slots) - 1)
	shift := uint(bits.LeadingZeros64(mask))
	for i := key * 0x9e3779b97f4a7c15 >> shift; ; i++ {
		s := &x.slots[i&mask]
		if s.key == key {
			return &s.n
		}
		if s.key == 0 {
			s.key = key
			x.used++
			return &s.n
		}
	}
}

func (x *index) grow() {
	old := x.slots
	x.slots, x.used = make([]indexSlot, max(1<<8, 2*len(old))), 0
	for _, s := range old {
		if s.key != 0 {
			*x.at(s.key) = s.n
		}
	}
}

// reset empties the index; one that has become much too large is given back.
func (x *index) reset() {
	if x.used < len(x.slots)/64 && len(x.slots) > 1<<12 {
		*x = index{}
		return
	}
	clear(x.slots)
	x.used = 0
}
