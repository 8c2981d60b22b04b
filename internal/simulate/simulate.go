// Package simulate makes a realistic stream of mail events from a seed: several tenants of different character, whose
// mails are delivered, bounce, are opened, reported and unsubscribed from. The same options give the same stream.
package simulate

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"sendwatch/internal/event"
)

// eventsPerMail is about how many events one mail gives over its life, in the mix of the cast.
const eventsPerMail = 2.35

// Options say what is simulated. Only Start has no default.
type Options struct {
	Seed       uint64
	Rate       float64   // events a second of simulated time; 0 = 200
	Start      time.Time // when the story begins
	Recipients int       // distinct mailboxes of each tenant; 0 = 20,000
	// Pace divides the delays between a mail and its answers: 1 (or 0) is life, where half the opens take hours; 500 brings
	// most of them within a minute.
	Pace float64
	// Calm leaves the episodes out, for a past in which nothing happened.
	Calm bool
}

// Stream gives the events of a simulation in the order of their times. It is not safe for concurrent use.
type Stream struct {
	o         Options
	random    *rand.Rand
	senders   []sender
	mailboxes []mailbox
	clock     time.Time // of the next mail
	mails     uint64
	events    uint64
	pending   pending
}

// New begins a simulation.
func New(o Options) *Stream {
	if o.Rate == 0 {
		o.Rate = 200
	}
	if o.Recipients == 0 {
		o.Recipients = 20_000
	}
	if o.Pace == 0 {
		o.Pace = 1
	}
	return &Stream{o: o, random: rand.New(rand.NewPCG(o.Seed, 0x73656e6477617463)), senders: cast(), mailboxes: mailboxes(), clock: o.Start}
}

// Next returns the next event. There is always one.
func (s *Stream) Next() event.Event {
	for len(s.pending) == 0 || !s.pending[0].Time.Before(s.clock) {
		s.mail()
	}
	return heap.Pop(&s.pending).(event.Event)
}

// mail sends one mail and plans everything that will be heard of it.
func (s *Stream) mail() {
	sent := s.clock
	s.clock = s.clock.Add(time.Duration(s.random.ExpFloat64() * eventsPerMail / s.o.Rate * float64(time.Second)))
	s.mails++
	from := pick(s.random, s.senders, func(x sender) float64 { return x.share })
	box := pick(s.random, s.mailboxes, func(x mailbox) float64 { return x.share })
	m, campaign := s.mannerOf(from, box, sent)
	base := event.Event{
		Tenant: from.tenant, IP: from.ips[s.random.IntN(len(from.ips))], Pool: from.pool, Domain: from.domain, Campaign: campaign,
		Provider: box.name, MessageID: fmt.Sprintf("m%d.%d@%s", s.o.Seed, s.mails, from.domain), SentAt: sent,
		Recipient: fmt.Sprintf("r%06d@%s", s.random.IntN(s.o.Recipients), box.domain),
	}
	if s.random.Float64() < m.dropped {
		s.plan(base, event.Drop, sent)
		return
	}
	s.plan(base, event.Send, sent)
	at := sent.Add(time.Duration(200+s.random.IntN(1800)) * time.Millisecond)
	if s.random.Float64() < m.deferred {
		s.plan(base, event.Deferral, at)
		at = at.Add(s.delay(10 * time.Minute))
	}
	if class, category, code, ok := s.bounces(m); ok {
		base.BounceClass, base.BounceCategory, base.BounceCode = class, category, code
		s.plan(base, event.Bounce, at)
		return
	}
	s.plan(base, event.Delivery, at)
	s.answers(base, m, box, at)
}

func (s *Stream) mannerOf(from sender, box mailbox, at time.Time) (manner, string) {
	campaign := from.campaigns[s.random.IntN(len(from.campaigns))]
	if s.o.Calm {
		return from.usual, campaign
	}
	into := at.Sub(s.o.Start) % cycle
	for _, e := range from.episodes {
		if into < e.from || into >= e.to {
			continue
		}
		if e.at != "" && e.at != box.name {
			return from.usual, e.campaign
		}
		return e.manner, e.campaign
	}
	return from.usual, campaign
}

func (s *Stream) bounces(m manner) (event.BounceClass, string, string, bool) {
	x := s.random.Float64()
	switch {
	case x < m.hard:
		return event.Hard, "invalid-mailbox", "5.1.1", true
	case x < m.hard+m.soft:
		return event.Soft, "full-mailbox", "4.2.2", true
	case x < m.hard+m.soft+m.block:
		return event.Block, "reputation", "5.7.1", true
	}
	return 0, "", "", false
}

// answers plans what recipients do. Machines look at once; people take hours, most of them on the first day.
func (s *Stream) answers(base event.Event, m manner, box mailbox, at time.Time) {
	if s.random.Float64() < m.machineOpen {
		e := base
		e.Machine = true
		s.plan(e, event.Open, at.Add(s.delay(20*time.Second)))
	}
	if s.random.Float64() < m.open {
		opened := at.Add(s.delay(3 * time.Hour))
		s.plan(base, event.Open, opened)
		if s.random.Float64() < m.click {
			s.plan(base, event.Click, opened.Add(s.delay(time.Minute)))
		}
	}
	if s.random.Float64() < m.unsubscribe {
		e := base
		e.UnsubscribeMethod = event.OneClick
		s.plan(e, event.Unsubscribe, at.Add(s.delay(2*time.Hour)))
	}
	if box.reports && s.random.Float64() < m.complaint {
		s.plan(base, event.Complaint, at.Add(s.delay(2*time.Hour)))
	}
}

// delay is an exponential one with this mean, divided by the pace.
func (s *Stream) delay(mean time.Duration) time.Duration {
	return time.Duration(s.random.ExpFloat64() * float64(mean) / s.o.Pace)
}

func (s *Stream) plan(e event.Event, t event.Type, at time.Time) {
	s.events++
	e.Type, e.Time, e.ID = t, at.UTC().Truncate(time.Millisecond), fmt.Sprintf("e%d.%d", s.o.Seed, s.events)
	if t == event.Send || t == event.Drop {
		e.SentAt = time.Time{}
	}
	heap.Push(&s.pending, e)
}

func pick[T any](r *rand.Rand, from []T, share func(T) float64) T {
	x := r.Float64()
	for _, one := range from {
		if x -= share(one); x < 0 {
			return one
		}
	}
	return from[len(from)-1]
}

// pending is a heap of events by time; equal times keep the order of their ids' making only by chance of the heap, which
// is the same for the same options.
type pending []event.Event

func (p pending) Len() int           { return len(p) }
func (p pending) Less(i, j int) bool { return p[i].Time.Before(p[j].Time) }
func (p pending) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pending) Push(x any)        { *p = append(*p, x.(event.Event)) }
func (p *pending) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
