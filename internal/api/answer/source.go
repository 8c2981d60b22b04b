package answer

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"sendwatch/internal/api/audience"
	"sendwatch/internal/api/problem"
	"sendwatch/internal/windows"
)

// Readers are what a Source reads. Log, Engagement, Recipients and IPs may be nil: their calls then do not exist.
type Readers struct {
	Clock      Clock
	Rates      RateReader
	Counts     CountReader
	Alerts     AlertReader
	Log        AlertLog
	Status     StatusReader
	Engagement EngagementReader
	Recipients audience.Recipients
	IPs        IPReader
}

// Source answers. It is safe for concurrent use.
type Source struct {
	Readers
	Version string
	Shape   func() Shape // asked anew for each answer, so that a reload shows at once
	Now     func() time.Time

	rankings rankings
}

// NewSource returns a source on these readers.
func NewSource(r Readers, version string, shape func() Shape, now func() time.Time) *Source {
	return &Source{Readers: r, Version: version, Shape: shape, Now: now, rankings: newRankings()}
}

// moment is the moment, with the time replaced by the one that was asked for.
func (s *Source) moment(ctx context.Context, at time.Time) (m Moment, kept windows.Kept, err error) {
	m, err = s.Clock.Moment(ctx)
	if err != nil {
		return Moment{}, windows.Kept{}, err
	}
	shape := s.Shape()
	kept = shape.Retention.At(m.AsOf)
	if !at.IsZero() {
		m.AsOf = at.UTC()
	}
	return m, kept, nil
}

// IPs answers for all addresses; at is zero for now.
func (s *Source) IPs(ctx context.Context, at time.Time) (any, error) {
	m, _, err := s.moment(ctx, at)
	if err != nil {
		return nil, err
	}
	ips, err := s.Readers.IPs.IPs(ctx, m.AsOf)
	if err != nil {
		return nil, err
	}
	if ips == nil {
		ips = []any{}
	}
	return map[string]any{"as_of": m.AsOf.UTC(), "stale": m.Stale, "ips": ips}, nil
}

// IP answers for one address, written in any form.
func (s *Source) IP(ctx context.Context, ip string, at time.Time) (any, error) {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, "ip: not an IP address; write it like 203.0.113.9")
	}
	m, _, err := s.moment(ctx, at)
	if err != nil {
		return nil, err
	}
	one, err := s.Readers.IPs.IP(ctx, address.Unmap().String(), m.AsOf)
	if errors.Is(err, ErrNotFound) {
		return nil, problem.New(http.StatusNotFound, "no mail was seen from %s; GET /api/v1/ips lists the addresses that sent", address.Unmap())
	}
	return one, err
}
