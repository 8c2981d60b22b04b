package answer

import (
	"context"
	"errors"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/engagement"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Errors that readers wrap. Others are faults of the service.
var (
	// ErrUnavailable says that the state cannot be read at the moment; the same question may be answered later.
	ErrUnavailable = errors.New("the state cannot be read at the moment")
	// ErrNotFound says that there is no such thing.
	ErrNotFound = errors.New("not found")
	// ErrBadCursor says that a cursor was not made by this reader.
	ErrBadCursor = errors.New("unknown cursor")
)

// Moment is the time that answers are for, and how far behind the clock the state is.
type Moment struct {
	AsOf  time.Time
	Stale bool
	Lag   time.Duration // age of what is not read yet; 0 while the monitor keeps up
}

// Clock tells the moment.
type Clock interface {
	Moment(ctx context.Context) (Moment, error)
}

// RateReader reads the judged rates of subjects. It is called from several goroutines.
type RateReader interface {
	// Rows returns every row of the subject at a time, in a fixed order. The error wraps windows.ErrNotKept when a window
	// that the filter lets through is no longer kept.
	Rows(ctx context.Context, subject string, at time.Time, kept windows.Kept, f policy.Filter) ([]policy.Row, error)
	// Subjects lists the subjects of a combination in pages: cursor is "" for the first, next is "" after the last. A
	// subject may come twice.
	Subjects(ctx context.Context, c windows.Combination, cursor string, limit int) (subjects []string, next string, err error)
}

// CountReader reads the counts of a subject.
type CountReader interface {
	// Counts returns the buckets of the span that hold anything.
	Counts(ctx context.Context, subject string, span windows.Span) (map[int64]windows.Counts, error)
}

// AlertQuery chooses alerts; the zero value is all of them.
type AlertQuery struct {
	State   *alerts.State // nil = both
	Subject string        // key, "" = all
	Cursor  string
	Limit   int
}

// AlertReader reads episodes.
type AlertReader interface {
	// Alerts returns the newest record of each episode, those that began last first. next is "" at the end. The error wraps
	// ErrBadCursor for a cursor that is none.
	Alerts(ctx context.Context, q AlertQuery) (records []alerts.Record, next string, err error)
	// Alert returns all records of an episode, oldest first; none when it is unknown.
	Alert(ctx context.Context, id string) ([]alerts.Record, error)
}

// LogPosition is how far somebody has followed the log of alert records, by evaluation partition.
type LogPosition []int64

// AlertLog is the order in which records were made, over all episodes; it keeps a bounded number of them.
type AlertLog interface {
	// Now is the end of the log.
	Now(ctx context.Context) (LogPosition, error)
	// Resume is the place after the record "<id>/<seq>". When the log does not hold it (any longer), ok is false and the
	// position is the oldest there is.
	Resume(ctx context.Context, token string) (p LogPosition, ok bool, err error)
	// After returns up to limit entries that come after the position, oldest first, and the position after them.
	After(ctx context.Context, p LogPosition, limit int) ([]alerts.Entry, LogPosition, error)
}

// StatusReader reads how the service does.
type StatusReader interface {
	Partitions(ctx context.Context) ([]windows.PartitionStatus, error)
	Totals(ctx context.Context) (windows.Totals, error)
	Redis(ctx context.Context) (Redis, error)
}

// EngagementReader reads what is known of recipients.
type EngagementReader interface {
	// Cohorts returns those of a tenant's recipients that matter on the day.
	Cohorts(ctx context.Context, tenant string, day engagement.Day) (*engagement.Cohorts, error)
	// Recipient returns engagement.NewRecipient() for one that is not known. The address is trimmed and lower-cased, and
	// must not be kept.
	Recipient(ctx context.Context, tenant, recipient string) (engagement.Recipient, error)
}

// IPReader reads the programme for dedicated IP addresses (contract, section 7).
type IPReader interface {
	// IPs returns one JSON object an address, sorted by address.
	IPs(ctx context.Context, at time.Time) ([]any, error)
	// IP returns one address's; the error wraps ErrNotFound when it never sent.
	IP(ctx context.Context, ip string, at time.Time) (any, error)
}
