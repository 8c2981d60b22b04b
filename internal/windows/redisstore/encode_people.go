package redisstore

import (
	"encoding/binary"
	"sync"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// dayBase is the day before the first one that recipients are kept by: 1999-12-31. Days are kept in 15 bits; earlier and later
// ones (from 2089-09-17) are taken as the first and the last.
const (
	dayBase = 10956
	lastDay = 1<<15 - 1
)

// storedDay is how a day is kept. 0 stands for before all others: never.
func storedDay(d engagement.Day) uint16 {
	return uint16(min(max(int64(d)-dayBase, 0), lastDay))
}

func dayStored(n uint16) engagement.Day {
	if n == 0 {
		return engagement.Never
	}
	return engagement.Day(n) + dayBase
}

// storedTime is how an instant is kept. 0 stands for never.
func storedTime(at engagement.Instant) uint64 {
	if at == engagement.NeverAt {
		return 0
	}
	return uint64(min(max(at, 0), 1<<62-1)) + 1
}

func timeStored(n uint64) engagement.Instant {
	if n == 0 {
		return engagement.NeverAt
	}
	return engagement.Instant(n - 1)
}

// What a step of a recipient is, in the script.
const (
	stepSeen = iota + 1
	stepInteraction
	stepDelivery
	stepUnsubscribe
	stepComplaint
	stepHardBounce
	stepOptIn
)

// stepOf are the steps of engagement's kinds.
var stepOf = [...]byte{
	engagement.Seen: stepSeen, engagement.Interaction: stepInteraction, engagement.OptIn: stepOptIn,
	engagement.Unsubscribe: stepUnsubscribe, engagement.Complaint: stepComplaint, engagement.HardBounce: stepHardBounce,
}

// encodePeople writes the events of recipients, by bucket and recipient, in the order in which they were read. Steps that
// change nothing after the one before are left out.
func (e *encoder) encodePeople(l spread, s *Store) {
	e.refs, e.dayList = e.refs[:0], e.dayList[:0]
	e.groupOf.reset()
	e.routes = e.routes[:0]
	e.tenantOf = resize(e.tenantOf, e.fold.Routes())
	for i := range e.work.Items {
		if it := &e.work.Items[i]; it.Who != 0 && !it.Gone {
			e.refs = append(e.refs, ref{refKey(it.Who), uint32(i)})
		}
	}
	e.sort()
	honour := int64(s.bounds.rules.HonourWithin)
	for i := 0; i < len(e.refs); {
		bucket := l.bucket(uint32(e.who(i)))
		head, n := len(e.people), uint16(0)
		e.people = binary.BigEndian.AppendUint32(e.people, bucket)
		e.people = append(e.people, 0, 0)
		for i < len(e.refs) && l.bucket(uint32(e.who(i))) == bucket {
			i = e.encodeRecipient(i, honour, &s.bounds)
			n++
		}
		binary.BigEndian.PutUint16(e.people[head+4:], n)
	}
}

func (e *encoder) who(i int) uint64 { return e.work.Items[e.refs[i].item].Who }

// encodeRecipient writes the steps of the recipient of the i-th reference and returns the first reference of the next one.
func (e *encoder) encodeRecipient(i int, honour int64, bounds *boundsOfDays) int {
	who := e.who(i)
	e.people = append(e.people, byte(who>>48), byte(who>>40), byte(who>>32), byte(who>>24), byte(who>>16), byte(who>>8), byte(who))
	e.people = binary.BigEndian.AppendUint16(e.people, uint16(e.tenant(e.work.Items[e.refs[i].item].Route)))
	head, n := len(e.people), uint16(0)
	e.people = append(e.people, 0, 0)
	last, lastDay, lastStep := 0, uint16(0), byte(0) // the step before: where, when, what
	for ; i < len(e.refs) && e.who(i) == who; i++ {
		it := &e.work.Items[e.refs[i].item]
		step, day := stepOf[it.Kind], engagement.Day(int64(it.Minute)/1440)
		if it.Delivery() {
			step = stepDelivery
		}
		stored := max(1, storedDay(day))
		if stored == lastDay {
			if step == stepSeen || step == stepInteraction && (lastStep == stepInteraction || lastStep == stepOptIn) {
				continue
			}
			if lastStep == stepSeen {
				e.people = e.people[:last] // every other step sees the recipient too
				n--
			}
		} else if !e.hasDay(day) {
			e.days = bounds.append(e.days, day)
		}
		last, lastDay, lastStep = len(e.people), stored, step
		n++
		e.people = binary.BigEndian.AppendUint16(append(e.people, step), stored)
		switch step {
		case stepSeen, stepInteraction:
		case stepDelivery:
			e.people = appendUint24(e.people, e.group(it.Route, int64(it.Minute)))
			e.people = binary.BigEndian.AppendUint64(e.people, storedTime(engagement.Instant(it.At-honour)))
		default:
			e.people = binary.BigEndian.AppendUint64(e.people, storedTime(engagement.Instant(it.At)))
		}
	}
	binary.BigEndian.PutUint16(e.people[head:], n)
	return i
}

// group numbers the deliveries of a route in a minute, from 1.
func (e *encoder) group(route uint32, minute int64) uint32 {
	n := e.groupOf.at(cellKey(windows.Minute, route, minute))
	if *n == 0 {
		e.routes = append(e.routes, routeBucket{route, minute})
		*n = uint32(len(e.routes))
	}
	return *n
}

// encodeGroups writes the groups of deliveries: by minute, then the hours and days that take them over.
func (e *encoder) encodeGroups() {
	first := [windows.NumSteps]uint32{0, e.minutes.cells, e.minutes.cells + e.hours.cells}
	at := 0
	for step := windows.Minute; int(step) < windows.NumSteps; step++ {
		for end := len(e.routes); at < end; at++ {
			g := e.routes[at]
			subjects := e.fold.Route(g.route).Subjects
			e.groups = append(e.groups, byte(len(subjects)))
			e.groups = appendUint24(e.groups, e.coarser(step, g))
			for _, subject := range subjects {
				e.groups = appendUint24(e.groups, first[step]+*e.cells.at(cellKey(step, subject, g.bucket)))
			}
		}
	}
}

// coarser numbers the group of the next step that takes over g, 0 when there is none.
func (e *encoder) coarser(step windows.Step, g routeBucket) uint32 {
	switch step {
	case windows.Minute:
		g.bucket /= 60
	case windows.Hour:
		g.bucket /= 24
	default:
		return 0
	}
	n := e.groupOf.at(cellKey(step+1, g.route, g.bucket))
	if *n == 0 {
		e.routes = append(e.routes, g)
		*n = uint32(len(e.routes))
	}
	return *n
}

// boundsOfDays are the days that recipients' days are compared with, as the script takes them.
type boundsOfDays struct {
	rules engagement.Rules
	mu    sync.Mutex
	byDay map[engagement.Day][10]byte
}

// append appends the bounds of a day. A thousand days are remembered.
func (b *boundsOfDays) append(dst []byte, d engagement.Day) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	text, ok := b.byDay[d]
	if !ok {
		at := b.rules.At(d)
		for i, bound := range [...]uint16{max(1, storedDay(d)), storedDay(at.Engaged), storedDay(at.New), storedDay(at.Forgotten), storedDay(at.Remembers)} {
			binary.BigEndian.PutUint16(text[2*i:], bound)
		}
		if len(b.byDay) >= 1000 || b.byDay == nil {
			b.byDay = map[engagement.Day][10]byte{}
		}
		b.byDay[d] = text
	}
	return append(dst, text[:]...)
}
