package memstore

import "math/bits"

// slice is how finely the age of an event is kept for telling repeats, in seconds: an event is remembered for the horizon
// and up to one slice more.
const slice = 600

// repeats remembers the fingerprints of the events within the horizon. The set is cut into segments that grow one at a time,
// so that growing neither stops the world nor doubles the memory.
type repeats struct {
	horizon int64 // seconds; 0 = off
	oldest  int32 // the first slice that is still remembered
	segs    [repeatSegs]repeatSeg
}

const repeatSegs = 256

// repeatSeg is an open-addressing hash table: a fingerprint and the slice of the copy that was applied first. Slot 0 of the
// key space stands for "empty".
type repeatSeg struct {
	keys   []uint64
	slices []int32
	used   int
}

func newRepeats(horizonSeconds int64) *repeats {
	return &repeats{horizon: horizonSeconds, oldest: -1 << 31}
}

// advance takes the newest event time seen, in seconds.
func (r *repeats) advance(newest int64) {
	r.oldest = max(r.oldest, sliceOf(newest-r.horizon))
}

func sliceOf(seconds int64) int32 {
	s := seconds / slice
	if seconds%slice < 0 {
		s--
	}
	return int32(s)
}

// seen tells whether an event with this fingerprint, which is not 0, is remembered, and remembers it unless its own time lies outside the
// horizon.
func (r *repeats) seen(print uint64, seconds int64) bool {
	own := sliceOf(seconds)
	seg := &r.segs[print>>(64-8)]
	if seg.used >= len(seg.keys)/8*7 {
		seg.grow(r.oldest)
	}
	i := seg.find(print)
	switch {
	case seg.keys[i] == print && seg.slices[i] >= r.oldest:
		return true
	case own < r.oldest:
		return false
	case seg.keys[i] == 0:
		seg.keys[i] = print
		seg.used++
	}
	seg.slices[i] = own
	return false
}

// touch reads where the fingerprint would be.
func (r *repeats) touch(print uint64) uint64 {
	seg := &r.segs[print>>(64-8)]
	if print == 0 || len(seg.keys) == 0 {
		return 0
	}
	return seg.keys[int(print)&(len(seg.keys)-1)]
}

// find returns the slot of the fingerprint, or the empty one where it belongs.
func (s *repeatSeg) find(print uint64) int {
	mask := len(s.keys) - 1
	i := int(print) & mask
	for s.keys[i] != print && s.keys[i] != 0 {
		i = (i + 1) & mask
	}
	return i
}

// grow leaves out what is no longer remembered and makes room for as much again as is left.
func (s *repeatSeg) grow(oldest int32) {
	live := 0
	for i, k := range s.keys {
		if k != 0 && s.slices[i] >= oldest {
			live++
		}
	}
	next := repeatSeg{used: live}
	size := 1 << max(3, bits.Len(uint(live*3/2)))
	next.keys, next.slices = make([]uint64, size), make([]int32, size)
	for i, k := range s.keys {
		if k != 0 && s.slices[i] >= oldest {
			j := next.find(k)
			next.keys[j], next.slices[j] = k, s.slices[i]
		}
	}
	*s = next
}
