package answer

import (
	"context"
	"net/http"
	"time"

	"sendwatch/internal/api/audience"
	"sendwatch/internal/api/problem"
	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// Engagement is the answer of GET /api/v1/engagement.
type Engagement struct {
	Tenant     string            `json:"tenant"`
	AsOf       time.Time         `json:"as_of"`
	Since      string            `json:"since"` // the oldest day an interaction on which still counts
	Recipients RecipientTally    `json:"recipients"`
	Delivered  DeliveredByStates `json:"delivered_30d"`
	// EngagedShare is null without deliveries whose recipient is known.
	EngagedShare *float64         `json:"engaged_share"`
	Interactions InteractionTally `json:"interactions_30d"`
	// Recency are the engaged recipients by the week of their newest interaction, the last seven days first.
	Recency []RecencyRun `json:"recency"`
}

// InteractionTally is the opens, clicks and replies of the 30d window, those that people made and those that machines did. The shares
// are of deliveries, null without any: people's alone, which can make engaged, and both, as a count of opens by itself would show.
type InteractionTally struct {
	People           int64    `json:"people"`
	Machine          int64    `json:"machine"`
	Share            *float64 `json:"share"`
	ShareWithMachine *float64 `json:"share_with_machine"`
}

// RecencyRun is a run of days, both included, and how many recipients have their newest interaction in it.
type RecencyRun struct {
	From       string `json:"from"`
	To         string `json:"to"`
	Recipients int64  `json:"recipients"`
}

// RecipientTally is how many recipients there are.
type RecipientTally struct {
	Known      int64 `json:"known"`
	Engaged    int64 `json:"engaged"`
	New        int64 `json:"new"`
	Unengaged  int64 `json:"unengaged"`
	Engaged30d int64 `json:"engaged_30d"`
	Engaged90d int64 `json:"engaged_90d"`
}

// DeliveredByStates is deliveries of the 30d window by the state of their recipient on the day.
type DeliveredByStates struct {
	Total      int64 `json:"total"`
	Engaged    int64 `json:"engaged"`
	New        int64 `json:"new"`
	Unengaged  int64 `json:"unengaged"`
	Suppressed int64 `json:"suppressed"`
}

// Recipient is the answer of POST /api/v1/recipients/lookup; days are YYYY-MM-DD.
type Recipient struct {
	State        string  `json:"state"`
	LastEngaged  *string `json:"last_engaged"`
	FirstSeen    *string `json:"first_seen"`
	Unsubscribed *string `json:"unsubscribed"`
	Complained   *string `json:"complained"`
	HardBounced  *string `json:"hard_bounced"`
}

const month = 30 * 24 * time.Hour

// TenantEngagement answers for a tenant; at is zero for now.
func (s *Source) TenantEngagement(ctx context.Context, tenant string, at time.Time) (*Engagement, error) {
	m, kept, err := s.moment(ctx, at)
	if err != nil {
		return nil, err
	}
	day := engagement.DayOf(m.AsOf)
	shape := s.Shape()
	cohorts, err := s.Readers.Engagement.Cohorts(ctx, tenant, day)
	if err != nil {
		return nil, err
	}
	bounds := shape.Engagement.At(day)
	b := cohorts.At(&bounds)
	answer := &Engagement{
		Tenant: tenant, AsOf: m.AsOf.UTC(), Since: bounds.Engaged.String(),
		Recipients: RecipientTally{Known: b.Known, Engaged: b.Engaged, New: b.New, Unengaged: b.Unengaged,
			Engaged30d: b.Engaged30d, Engaged90d: b.Engaged90d},
	}
	weeks := 1 + int(day-bounds.Engaged)/(54*7) // at most 54 runs
	for _, s := range cohorts.Recency(&bounds, 7*weeks) {
		answer.Recency = append(answer.Recency, RecencyRun{s.From.String(), s.To.String(), s.N})
	}
	c, ok := shape.Combination([]windows.Dimension{windows.Tenant})
	if !ok {
		return answer, nil // deliveries are not counted by tenant
	}
	span := windows.SpanAt(windows.Day, month, m.AsOf)
	if span.First < kept.Oldest[windows.Day] {
		return nil, problem.New(http.StatusBadRequest, "at: the days before %s are no longer kept; ask for a later time",
			windows.Day.Start(kept.Oldest[windows.Day]).Format(time.DateOnly))
	}
	counts, err := s.Readers.Counts.Counts(ctx, string(c.AppendSubject(nil, tenant)), span)
	if err != nil {
		return nil, err
	}
	var sum windows.Counts
	for _, bucket := range counts {
		sum.Add(&bucket)
	}
	answer.Delivered = DeliveredByStates{Total: sum[windows.Delivered], Engaged: sum[windows.DeliveredEngaged],
		New: sum[windows.DeliveredNew], Unengaged: sum[windows.DeliveredUnengaged], Suppressed: sum[windows.DeliveredSuppressed]}
	i := &answer.Interactions
	i.People, i.Machine = sum[windows.Opened]+sum[windows.Clicked]+sum[windows.Replied], sum[windows.Machine]
	if total := float64(answer.Delivered.Total); total > 0 {
		answer.EngagedShare = new(float64(answer.Delivered.Engaged) / total)
		i.Share, i.ShareWithMachine = new(float64(i.People)/total), new(float64(i.People+i.Machine)/total)
	}
	return answer, nil
}

// LookUp answers for one recipient.
func (s *Source) LookUp(ctx context.Context, tenant, recipient string) (*Recipient, error) {
	address, ok := audience.Normalise(recipient)
	if !ok {
		return nil, problem.New(http.StatusBadRequest, "recipient: not an address; write it like name@example.com")
	}
	m, _, err := s.moment(ctx, time.Time{})
	if err != nil {
		return nil, err
	}
	r, err := s.Readers.Engagement.Recipient(ctx, tenant, address)
	if err != nil {
		return nil, err
	}
	shape := s.Shape()
	bounds := shape.Engagement.At(engagement.DayOf(m.AsOf))
	if r.Last < bounds.Forgotten {
		r = engagement.NewRecipient()
	}
	return &Recipient{
		State:        r.State(&bounds).String(),
		LastEngaged:  dayOrNull(r.Interacted),
		FirstSeen:    dayOrNull(r.First),
		Unsubscribed: dayOrNull(r.Unsubscribed.Day()),
		Complained:   dayOrNull(r.Complained.Day()),
		HardBounced:  dayOrNull(r.HardBounced.Day()),
	}, nil
}

func dayOrNull(d engagement.Day) *string {
	if d == engagement.Never {
		return nil
	}
	return new(d.String())
}
