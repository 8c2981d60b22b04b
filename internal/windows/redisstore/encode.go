package redisstore

import (
	"encoding/binary"
	"fmt"
	"slices"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// encoder turns what a fold adds to a shard into the arguments of the apply script. Its buffers are reused; apply.lua says how
// each argument is laid out.
type encoder struct {
	fold  *windows.Fold
	shard int
	work  *windows.Work

	newest                                                 int64 // of the counted events, in seconds
	prints, people, days, tenants, groups, subjects, tally []byte
	minutes, hours, daily                                  logs

	refs, spare []ref
	order       []uint32 // items by their place in prints
	cells       index    // deliveries of a subject in a bucket, by step, subject and bucket
	groupOf     index    // by step, route and bucket
	routes      []routeBucket
	tenantOf    []uint32 // index plus 1, by route
	dayList     []engagement.Day
	listed      []listing
	lives       uint32 // of the shard, when this was encoded
}

type routeBucket struct {
	route  uint32
	bucket int64
}

// listing is a subject that the script lists, with its newest day.
type listing struct {
	subject uint32
	day     int32
}

// maxDeliveries bounds what a group of deliveries can count in the script.
const maxDeliveries = 1<<17 - 1

// encode makes all arguments. newest is the newest counted event of the state so far.
func (e *encoder) encode(f *windows.Fold, shard int, l layout, newest int64, s *Store) error {
	e.fold, e.shard, e.work = f, shard, f.Work(shard)
	if len(e.work.Items) > maxDeliveries {
		return fmt.Errorf("redis: %d events in one batch, at most %d are taken", len(e.work.Items), maxDeliveries)
	}
	e.lives = s.shards[shard].lives
	engaged := s.o.Engagement != nil
	e.newest = e.work.Newest()
	e.encodeCounts(s.shards[shard].base, engaged)
	e.encodePrints(l[prints], max(newest, e.newest)-int64(s.o.Horizon.Seconds()))
	e.people, e.days, e.tenants, e.groups = e.people[:0], e.days[:0], e.tenants[:0], e.groups[:0]
	if engaged {
		e.encodePeople(l[recipients], s)
		e.encodeGroups()
	}
	e.encodeTally()
	return nil
}

// encodePrints groups the fingerprints by bucket: those to be remembered first, then those that only are looked up because
// their own time has left the horizon.
func (e *encoder) encodePrints(l spread, horizon int64) {
	e.refs, e.order, e.prints = e.refs[:0], e.order[:0], e.prints[:0]
	for i := range e.work.Items {
		if it := &e.work.Items[i]; it.Print != 0 && !it.Gone {
			e.refs = append(e.refs, ref{refKey(it.Print), uint32(i)})
		}
	}
	e.sort()
	for i := 0; i < len(e.refs); {
		bucket := l.bucket(uint32(e.print(i)))
		j := i + 1
		for j < len(e.refs) && l.bucket(uint32(e.print(j))) == bucket {
			j++
		}
		head := len(e.prints)
		e.prints = binary.BigEndian.AppendUint32(e.prints, bucket)
		e.prints = append(e.prints, 0, 0, 0, 0)
		var n [2]uint16
		for pass := range n {
			for _, r := range e.refs[i:j] {
				it := &e.work.Items[r.item]
				if (it.At/1e9 < horizon) == (pass == 1) {
					e.prints = binary.BigEndian.AppendUint64(e.prints, it.Print)
					e.order = append(e.order, r.item)
					n[pass]++
				}
			}
		}
		binary.BigEndian.PutUint16(e.prints[head+4:], n[0])
		binary.BigEndian.PutUint16(e.prints[head+6:], n[1])
		i = j
	}
}

func (e *encoder) print(i int) uint64 { return e.work.Items[e.refs[i].item].Print }

func (e *encoder) sort() {
	if cap(e.spare) < len(e.refs) {
		e.spare = make([]ref, cap(e.refs))
	}
	e.refs, e.spare = sortRefs(e.refs, e.spare[:len(e.refs)])
}

// tenant numbers the tenant of a route among those of this batch.
func (e *encoder) tenant(route uint32) uint32 {
	if n := e.tenantOf[route]; n != 0 {
		return n - 1
	}
	name := e.fold.Route(route).Tenant
	// Routes of one tenant share a number; tenants are few and batches large, so the list is looked through once a route.
	n, at := uint32(0), 0
	for ; at < len(e.tenants); n++ {
		l := int(binary.BigEndian.Uint16(e.tenants[at:]))
		if string(e.tenants[at+2:at+2+l]) == name {
			break
		}
		at += 2 + l
	}
	if at == len(e.tenants) {
		e.tenants = binary.BigEndian.AppendUint16(e.tenants, uint16(len(name)))
		e.tenants = append(e.tenants, name...)
	}
	e.tenantOf[route] = n + 1
	return n
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

// resize makes room for every route of the fold.
func resize(list []uint32, n int) []uint32 {
	if cap(list) < n {
		list = make([]uint32, n, n+n/2)
	}
	list = list[:n]
	clear(list)
	return list
}

func appendUint24(b []byte, n uint32) []byte { return append(b, byte(n>>16), byte(n>>8), byte(n)) }

// hasDay tells whether the day is among those of the batch, and adds it.
func (e *encoder) hasDay(d engagement.Day) bool {
	if n := len(e.dayList); n > 0 && e.dayList[n-1] == d || slices.Contains(e.dayList, d) {
		return true
	}
	e.dayList = append(e.dayList, d)
	return false
}
