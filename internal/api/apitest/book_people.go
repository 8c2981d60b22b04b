package apitest

import (
	"context"
	"sync"
	"time"

	"sendwatch/internal/api/audience"
	"sendwatch/internal/engagement"
)

// See tells of an event of a recipient.
func (b *Book) See(tenant, recipient string, kind engagement.Kind, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := [2]string{tenant, recipient}
	r, ok := b.recipients[key]
	if !ok {
		r = engagement.NewRecipient()
	}
	bounds := b.shape.Engagement.At(engagement.DayOf(at))
	r.See(kind, engagement.InstantOf(at), &bounds)
	b.recipients[key] = r
}

// Cohorts implements answer.EngagementReader.
func (b *Book) Cohorts(ctx context.Context, tenant string, _ engagement.Day) (*engagement.Cohorts, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	cohorts, stranger := engagement.NewCohorts(), engagement.NewRecipient()
	for key, r := range b.recipients {
		if key[0] == tenant {
			cohorts.Move(&stranger, &r)
		}
	}
	return cohorts, b.open(ctx)
}

// Recipient implements answer.EngagementReader.
func (b *Book) Recipient(ctx context.Context, tenant, recipient string) (engagement.Recipient, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.recipients[[2]string{tenant, recipient}]
	if !ok {
		r = engagement.NewRecipient()
	}
	return r, b.open(ctx)
}

// Standings implements audience.Recipients.
func (b *Book) Standings(tenant string, at time.Time) (audience.Standings, error) {
	return &standings{book: b, tenant: tenant, bounds: b.shape.Engagement.At(engagement.DayOf(at))}, nil
}

type standings struct {
	book   *Book
	tenant string
	bounds engagement.Bounds

	mu        sync.Mutex
	addresses []string // by their number
}

// Number implements audience.Standings.
func (s *standings) Number(address []byte) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addresses = append(s.addresses, string(address))
	return uint64(len(s.addresses) - 1)
}

// Find implements audience.Standings.
func (s *standings) Find(ctx context.Context, numbers []uint64, out []audience.Standing) error {
	for i, n := range numbers {
		s.mu.Lock()
		address := s.addresses[n]
		s.mu.Unlock()
		r, err := s.book.Recipient(ctx, s.tenant, address)
		if err != nil {
			return err
		}
		out[i] = audience.Standing{State: r.State(&s.bounds), Suppression: r.Suppression()}
	}
	return nil
}

// Close implements audience.Standings.
func (s *standings) Close() {}
