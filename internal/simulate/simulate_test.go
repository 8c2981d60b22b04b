package simulate

import (
	"testing"
	"time"

	"sendwatch/internal/event"
)

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestTheSameSeedTellsTheSameStory(t *testing.T) {
	a, b, other := New(Options{Seed: 7, Start: start()}), New(Options{Seed: 7, Start: start()}), New(Options{Seed: 8, Start: start()})
	same := true
	for range 5000 {
		x, y, z := a.Next(), b.Next(), other.Next()
		if x != y {
			t.Fatalf("%+v\n%+v", x, y)
		}
		same = same && x.Recipient == z.Recipient
	}
	if same {
		t.Error("another seed gave the same recipients")
	}
}

func TestEventsComeInOrderAndAtTheRate(t *testing.T) {
	s := New(Options{Seed: 1, Start: start(), Rate: 500, Pace: 5000})
	last := start()
	ids := map[string]bool{}
	for range 60_000 {
		e := s.Next()
		if e.Time.Before(last) {
			t.Fatalf("%v after %v", e.Time, last)
		}
		if ids[e.ID] {
			t.Fatalf("id %s twice", e.ID)
		}
		ids[e.ID], last = true, e.Time
	}
	if took := last.Sub(start()).Seconds(); took < 105 || took > 135 {
		t.Errorf("60,000 events at 500 a second took %.0f s", took)
	}
}

func TestTheCastPlaysItsParts(t *testing.T) {
	type counts struct{ delivered, bounced, complained, unsubscribed int }
	by := map[string]*counts{}
	for _, x := range cast() {
		by[x.tenant] = &counts{}
		if Cast()[x.tenant] == "" {
			t.Errorf("nobody says what %s is there for", x.tenant)
		}
	}
	s := New(Options{Seed: 3, Start: start(), Rate: 2000, Pace: 2000})
	for e := s.Next(); e.Time.Before(start().Add(75 * time.Second)); e = s.Next() {
		c := by[e.Tenant]
		switch e.Type {
		case event.Delivery:
			c.delivered++
		case event.Bounce:
			c.bounced++
		case event.Complaint:
			c.complained++
		case event.Unsubscribe:
			c.unsubscribed++
		}
	}
	for tenant, c := range by {
		bounce := float64(c.bounced) / float64(c.delivered+c.bounced)
		complaint, unsubscribe := float64(c.complained)/float64(c.delivered), float64(c.unsubscribed)/float64(c.delivered)
		wantBounce, wantComplaint, wantUnsubscribe := tenant == "bad-list" || tenant == "noisy" || tenant == "small", tenant == "storm", tenant == "noisy"
		if bounce >= 0.03 != wantBounce || complaint >= 0.001 != wantComplaint || unsubscribe >= 0.01 != wantUnsubscribe {
			t.Errorf("%s: bounce %.4f complaint %.4f unsubscribe %.4f of %d", tenant, bounce, complaint, unsubscribe, c.delivered)
		}
	}
}
