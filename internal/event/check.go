package event

import (
	"fmt"
	"time"
)

// MaxDimension is the longest value of a dimension (tenant, ip, pool, domain, campaign, stream, provider), in bytes.
const MaxDimension = 200

// Tidy clears what does not belong to the type of e: a bounce's fields on a delivery, sent_at on mail that is only now
// being sent or never was.
func (e *Event) Tidy() {
	if e.Type != Bounce {
		e.BounceClass, e.BounceCategory, e.BounceCode, e.BounceAsync = Undetermined, "", "", false
	}
	if e.Type != Complaint {
		e.ComplaintKind = Abuse
	}
	if e.Type != Unsubscribe {
		e.UnsubscribeMethod = MethodUnknown
	}
	if e.Type != OptIn {
		e.OptInDouble = false
	}
	if e.Type != Open && e.Type != Click && e.Type != Reply {
		e.Machine = false
	}
	if e.Type == Send || e.Type == Drop {
		e.SentAt = time.Time{}
	}
}

// Check returns why e cannot be counted, nil when it can: its time is more than maxAhead after now, or a dimension is too
// long or has control characters. A maxAhead of 0 turns the first off.
func (e *Event) Check(now time.Time, maxAhead time.Duration) *Rejection {
	if maxAhead > 0 && e.Time.After(now.Add(maxAhead)) {
		return &Rejection{AheadOfClock, fmt.Sprintf("time: %s is more than %s ahead of the clock",
			AppendTime(nil, e.Time), maxAhead)}
	}
	for i, value := range [...]*string{&e.Tenant, &e.IP, &e.Pool, &e.Domain, &e.Campaign, &e.Stream, &e.Provider} {
		if len(*value) > MaxDimension {
			return &Rejection{BadValue, fmt.Sprintf("%s: %d bytes, at most %d are allowed", dimension(i), len(*value), MaxDimension)}
		}
		if HasControl(*value) {
			return &Rejection{BadValue, dimension(i) + ": has a control character, none is allowed"}
		}
	}
	return nil
}

func dimension(i int) string {
	return [...]string{"tenant", "ip", "pool", "domain", "campaign", "stream", "provider"}[i]
}
