package app

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"sendwatch/internal/alerts"
	"sendwatch/internal/alerts/redisstate"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/audience"
	"sendwatch/internal/config"
	"sendwatch/internal/engagement"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/redisstore"
)

// backend is what questions are answered from: the state in Redis, under one configuration.
type backend struct {
	config *config.Config
	store  *redisstore.Store
	alerts *redisstate.Store
	set    *policy.Set
}

// readers answer what the API asks, from whatever backend there is. They are safe for concurrent use.
type readers struct{ a *app }

var _ interface {
	answer.Clock
	answer.RateReader
	answer.CountReader
	answer.AlertReader
	answer.AlertLog
	answer.StatusReader
	answer.EngagementReader
	audience.Recipients
} = readers{}

// unavailable marks an error of the state that may pass by itself.
func (r readers) unavailable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	category := redisstore.CategoryOf(err)
	r.a.metrics.RedisError(string(category))
	if category.Retryable() {
		return fmt.Errorf("%w: %w", answer.ErrUnavailable, err)
	}
	return err
}

func (r readers) backend() (*backend, error) {
	if b := r.a.backend.Load(); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("%w: Redis has not answered yet", answer.ErrUnavailable)
}

// Moment implements answer.Clock.
func (r readers) Moment(ctx context.Context) (answer.Moment, error) {
	b, err := r.backend()
	if err != nil {
		return answer.Moment{}, err
	}
	at, ok := r.copies().moment(r.a.o.Now())
	if !ok {
		at, err = b.asOf(ctx, r.a.o.Now(), r.own())
	}
	return answer.Moment{AsOf: at.Time, Stale: at.Stale, Lag: at.Lag}, r.unavailable(err)
}

// copies are what can be answered from while there is a backlog, nil when there is none or nothing of it.
func (r readers) copies() *copies {
	e := r.a.engine.Load()
	if e == nil {
		return nil
	}
	if reading, _ := e.parts(); reading == nil || !reading.Holding() {
		return nil
	}
	return e.asked.last.Load()
}

// own are the partitions that this process reads itself.
func (r readers) own() []windows.PartitionStatus {
	if e := r.a.engine.Load(); e != nil {
		return e.own()
	}
	return nil
}

// asOf is the time that readings are for now. Of its own partitions a process knows more than it has told the state.
func (b *backend) asOf(ctx context.Context, now time.Time, own []windows.PartitionStatus) (windows.AsOf, error) {
	partitions, err := b.partitions(ctx)
	if err != nil {
		return windows.AsOf{}, err
	}
	known := map[windows.Partition]int{}
	for i, p := range partitions {
		known[p.Partition] = i
	}
	for _, p := range own {
		if i, ok := known[p.Partition]; p.ReadAt.IsZero() {
			continue
		} else if ok {
			partitions[i] = p
		} else {
			partitions = append(partitions, p)
		}
	}
	return windows.AsOfNow(partitions, now.UTC(), b.config.Alerts.StaleAfter), nil
}

// partitions are those of the configured topics: what is left of others in the state is nobody's any more.
func (b *backend) partitions(ctx context.Context) ([]windows.PartitionStatus, error) {
	all, err := b.store.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	topics := map[string]bool{}
	for _, t := range b.config.Kafka.Topics {
		topics[t.Name] = true
	}
	own := all[:0]
	for _, p := range all {
		if topics[p.Partition.Topic] {
			own = append(own, p)
		}
	}
	return own, nil
}

// Rows implements answer.RateReader.
func (r readers) Rows(ctx context.Context, subject string, at time.Time, kept windows.Kept, f policy.Filter) ([]policy.Row, error) {
	b, err := r.backend()
	if err != nil {
		return nil, err
	}
	if e := r.a.engine.Load(); e != nil {
		e.asked.note(subject, r.a.o.Now())
	}
	series := r.copies().of(subject, at)
	if series == nil {
		if series, err = b.store.Series(ctx, subject, b.store.Kept(at)...); err != nil {
			return nil, r.unavailable(err)
		}
	}
	return b.set.Rows(subject, series, at, kept, f)
}

// Subjects implements answer.RateReader.
func (r readers) Subjects(ctx context.Context, c windows.Combination, cursor string, limit int) ([]string, string, error) {
	b, err := r.backend()
	if err != nil {
		return nil, "", err
	}
	subjects, next, err := b.store.Subjects(ctx, c, cursor, limit)
	return subjects, next, r.unavailable(err)
}

// Counts implements answer.CountReader.
func (r readers) Counts(ctx context.Context, subject string, span windows.Span) (map[int64]windows.Counts, error) {
	b, err := r.backend()
	if err != nil {
		return nil, err
	}
	counts, err := b.store.Counts(ctx, subject, span)
	return counts, r.unavailable(err)
}

// Alerts implements answer.AlertReader.
func (r readers) Alerts(ctx context.Context, q answer.AlertQuery) ([]alerts.Record, string, error) {
	b, err := r.backend()
	if err != nil {
		return nil, "", err
	}
	query := redisstate.Query{Subject: q.Subject, Cursor: q.Cursor, Limit: q.Limit}
	if q.State != nil {
		query.Status = redisstate.Resolved
		if *q.State == alerts.Firing {
			query.Status = redisstate.Firing
		}
	}
	records, next, err := b.alerts.List(ctx, query)
	if errors.Is(err, redisstate.ErrCursor) {
		return nil, "", fmt.Errorf("%w: %w", answer.ErrBadCursor, err)
	}
	return records, next, r.unavailable(err)
}

// Alert implements answer.AlertReader.
func (r readers) Alert(ctx context.Context, id string) ([]alerts.Record, error) {
	b, err := r.backend()
	if err != nil {
		return nil, err
	}
	records, err := b.alerts.Episode(ctx, id)
	return records, r.unavailable(err)
}

// Now implements answer.AlertLog.
func (r readers) Now(ctx context.Context) (answer.LogPosition, error) {
	b, err := r.backend()
	if err != nil {
		return nil, err
	}
	c, err := b.alerts.Now(ctx)
	return answer.LogPosition(c), r.unavailable(err)
}

// Resume implements answer.AlertLog.
func (r readers) Resume(ctx context.Context, token string) (answer.LogPosition, bool, error) {
	b, err := r.backend()
	if err != nil {
		return nil, false, err
	}
	c, ok, err := b.alerts.Resume(ctx, token)
	return answer.LogPosition(c), ok, r.unavailable(err)
}

// After implements answer.AlertLog.
func (r readers) After(ctx context.Context, p answer.LogPosition, limit int) ([]alerts.Entry, answer.LogPosition, error) {
	b, err := r.backend()
	if err != nil {
		return nil, nil, err
	}
	entries, c, err := b.alerts.After(ctx, redisstate.Cursor(p), limit)
	return entries, answer.LogPosition(c), r.unavailable(err)
}

// Partitions implements answer.StatusReader.
func (r readers) Partitions(ctx context.Context) ([]windows.PartitionStatus, error) {
	b, err := r.backend()
	if err != nil {
		return nil, err
	}
	partitions, err := b.partitions(ctx)
	return partitions, r.unavailable(err)
}

// Totals implements answer.StatusReader.
func (r readers) Totals(ctx context.Context) (windows.Totals, error) {
	b, err := r.backend()
	if err != nil {
		return windows.Totals{}, err
	}
	totals, err := b.store.Totals(ctx)
	return totals, r.unavailable(err)
}

// Redis implements answer.StatusReader.
func (r readers) Redis(ctx context.Context) (answer.Redis, error) {
	b, err := r.backend()
	if err != nil {
		return answer.Redis{}, err
	}
	c := b.config.Redis
	out := answer.Redis{Mode: "standalone", Shards: c.Shards, Prefix: c.Prefix, Schema: 1}
	if len(c.Addresses) > 1 {
		out.Mode = "cluster"
	}
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	info, err := b.store.Info(ctx)
	if err != nil {
		out.Error = string(redisstore.CategoryOf(err))
		return out, r.unavailable(err)
	}
	out.Reachable, out.Version, out.UsedMemoryBytes, out.MaxMemoryBytes, out.Keys = true, info.Version, info.UsedMemory, info.MaxMemory, info.Keys
	return out, nil
}

// Cohorts implements answer.EngagementReader.
func (r readers) Cohorts(ctx context.Context, tenant string, day engagement.Day) (*engagement.Cohorts, error) {
	b, err := r.backend()
	if err != nil {
		return nil, err
	}
	cohorts, err := b.store.Cohorts(ctx, tenant, day)
	return cohorts, r.unavailable(err)
}

// Recipient implements answer.EngagementReader.
func (r readers) Recipient(ctx context.Context, tenant, recipient string) (engagement.Recipient, error) {
	b, err := r.backend()
	if err != nil {
		return engagement.NewRecipient(), err
	}
	found, err := b.store.Recipient(ctx, tenant, recipient)
	return found, r.unavailable(err)
}

// Standings implements audience.Recipients.
func (r readers) Standings(tenant string, at time.Time) (audience.Standings, error) {
	b, err := r.backend()
	if err != nil {
		return nil, err
	}
	number, done := b.store.Numberer(tenant)
	return standings{readers: r, store: b.store, number: number, done: done, bounds: b.store.Rules().At(engagement.DayOf(at))}, nil
}

// standings are those of one tenant's recipients on a day.
type standings struct {
	readers readers
	store   *redisstore.Store
	number  func(string) uint64
	done    func()
	bounds  engagement.Bounds
}

var _ audience.Standings = standings{}

// Number implements audience.Standings.
func (s standings) Number(address []byte) uint64 {
	return s.number(unsafe.String(unsafe.SliceData(address), len(address))) // used during the call only
}

// Find implements audience.Standings.
func (s standings) Find(ctx context.Context, numbers []uint64, out []audience.Standing) error {
	return s.readers.unavailable(s.store.Numbered(ctx, numbers, func(i int, r *engagement.Recipient) {
		if r.Last < s.bounds.Forgotten {
			*r = engagement.NewRecipient()
		}
		out[i] = audience.Standing{State: r.State(&s.bounds), Suppression: r.Suppression()}
	}))
}

// Close implements audience.Standings.
func (s standings) Close() { s.done() }
