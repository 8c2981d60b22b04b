package redisstore

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
)

// written makes of a bucket what an encoder wants written, as the script does.
func written(t *testing.T, e *encoder, bucket string) string {
	t.Helper()
	for k, arg := range []string{string(e.sets), string(e.patches)} {
		for arg != "" {
			keyLen, atLen := int(arg[0]), int(arg[1])
			n := int(arg[2])<<16 | int(arg[3])<<8 | int(arg[4])
			at := 0
			for _, digit := range arg[5+keyLen : 5+keyLen+atLen] {
				at = 10*at + int(digit-'0')
			}
			value := arg[5+keyLen+atLen:][:n]
			arg = arg[5+keyLen+atLen+n:]
			switch {
			case (k == 0) != (atLen == 0):
				t.Fatal("a patch among the sets, or the other way around")
			case k == 0:
				bucket = value
			case at+n > len(bucket):
				t.Fatalf("a patch of %d..%d in a bucket of %d bytes", at, at+n, len(bucket))
			default:
				bucket = bucket[:at] + value + bucket[at+n:]
			}
		}
	}
	return bucket
}

// entriesIn counts fingerprints.
func entriesIn(bucket string) (n int64) {
	for at := printHead; at+printBytes <= len(bucket); at += printBytes {
		if !strings.HasPrefix(bucket[at:], sliceMark) {
			n++
		}
	}
	return n
}

// A bucket against a list of all fingerprints with their slices: what lies within the horizon is found, whatever the batches; what is
// older is there until a batch finds the bucket's oldest slice too old, and then is gone, slice by slice.
func TestBucketOfPrints(t *testing.T) {
	const horizon = 48 * 3600
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		// Some begin where the slices begin again from 1.
		newest := []int64{0, 1_772_000_000, 65535*sliceOf*2 - 3*sliceOf, 65535 * sliceOf}[seed%4]
		bucket := packed{}
		type remembered struct {
			print [printBytes]byte
			slice int64
		}
		var model, away []remembered
		e := &encoder{}
		for range 60 {
			before := newest
			switch r.IntN(5) {
			case 0:
				newest += r.Int64N(3 * sliceOf)
			case 1:
				newest += r.Int64N(600)
			case 2:
				if r.IntN(6) == 0 {
					newest += r.Int64N(80 * sliceOf)
				}
			}
			at := momentAt(newest, before, horizon)
			e.sets, e.patches, e.addedPrints, e.fresh = nil, nil, 0, e.fresh[:0]
			oldest := newest/sliceOf - int64(at.age)
			slice := newest / sliceOf
			var kept []remembered
			for _, m := range model {
				if m.slice >= oldest {
					kept = append(kept, m)
				} else {
					away = append(away, m)
				}
			}
			for range 1 + r.IntN(12) {
				m := remembered{slice: slice}
				// Bytes that are zero, or like a slice, must not be taken for what they are not.
				for k := range m.print {
					m.print[k] = []byte{0, 0, 0, byte(slice), byte(r.Uint32())}[r.IntN(5)]
				}
				if binary.BigEndian.Uint64(m.print[:])>>16 == 0 {
					m.print[0] |= 0x80
				}
				if findEntry(bucket.text[min(printHead, len(bucket.text)):], string(m.print[:]), printBytes) < 0 && findEntry(string(e.fresh), string(m.print[:]), printBytes) < 0 {
					e.fresh = append(e.fresh, m.print[:]...)
					kept = append(kept, m)
				}
			}
			if len(e.fresh) == 0 {
				continue
			}
			had := entriesIn(bucket.text)
			e.remember(3, bucket, e.fresh, at)
			bucket = packed{written(t, e, bucket.text), true}
			model = kept
			if n := entriesIn(bucket.text); n-had != e.addedPrints || n != int64(len(model)) {
				t.Fatalf("seed %d: %d fingerprints after %d, %d said to be added, want %d", seed, n, had, e.addedPrints, len(model))
			}
			for _, m := range model {
				if findEntry(bucket.text[printHead:], string(m.print[:]), printBytes) < 0 {
					t.Fatalf("seed %d: %x of slice %d is not found at slice %d", seed, m.print, m.slice, slice)
				}
			}
			there := map[[printBytes]byte]bool{}
			for _, m := range model {
				there[m.print] = true
			}
			for _, m := range away {
				if !there[m.print] && findEntry(bucket.text[printHead:], string(m.print[:]), printBytes) >= 0 {
					t.Fatalf("seed %d: %x of slice %d is still found at slice %d", seed, m.print, m.slice, slice)
				}
			}
		}
	}
}
