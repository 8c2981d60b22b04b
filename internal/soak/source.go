package soak

import (
	"fmt"
	"math/rand/v2"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
	"sendwatch/internal/simulate"
)

const (
	casts  = 10     // each of six tenants of different character
	recent = 20_000 // of so many records one may come again
	again  = 25     // every so-manieth does
)

// source makes the records: what several casts of senders do, and repeats.
type source struct {
	casts  []*simulate.Stream
	random *rand.Rand
	recent []kafka.Record
	n      int
}

// newSource returns one whose event time begins at start and makes rate events in a second of it.
func newSource(seed uint64, start time.Time, rate float64, pace int) *source {
	s := &source{random: rand.New(rand.NewPCG(seed, 3))}
	options := simulate.Options{Rate: rate / casts, Start: start, Recipients: 100_000, Pace: float64(pace)}
	options.Rate *= rate / casts * (again - 1) / again / measured(options)
	for i := range casts {
		options.Seed = seed*casts + uint64(i)
		s.casts = append(s.casts, simulate.New(options))
	}
	return s
}

// measured is how many events a second a simulation really makes: it keeps to its rate roughly.
func measured(o simulate.Options) float64 {
	const n = 30_000
	s := simulate.New(o)
	var last time.Time
	for range n {
		last = s.Next().Time
	}
	return n / last.Sub(o.Start).Seconds()
}

// next is one record of one event. Its bytes are not changed later.
func (s *source) next() kafka.Record {
	s.n++
	if len(s.recent) == recent && s.n%again == 0 {
		return s.recent[s.random.IntN(recent)]
	}
	i := s.n % casts
	e := s.casts[i].Next()
	e.Tenant = fmt.Sprintf("%s-%d", e.Tenant, i)
	r := kafka.Record{Key: []byte(e.Recipient), Value: event.AppendJSON(nil, &e)}
	if len(s.recent) < recent {
		s.recent = append(s.recent, r)
	} else {
		s.recent[s.n%recent] = r
	}
	return r
}
