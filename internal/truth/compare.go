package truth

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
	"sendwatch/internal/windows/redisstore"
)

// Report is what a comparison found.
type Report struct {
	Subjects    int // compared
	Cells       int // bucket and counter pairs that are not zero on one side
	Tenants     int
	Recipients  int
	Differences int
	Examples    []string // the first few differences
}

// OK tells that there is no difference.
func (r *Report) OK() bool { return r.Differences == 0 }

// String says it in a few lines.
func (r *Report) String() string {
	text := fmt.Sprintf("%d subjects, %d cells, %d tenants, %d recipients compared: %d differences", r.Subjects, r.Cells, r.Tenants, r.Recipients, r.Differences)
	return strings.Join(append([]string{text}, r.Examples...), "\n  ")
}

func (r *Report) differ(format string, args ...any) {
	r.Differences++
	if len(r.Examples) < 40 {
		r.Examples = append(r.Examples, fmt.Sprintf(format, args...))
	}
}

// Who names a recipient of a tenant.
type Who struct{ Tenant, Recipient string }

// Comparison says what to hold against what.
type Comparison struct {
	Redis        *redisstore.Store
	Oracle       *memstore.Store
	Lost         int64 // records that were deleted before they could be read
	Combinations []windows.Combination
	At           time.Time // what is kept at this time is compared
	Recipients   []Who     // to look up one by one
}

// Compare holds every counter of every subject and step within what is kept, the totals, the tenants' engagement and the records
// of some recipients against the oracle. An error means that it could not be done.
func (c Comparison) Compare(ctx context.Context) (*Report, error) {
	r := &Report{}
	for _, part := range []func(context.Context, *Report) error{c.counts, c.totals, c.engagement, c.recipients} {
		if err := part(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (c Comparison) counts(ctx context.Context, r *Report) error {
	spans := c.Redis.Kept(c.At)
	for _, combination := range c.Combinations {
		subjects := map[string]bool{}
		for _, key := range c.Oracle.SubjectsOf(combination) {
			subjects[key] = true
		}
		for cursor := ""; ; {
			page, next, err := c.Redis.Subjects(ctx, combination, cursor, 1000)
			if err != nil {
				return err
			}
			for _, key := range page {
				subjects[key] = true
			}
			if cursor = next; cursor == "" {
				break
			}
		}
		for _, key := range slices.Sorted(maps.Keys(subjects)) {
			have, err := c.Redis.Series(ctx, key, spans...)
			if err != nil {
				return err
			}
			r.Subjects++
			want := windows.NewSeries(windows.Retention{})
			if sub, ok := c.Oracle.Subject(key); ok {
				want = sub.Series()
			}
			for _, span := range spans {
				c.span(r, key, span, want, have)
			}
		}
	}
	return nil
}

func (c Comparison) span(r *Report, subject string, span windows.Span, want, have *windows.Series) {
	cells := map[int64][2]windows.Counts{}
	for side, series := range []*windows.Series{want, have} {
		for bucket, counts := range series.Buckets(span) {
			pair := cells[bucket]
			pair[side] = *counts
			cells[bucket] = pair
		}
	}
	for _, bucket := range slices.Sorted(maps.Keys(cells)) {
		pair := cells[bucket]
		for i := range pair[0] {
			if pair[0][i]|pair[1][i] == 0 {
				continue
			}
			r.Cells++
			if pair[0][i] != pair[1][i] {
				r.differ("%s %s %s %s: %d expected, %d found", subject, span.Step, span.Step.Start(bucket).Format(time.RFC3339), windows.Counter(i), pair[0][i], pair[1][i])
			}
		}
	}
}

func (c Comparison) totals(ctx context.Context, r *Report) error {
	have, err := c.Redis.Totals(ctx)
	if err != nil {
		return err
	}
	want := c.Oracle.Totals()
	pairs := map[string][2]int64{
		"read": {want.Read, have.Read()}, "counted": {want.Counted, have.Counted}, "duplicate": {want.Duplicate, have.Duplicate},
		"late": {want.Late, have.Late}, "ignored": {want.Ignored, have.Ignored}, "lost": {c.Lost, have.Lost},
	}
	for reason, n := range want.Rejected {
		pairs["rejected "+string(reason)] = [2]int64{n, have.Rejected[string(reason)]}
	}
	for reason, n := range have.Rejected {
		if p, ok := pairs["rejected "+reason]; !ok {
			pairs["rejected "+reason] = [2]int64{p[0], n}
		}
	}
	for name, p := range pairs {
		if p[0] != p[1] {
			r.differ("total %s: %d expected, %d found", name, p[0], p[1])
		}
	}
	return nil
}

func (c Comparison) engagement(ctx context.Context, r *Report) error {
	today := engagement.DayOf(c.At)
	for _, tenant := range c.Oracle.Tenants() {
		for _, day := range []engagement.Day{today, today - 1, today + 20} {
			have, err := c.Redis.Breakdown(ctx, tenant, day)
			if err != nil {
				return err
			}
			if want := c.Oracle.Breakdown(tenant, day); want != have {
				r.differ("recipients of %s on day %d: %+v expected, %+v found", tenant, day, want, have)
			}
		}
		r.Tenants++
	}
	return nil
}

func (c Comparison) recipients(ctx context.Context, r *Report) error {
	by := map[string][]string{}
	for _, w := range c.Recipients {
		by[w.Tenant] = append(by[w.Tenant], w.Recipient)
	}
	for tenant, addresses := range by {
		have := make([]engagement.Recipient, len(addresses))
		if err := c.Redis.Recipients(ctx, tenant, addresses, have); err != nil {
			return err
		}
		for i, address := range addresses {
			r.Recipients++
			if want := c.Oracle.Recipient(tenant, address); want != have[i] {
				r.differ("recipient %s of %s: %+v expected, %+v found", address, tenant, want, have[i])
			}
		}
	}
	return nil
}

// SomeRecipients names recipients of the stream's records: of every n-th one.
func (s *Stream) SomeRecipients(every int) []Who {
	var all []Who
	seen := map[Who]bool{}
	for n := 0; n < s.o.Records; n += every {
		for _, e := range s.first(n).Result.Events {
			w := Who{e.Tenant, e.Recipient}
			if w.Tenant == "" {
				w.Tenant = windows.DefaultTenant
			}
			if w.Recipient != "" && !seen[w] {
				seen[w] = true
				all = append(all, w)
			}
		}
	}
	return all
}
