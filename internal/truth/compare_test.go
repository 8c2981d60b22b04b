package truth

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
	"sendwatch/internal/windows/redisstore"
)

// A comparison that finds nothing proves nothing unless it finds what is there: one record more, less or changed.
func TestCompareFindsOneRecord(t *testing.T) {
	end := time.Now().UTC()
	stream := NewStream(Options{Seed: 3, Records: 3000, End: end, Span: 2 * time.Hour, Recipients: 500, Tenants: 5, Storm: 1})
	rules := engagement.DefaultRules()
	providers := windows.NewProviders(nil, nil)
	o := memstore.Options{Combinations: windows.DefaultCombinations(), Retention: windows.DefaultRetention(400), Late: 400 * 24 * time.Hour,
		Horizon: 48 * time.Hour, Providers: providers, Engagement: &rules}
	client, err := redisstore.Connect(redisstore.Connection{Addresses: []string{miniredis.RunT(t).Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	store, err := redisstore.Open(t.Context(), client, redisstore.Options{Shards: 4, Combinations: o.Combinations, Retention: o.Retention, Late: o.Late,
		Horizon: o.Horizon, Providers: providers, Engagement: o.Engagement})
	if err != nil {
		t.Fatal(err)
	}
	p := windows.Partition{Topic: "t"}
	fold := store.NewFold()
	fold.Start(p, []int64{-1, -1, -1, -1})
	for n := range 3000 {
		result := stream.At(n).Result
		fold.Add(p, int64(n), &result, end)
	}
	if err := store.Apply(t.Context(), fold); err != nil {
		t.Fatal(err)
	}

	delivered := 0 // a record of which everybody has to notice the absence
	for n := range 3000 {
		if e := stream.first(n).Result.Events; len(e) == 1 && e[0].Recipient != "" && e[0].Time.After(end.Add(-time.Hour)) {
			delivered = n
		}
	}
	for name, c := range map[string]struct {
		skip int
		lost int64
		good bool
	}{"the same": {-1, 0, true}, "one more in Redis": {delivered, 0, false}, "lost records that nobody lost": {-1, 2, false}} {
		oracle := memstore.New(o)
		for n := range 3000 {
			if n == c.skip {
				continue
			}
			result := stream.At(n).Result
			oracle.Add(p, int64(n), &result, end)
		}
		report, err := Comparison{Redis: store, Oracle: oracle, Lost: c.lost, Combinations: o.Combinations, At: end, Recipients: stream.SomeRecipients(1)}.Compare(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if report.OK() != c.good || report.Cells < 1000 || report.Recipients < 300 || report.Tenants < 5 {
			t.Errorf("%s: %s", name, report)
		}
	}
}
