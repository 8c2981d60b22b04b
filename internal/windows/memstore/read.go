package memstore

import (
	"hash/maphash"
	"maps"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// Totals returns what became of the events so far.
func (s *Store) Totals() Totals {
	t := s.totals
	t.Rejected = maps.Clone(t.Rejected)
	t.Read = t.Counted + t.Duplicate + t.Late + t.Ignored
	for _, n := range t.Rejected {
		t.Read += n
	}
	return t
}

// Newest is the newest time of a counted event; zero when there is none.
func (s *Store) Newest() time.Time { return s.newest }

// Oldest is the oldest time of a counted event; zero when there is none.
func (s *Store) Oldest() time.Time { return s.oldest }

// Next is the offset that the partition goes on at, and the newest event time read from it. It is false for one of which
// nothing was taken.
func (s *Store) Next(p windows.Partition) (offset int64, newest time.Time, ok bool) {
	at := s.positions[p]
	if at == nil {
		return 0, time.Time{}, false
	}
	return at.next, at.newest, true
}

// Breakdown counts the tenant's recipients by their state on a day. It looks at every one of them.
func (s *Store) Breakdown(tenant string, day engagement.Day) engagement.Breakdown {
	var out engagement.Breakdown
	t := s.tenants[tenant]
	if t == nil || s.o.Engagement == nil {
		return out
	}
	b := s.o.Engagement.At(day)
	t.people.all(func(r engagement.Recipient) {
		switch r.State(&b) {
		case engagement.Engaged:
			out.Engaged++
		case engagement.New:
			out.New++
		case engagement.Unengaged:
			out.Unengaged++
		}
		if r.Interacted >= day-30 {
			out.Engaged30d++
		}
		if r.Interacted >= day-90 {
			out.Engaged90d++
		}
	})
	out.Known = out.Engaged + out.New + out.Unengaged
	return out
}

// Recipient returns what is remembered of a recipient; the record of a stranger when nothing is.
func (s *Store) Recipient(tenant, address string) engagement.Recipient {
	if t := s.tenants[tenant]; t != nil {
		return t.people.get(maphash.String(s.hash, address))
	}
	return engagement.NewRecipient()
}

// Tenants are the names of all tenants that anything was counted for.
func (s *Store) Tenants() []string {
	names := make([]string, 0, len(s.tenants))
	for name := range s.tenants {
		names = append(names, name)
	}
	return names
}
