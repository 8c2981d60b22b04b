package redisstore

// Fingerprints and recipients lie in packed buckets: strings of entries of a fixed size, searched as a whole. A bucket's number
// is the low bits of an entry's hash. As entries come, buckets are split in two one after the other (linear hashing, W. Litwin
// 1980), so that the mean size stays the same and no step is ever large: with b bits and the first s buckets split, a hash
// whose low b bits are below s has one bit more.
//
// The numbers stand in the shard's meta and move in the same step as the buckets. Who encodes for a script names the ones it
// went by, and the script refuses others.

// kind is what a bucket holds.
type kind uint8

const (
	recipients kind = iota
	prints
	numKinds int = iota
)

// spread is how the buckets of a kind are laid out.
type spread struct {
	bits  uint8
	split uint32
}

// mostBits bounds the number of buckets, about 1 billion.
const mostBits = 30

// bucket is the number of the bucket that a hash belongs to.
func (s spread) bucket(hash uint32) uint32 {
	b := hash & (1<<s.bits - 1)
	if b < s.split {
		b = hash & (2<<s.bits - 1)
	}
	return b
}

// buckets is how many there are.
func (s spread) buckets() int64 { return 1<<s.bits + int64(s.split) }

// next is the layout with n buckets more split, at most to the end of the round.
func (s spread) next(n uint32) spread {
	s.split = min(s.split+n, 1<<s.bits)
	if s.split == 1<<s.bits {
		s.bits, s.split = s.bits+1, 0
	}
	return s
}

// layout is that of all kinds.
type layout [numKinds]spread
