package redisstore

import (
	"context"
	"encoding/binary"
	"strings"
	"time"
)

// A bucket of fingerprints is a string: when its oldest and its newest fingerprints came (2 bytes each), then the fingerprints, 8
// bytes each, in the order in which they came. Times are slices of 4 hours of the newest event time, 1 to 65535 and around. Where a
// slice ends stand 6 zeros and the next slice. Free places, all zero, are last.
const (
	printBytes = 8
	printHead  = 4
	sliceOf    = 4 * 60 * 60 // seconds
	sliceMark  = "\x00\x00\x00\x00\x00\x00"
	freePrint  = "\x00\x00\x00\x00\x00\x00\x00\x00"
)

// moment is the time as a bucket of fingerprints has it.
type moment struct {
	now uint16 // of the newest event
	age int    // the oldest slice that is kept is so many before that
}

func momentAt(newest, before, horizon int64) moment {
	slice := newest / sliceOf
	// The horizon is that of the time before this batch: what comes late in a batch must not make a repeat older that comes early in it.
	return moment{now: uint16(slice%65535 + 1), age: int(slice - floorDiv(before-horizon, sliceOf))}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (t moment) tooOld(slice uint16) bool {
	d := int(t.now) - int(slice)
	if d < 0 {
		d += 65535
	}
	return d > t.age
}

// encodePrints withdraws the events that the state has already, and has the others remembered: those whose own time lies within
// the horizon. The others are only looked up.
func (e *encoder) encodePrints(ctx context.Context, s *Store, sh *shard, v view) error {
	horizon := int64(s.o.Horizon / time.Second)
	for {
		// How late it is follows from what is new, which is known only when all is looked up. That it was a repeat is rare.
		e.newest = max(v.newest, e.work.Newest())
		at, oldest := momentAt(e.newest, v.newest, horizon), e.newest-horizon
		err := s.readChunks(ctx, sh, v, "dd:", e.printRuns, func(runs []bucketRun, buckets []packed) error {
			for i, run := range runs {
				e.encodeBucketOfPrints(run, buckets[i], at, oldest)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if max(v.newest, e.work.Newest()) == e.newest {
			return nil
		}
		e.sets, e.patches, e.addedPrints = e.sets[:0], e.patches[:0], 0
	}
}

func (e *encoder) encodeBucketOfPrints(run bucketRun, b packed, at moment, oldest int64) {
	e.fresh = e.fresh[:0]
	prints := b.text[min(printHead, len(b.text)):]
	for _, r := range e.printRefs[run.from:run.to] {
		it := &e.work.Items[r.item]
		if it.Gone {
			continue
		}
		var print [printBytes]byte
		binary.BigEndian.PutUint64(print[:], it.Print)
		if findEntry(prints, string(print[:]), printBytes) >= 0 {
			e.fold.Withdraw(e.shard, int(r.item))
		} else if it.At/1e9 >= oldest {
			e.fresh = append(e.fresh, print[:]...)
		}
	}
	if len(e.fresh) > 0 {
		e.remember(run.bucket, b, e.fresh, at)
	}
}

// remember adds fingerprints to a bucket. What came beyond the horizon is dropped on the way.
func (e *encoder) remember(bucket uint32, b packed, fresh []byte, at moment) {
	added := len(fresh) / printBytes
	var now [2]byte
	binary.BigEndian.PutUint16(now[:], at.now)
	s := b.text
	if !b.there || len(s) < printHead {
		e.anew(bucket, now, fresh)
		e.addedPrints += int64(added)
		return
	}
	oldest, newest := uint16(s[0])<<8|uint16(s[1]), s[2:4]
	from, all := printHead, false
	dropped := 0
	for !all && at.tooOld(oldest) {
		p := findEntry(s[from:], sliceMark, printBytes)
		oldest = 0
		stop := len(s)
		if p >= 0 {
			stop = from + p
			if stop+printBytes <= len(s) {
				oldest = uint16(s[stop+6])<<8 | uint16(s[stop+7])
			}
		}
		dropped += (stop - from) / printBytes
		from, all = stop+printBytes, oldest == 0
	}
	e.addedPrints += int64(added - dropped)
	if all {
		e.anew(bucket, now, fresh)
		return
	}
	piece := fresh
	if newest != string(now[:]) {
		piece = append(append([]byte(sliceMark), now[:]...), fresh...)
	}
	stop := freePlace(s, printHead, freePrint)
	if from == printHead && stop+len(piece) <= len(s) {
		e.patch("dd:", bucket, stop, piece)
		if newest != string(now[:]) {
			e.patch("dd:", bucket, 2, now[:])
		}
		return
	}
	e.whole = append(binary.BigEndian.AppendUint16(e.whole[:0], oldest), now[:]...)
	e.whole = padded(append(append(e.whole, s[from:stop]...), piece...))
	e.set("dd:", bucket, e.whole)
}

// anew has a bucket hold nothing but these fingerprints.
func (e *encoder) anew(bucket uint32, now [2]byte, fresh []byte) {
	e.whole = append(append(e.whole[:0], now[0], now[1], now[0], now[1]), fresh...)
	e.whole = padded(e.whole)
	e.set("dd:", bucket, e.whole)
}

// findEntry is where the entry that begins with what is, in a string of entries of that width; -1 when there is none.
func findEntry(s, what string, width int) int {
	for from := 0; from < len(s); {
		p := strings.Index(s[from:], what)
		if p < 0 {
			return -1
		}
		if p += from; p%width == 0 {
			return p
		}
		from = p + 1
	}
	return -1
}

// freePlace is the first free place of a bucket whose entries begin at head; nothing is a free entry.
func freePlace(s string, head int, nothing string) int {
	if p := findEntry(s[head:], nothing, len(nothing)); p >= 0 {
		return head + p
	}
	return len(s) - (len(s)-head)%len(nothing)
}

// padded fills a packed bucket up with zeros to a size that the allocator (jemalloc) gives anyway, so that most entries are added in
// place.
func padded(b []byte) []byte {
	need := len(b) + 6 // the string's own header
	step := 16
	for need > 8*step {
		step *= 2
	}
	for range (step - need%step) % step {
		b = append(b, 0)
	}
	return b
}
