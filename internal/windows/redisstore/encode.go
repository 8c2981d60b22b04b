package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// encoder turns what a fold adds to a shard into the arguments of the apply script: it finds out which packed buckets the fold
// touches, looks its events up in them once they are read, and says what is to be written. Its buffers are reused; apply.lua says how
// each argument is laid out.
type encoder struct {
	fold  *windows.Fold
	shard int
	work  *windows.Work
	rules *engagement.Rules
	cells windows.Cells

	printRefs, personRefs, spare []ref
	printRuns, personRuns        []bucketRun
	people                       []person
	sides                        sides
	bounds                       daysBounds
	tenants                      []string
	tenantOf                     []uint32 // number, by route
	cohorts                      index    // by how much each changes; the key is tenant, kind and day
	added, fresh, whole          []byte   // recipients who are new in a bucket, fingerprints likewise, a bucket's new text

	newest                       int64  // counted event of the state and the batch, in seconds
	sets, patches                []byte // of packed buckets: the patches are of what the sets have made
	addedPrints, addedRecipients int64
	minutes, hours, daily        logs
	moves, subjects, tally       []byte
	listed                       []listing
	lives                        uint32 // of the shard, when this was encoded
}

// bucketRun is the references from..to, which lie in one bucket.
type bucketRun struct {
	bucket   uint32
	from, to int
}

// listing is a subject that the script lists, with its newest day.
type listing struct {
	subject uint32
	day     int32
}

// maxItems bounds what one script works on: well above what a batch holds.
const maxItems = 1<<17 - 1

// begin takes a fold, the whole of it whatever an earlier try has found, and sorts its items by the buckets that they lie in.
func (e *encoder) begin(f *windows.Fold, shard int, s *Store) error {
	e.fold, e.shard, e.work, e.rules = f, shard, f.Work(shard), &s.rules
	if len(e.work.Items) > maxItems {
		return fmt.Errorf("redis: %d events in one batch, at most %d are taken", len(e.work.Items), maxItems)
	}
	f.Restore(shard)
	e.lives = s.shards[shard].lives
	e.printRefs, e.personRefs = e.printRefs[:0], e.personRefs[:0]
	for i := range e.work.Items {
		it := &e.work.Items[i]
		if it.Print != 0 {
			e.printRefs = append(e.printRefs, ref{refKey(it.Print), uint32(i)})
		}
		if it.Who != 0 && s.o.Engagement != nil {
			e.personRefs = append(e.personRefs, ref{refKey(it.Who), uint32(i)})
		}
	}
	e.printRefs, e.personRefs = e.sort(e.printRefs), e.sort(e.personRefs)
	return nil
}

func (e *encoder) sort(refs []ref) []ref {
	if cap(e.spare) < len(refs) {
		e.spare = make([]ref, cap(refs))
	}
	refs, e.spare = sortRefs(refs, e.spare[:len(refs)])
	return refs
}

// runs finds which references share a bucket.
func (e *encoder) runs(l layout) {
	e.printRuns = runsOfRefs(e.printRuns[:0], e.printRefs, l[prints])
	e.personRuns = runsOfRefs(e.personRuns[:0], e.personRefs, l[recipients])
}

func runsOfRefs(out []bucketRun, refs []ref, l spread) []bucketRun {
	for i := 0; i < len(refs); {
		bucket := l.bucket(refHash(refs[i].key))
		j := i + 1
		for j < len(refs) && l.bucket(refHash(refs[j].key)) == bucket {
			j++
		}
		out = append(out, bucketRun{bucket, i, j})
		i = j
	}
	return out
}

// encode reads the buckets that the batch touches and makes all arguments.
func (e *encoder) encode(ctx context.Context, s *Store, sh *shard, v view) error {
	e.runs(sh.layout)
	e.sets, e.patches, e.addedPrints, e.addedRecipients = e.sets[:0], e.patches[:0], 0, 0
	if err := e.encodePrints(ctx, s, sh, v); err != nil {
		return err
	}
	if err := e.encodePeople(ctx, s, sh, v); err != nil {
		return err
	}
	e.encodeMoves()
	e.encodeCounts(sh.base)
	e.encodeTally()
	return nil
}

// looks tells whether the batch depends on what the buckets hold.
func (e *encoder) looks() bool { return len(e.printRefs)+len(e.personRefs) > 0 }

// set has a packed bucket written as a whole; an empty one goes.
func (e *encoder) set(name string, bucket uint32, value []byte) {
	e.sets = appendWrite(e.sets, name, bucket, -1, value)
}

// patch has a part of a packed bucket written.
func (e *encoder) patch(name string, bucket uint32, at int, value []byte) {
	e.patches = appendWrite(e.patches, name, bucket, at, value)
}

func appendWrite(b []byte, name string, bucket uint32, at int, value []byte) []byte {
	head := len(b)
	b = append(b, 0, 0, byte(len(value)>>16), byte(len(value)>>8), byte(len(value)))
	b = strconv.AppendUint(append(b, name...), uint64(bucket), 10)
	b[head] = byte(len(b) - head - 5)
	if at >= 0 {
		offset := len(b)
		b = strconv.AppendInt(b, int64(at), 10)
		b[head+1] = byte(len(b) - offset)
	}
	return append(b, value...)
}

// encodeMoves writes how the cohorts change. A cohort is the recipients of a tenant who share a day, as it is stored: of the newest event
// ('s'), of the newest interaction ('i'), or of the first event of those who never interacted ('n').
func (e *encoder) encodeMoves() {
	e.moves = e.moves[:0]
	for _, slot := range e.cohorts.slots {
		n := int32(slot.n)
		if slot.key == 0 || n == 0 {
			continue
		}
		tenant, kind, day := e.tenants[slot.key>>24-1], byte(slot.key>>16), slot.key&0xffff
		head := len(e.moves)
		e.moves = append(e.moves, 0, 0, 0, 0)
		e.moves = strconv.AppendUint(append(e.moves, "co:"...), day/daysInCohort, 10)
		e.moves = append(append(e.moves, ':'), tenant...)
		binary.BigEndian.PutUint16(e.moves[head:], uint16(len(e.moves)-head-4))
		field := len(e.moves)
		e.moves = strconv.AppendUint(append(e.moves, kind), day, 10)
		e.moves[head+2] = byte(len(e.moves) - field)
		number := len(e.moves)
		e.moves = strconv.AppendInt(e.moves, int64(n), 10)
		e.moves[head+3] = byte(len(e.moves) - number)
	}
}

// encodeTally writes what is not zero.
func (e *encoder) encodeTally() {
	e.tally = e.tally[:0]
	add := func(name string, n int64) {
		if n != 0 {
			e.tally = append(binary.BigEndian.AppendUint16(e.tally, uint16(len(name))), name...)
			e.tally = binary.BigEndian.AppendUint64(e.tally, uint64(n))
		}
	}
	t := &e.work.Tally
	add("counted", t.Counted)
	add("duplicate", t.Duplicate)
	add("late", t.Late)
	add("ignored", t.Ignored)
	for _, r := range e.fold.Runs() {
		add("lost:"+positionField(r.Partition), r.Lost[e.shard])
	}
	for reason, n := range t.Rejected {
		add("rejected:"+string(reason), n)
	}
}
