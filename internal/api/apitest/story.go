package apitest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// StoryTime is when the story ends.
var StoryTime = time.Date(2026, 3, 12, 14, 37, 20, 0, time.UTC)

// sender is one tenant's habits.
type sender struct {
	tenant, ip, campaign           string
	perHour                        float64 // deliveries at the best hour of the day
	bounce, complaint, unsubscribe float64 // share of deliveries
	engaged                        float64 // share of deliveries
}

var senders = []sender{
	{"acme", "203.0.113.9", "spring-sale", 5200, 0.008, 0.0002, 0.002, 0.83},
	{"borealis", "203.0.113.10", "newsletter-10", 3100, 0.012, 0.0003, 0.003, 0.71},
	{"cobalt", "203.0.113.11", "receipts", 1900, 0.005, 0.0001, 0.0005, 0.92},
	{"dunes", "198.51.100.4", "weekly", 900, 0.019, 0.0005, 0.006, 0.55},
	{"ember", "198.51.100.4", "win-back", 640, 0.011, 0.0004, 0.004, 0.48},
	{"fjord", "198.51.100.5", "loyalty", 410, 0.009, 0.0003, 0.0085, 0.66},
	{"glade & sons", "198.51.100.5", "invites", 9, 0.01, 0, 0.002, 0.6},
}

var providers = []struct {
	name  string
	share float64
}{{"gmail", 0.46}, {"outlook", 0.22}, {"yahoo", 0.14}, {"apple", 0.10}, {"other", 0.08}}

// NewStory is a book with 35 days of mail that end at StoryTime: healthy senders, one that mails a bad list for the last three
// hours, and a storm of complaints at one mailbox provider yesterday that is over.
func NewStory() *Book {
	b := NewBook(StoryTime)
	r := rand.New(rand.NewPCG(7, 11))
	for day := 35; day >= 2; day-- {
		for _, hour := range []int{6, 9, 13, 17} {
			at := StoryTime.Truncate(24*time.Hour).AddDate(0, 0, -day).Add(time.Duration(hour) * time.Hour)
			for _, s := range senders {
				b.send(r, s, at, 6)
			}
		}
	}
	b.now = StoryTime.Add(-36 * time.Hour)
	for at := StoryTime.Add(-36 * time.Hour).Truncate(time.Minute); at.Before(StoryTime); at = at.Add(10 * time.Minute) {
		for _, s := range senders {
			switch ago := StoryTime.Sub(at); {
			case s.tenant == "dunes" && ago < 3*time.Hour:
				s.campaign, s.bounce, s.perHour = "bought-list", 0.11, 2600
			case s.tenant == "ember" && ago > 27*time.Hour && ago < 31*time.Hour:
				s.complaint, s.perHour = 0.006, 2500
			}
			b.send(r, s, at, 1.0/6)
		}
		b.Evaluate(at.Add(10 * time.Minute))
	}
	b.Evaluate(StoryTime)
	b.people(r)
	b.describe()
	return b
}

// send counts the mail of a sender over a number of hours.
func (b *Book) send(r *rand.Rand, s sender, at time.Time, hours float64) {
	daily := 0.25 + 0.75*math.Max(0, math.Sin(float64(at.Hour()-5)/24*2*math.Pi))
	for _, p := range providers {
		n := s.perHour * hours * p.share * daily * (0.8 + 0.4*r.Float64())
		labels := windows.Labels{{Dimension: windows.Tenant, Value: s.tenant}, {Dimension: windows.IP, Value: s.ip},
			{Dimension: windows.Campaign, Value: s.campaign}, {Dimension: windows.Provider, Value: p.name}}
		count := func(c windows.Counter, mean float64) int64 {
			k := poisson(r, mean)
			if k > 0 {
				b.Count(at, labels, c, k)
			}
			return k
		}
		delivered := count(windows.Delivered, n)
		count(windows.BouncedHard, n*s.bounce*0.6)
		count(windows.BouncedBlock, n*s.bounce*0.25)
		count(windows.BouncedSoft, n*s.bounce*0.15)
		complaint := s.complaint
		if p.name == "yahoo" {
			complaint *= 1.6
		}
		if p.name != "gmail" && p.name != "apple" {
			count(windows.Complained, n*complaint)
		}
		count(windows.Unsubscribed, n*s.unsubscribe)
		count(windows.Opened, n*0.21)
		count(windows.Clicked, n*0.03)
		count(windows.Machine, n*0.12)
		count(windows.Deferred, n*0.02)
		engaged := int64(float64(delivered) * s.engaged)
		for c, k := range map[windows.Counter]int64{windows.DeliveredEngaged: engaged, windows.DeliveredNew: delivered / 20,
			windows.DeliveredUnengaged: delivered - engaged - delivered/20} {
			if k > 0 {
				b.Count(at, labels, c, k)
			}
		}
	}
}

func poisson(r *rand.Rand, mean float64) int64 {
	if mean > 50 {
		return int64(math.Max(0, mean+math.Sqrt(mean)*r.NormFloat64()))
	}
	limit, product := math.Exp(-mean), r.Float64()
	var k int64
	for product > limit {
		product *= r.Float64()
		k++
	}
	return k
}

// people are a few recipients of acme, in every state.
func (b *Book) people(r *rand.Rand) {
	day := 24 * time.Hour
	for i := range 400 {
		address := fmt.Sprintf("p%d@example.com", i)
		b.See("acme", address, engagement.Seen, StoryTime.Add(-time.Duration(20+r.IntN(150))*day))
		if i%3 != 0 {
			b.See("acme", address, engagement.Interaction, StoryTime.Add(-time.Duration(r.IntN(170))*day))
		}
	}
	b.See("acme", "gone@example.com", engagement.Unsubscribe, StoryTime.Add(-9*day))
	b.See("acme", "angry@example.com", engagement.Complaint, StoryTime.Add(-3*day))
	b.See("acme", "dead@example.com", engagement.HardBounce, StoryTime.Add(-40*day))
	b.See("acme", "new@example.com", engagement.Seen, StoryTime.Add(-2*day))
}

func (b *Book) describe() {
	var partitions []windows.PartitionStatus
	for i := range 8 {
		high := int64(1_204_311 + 7919*i)
		partitions = append(partitions, windows.PartitionStatus{Partition: windows.Partition{Topic: "mail.events", ID: i}, HighWatermark: high, Next: high - int64(i%3),
			NewestEvent: StoryTime.Add(-time.Duration(700*i) * time.Millisecond)})
	}
	b.SetStatus(partitions, windows.Totals{Counted: b.totals.Counted, Duplicate: 18_442, Late: 12, Ignored: 3_310, Lost: 0,
		Rejected: map[string]int64{"not_json": 41, "bad_time": 7, "unknown_type": 129}})
}
