package redisstore

import (
	"encoding/binary"

	"sendwatch/internal/windows"
)

// logs are increments of counts, grouped by key, in the form of the script's arguments.
type logs struct {
	step  windows.Step
	buf   []byte
	head  int // of the open group, -1 = none is open
	chunk int64
	body  int    // where its increments begin
	base  string // of the keys
}

func (l *logs) reset(step windows.Step, base string) {
	l.step, l.base, l.buf, l.head = step, base, l.buf[:0], -1
}

// open makes the group of the bucket's chunk the open one and returns the bucket's place in it.
func (l *logs) open(bucket int64, subject string) byte {
	size := chunkOf[l.step]
	chunk := bucket / size
	if l.head < 0 || l.chunk != chunk {
		l.close()
		l.head, l.chunk = len(l.buf), chunk
		l.buf = append(l.buf, 0, 0, 0, 0, 0, 0)
		l.buf = appendCountKey(append(append(l.buf, l.base...), "c:"...), l.step, chunk, subject)
		l.body = len(l.buf)
		binary.BigEndian.PutUint16(l.buf[l.head:], uint16(l.body-l.head-6))
	}
	return byte(bucket - chunk*size)
}

// add appends an increment to the open group.
func (l *logs) add(place byte, c windows.Counter, n uint64) {
	l.buf = binary.AppendUvarint(append(l.buf, place, byte(c)), n)
}

func (l *logs) close() {
	if l.head < 0 {
		return
	}
	binary.BigEndian.PutUint32(l.buf[l.head+2:], uint32(len(l.buf)-l.body))
	l.head = -1
}

// rollup adds up the buckets of a coarser step while the finer ones come in order.
type rollup struct {
	out     *logs
	ratio   int64 // finer buckets in one
	bucket  int64 // -1 = none
	pending [windows.NumCounters]uint64
}

// encodeCounts writes the cells of the fold as increments of minutes, hours and days, and the subjects that have to be listed.
func (e *encoder) encodeCounts(base string) {
	e.minutes.reset(windows.Minute, base)
	e.hours.reset(windows.Hour, base)
	e.daily.reset(windows.Day, base)
	e.subjects, e.listed = e.subjects[:0], e.listed[:0]
	hour, day := rollup{out: &e.hours, ratio: 60, bucket: -1}, rollup{out: &e.daily, ratio: 24, bucket: -1}
	rows := e.cells.Of(e.work)
	for i := 0; i < len(rows); {
		subject := rows[i].Subject()
		key := e.fold.Subject(subject).Key
		for i < len(rows) && rows[i].Subject() == subject {
			minute := rows[i].Minute()
			place := e.minutes.open(minute, key)
			if minute/60 != hour.bucket {
				e.roll(&hour, &day, subject, key)
				hour.bucket = minute / 60
			}
			for ; i < len(rows) && rows[i].Subject() == subject && rows[i].Minute() == minute; i++ {
				c, n := rows[i].Counter(), uint64(rows[i].N())
				e.minutes.add(place, c, n)
				hour.pending[c] += n
			}
		}
		e.roll(&hour, &day, subject, key)
		e.list(subject, int32(day.bucket))
		e.roll(&day, nil, subject, key)
		e.minutes.close()
		e.hours.close()
		e.daily.close()
	}
}

// roll writes what is pending in r and adds it to the next coarser step.
func (e *encoder) roll(r, up *rollup, subject uint32, key string) {
	if r.bucket < 0 {
		return
	}
	if up != nil && r.bucket/up.ratio != up.bucket {
		e.roll(up, nil, subject, key)
		up.bucket = r.bucket / up.ratio
	}
	place := r.out.open(r.bucket, key)
	for c, n := range r.pending {
		if n == 0 {
			continue
		}
		r.out.add(place, windows.Counter(c), n)
		if up != nil {
			up.pending[c] += n
		}
	}
	r.pending, r.bucket = [windows.NumCounters]uint64{}, -1
}

// list has the subject listed under its newest day, unless this shard has it there.
func (e *encoder) list(subject uint32, day int32) {
	s := e.fold.Subject(subject)
	if listed := s.Listed[e.shard]; uint32(listed>>32) == e.lives && int32(listed) > day {
		return
	}
	name := e.fold.Combination(s.Combination)
	e.subjects = binary.BigEndian.AppendUint16(e.subjects, uint16(len(name)))
	e.subjects = binary.BigEndian.AppendUint16(e.subjects, uint16(len(s.Key)))
	e.subjects = binary.BigEndian.AppendUint32(e.subjects, uint32(day))
	e.subjects = append(append(e.subjects, name...), s.Key...)
	e.listed = append(e.listed, listing{subject, day})
}

// noteListed remembers what the script has listed.
func (e *encoder) noteListed() {
	for _, l := range e.listed {
		e.fold.Subject(l.subject).Listed[e.shard] = uint64(e.lives)<<32 | uint64(l.day+1)
	}
}
