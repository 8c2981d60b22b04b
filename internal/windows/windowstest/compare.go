package windowstest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// Scope is what Compare looks at.
type Scope struct {
	Combinations []windows.Combination
	From, To     time.Time // buckets of every step
	Tenants      []string
	Recipients   []string // looked up for every tenant
	Days         []engagement.Day
	Partitions   []windows.Partition
}

// Compare reports everything that two stores answer differently, want being the one that is right.
func Compare(t *testing.T, want, have Store, s Scope) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range s.Combinations {
		a, err := want.Subjects(ctx, c)
		must(err)
		b, err := have.Subjects(ctx, c)
		must(err)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("subjects of %q: %q, want %q", c, b, a)
		}
		for _, subject := range slices.Compact(slices.Sorted(slices.Values(append(a, b...)))) {
			for step := windows.Minute; int(step) < windows.NumSteps; step++ {
				a, err := want.Counts(ctx, subject, span(step, s.From, s.To))
				must(err)
				b, err := have.Counts(ctx, subject, span(step, s.From, s.To))
				must(err)
				compareBuckets(t, subject, step, a, b)
			}
		}
	}
	for _, tenant := range s.Tenants {
		for _, address := range s.Recipients {
			a, err := want.Recipient(ctx, tenant, address)
			must(err)
			b, err := have.Recipient(ctx, tenant, address)
			must(err)
			if a != b {
				t.Errorf("%s of %s: %+v, want %+v", address, tenant, b, a)
			}
		}
		for _, day := range s.Days {
			a, err := want.Breakdown(ctx, tenant, day)
			must(err)
			b, err := have.Breakdown(ctx, tenant, day)
			must(err)
			if a != b {
				t.Errorf("recipients of %s on %v: %+v, want %+v", tenant, day, b, a)
			}
		}
	}
	for _, p := range s.Partitions {
		a, newestA, err := want.Next(ctx, p)
		must(err)
		b, newestB, err := have.Next(ctx, p)
		must(err)
		if a != b || !newestA.Equal(newestB) {
			t.Errorf("%v is at %d, newest %v; want %d, %v", p, b, newestB, a, newestA)
		}
	}
	a, err := want.Totals(ctx)
	must(err)
	b, err := have.Totals(ctx)
	must(err)
	if a.Counted != b.Counted || a.Duplicate != b.Duplicate || a.Late != b.Late || a.Ignored != b.Ignored || a.Lost != b.Lost || !maps.Equal(a.Rejected, b.Rejected) {
		t.Errorf("totals %+v, want %+v", b, a)
	}
}

func compareBuckets(t *testing.T, subject string, step windows.Step, want, have map[int64]windows.Counts) {
	t.Helper()
	all := maps.Clone(want)
	maps.Copy(all, have)
	for _, bucket := range slices.Sorted(maps.Keys(all)) {
		a, b := want[bucket], have[bucket]
		for c := range a {
			if a[c] != b[c] {
				t.Errorf("%s %s %s: %s is %d, want %d", subject, step, step.Start(bucket).Format(time.RFC3339), windows.Counter(c), b[c], a[c])
			}
		}
	}
}
