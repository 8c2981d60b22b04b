package consumer

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/windows"
)

// From a record's bytes to the batch, once the batches have grown, nothing is allocated.
func TestDecodingAndFoldingAllocatesNothing(t *testing.T) {
	store := &sink{total: -1}
	o := Options{Topics: []string{"t"}, Group: "g", Decoder: someWords, NewFold: newFold}
	if err := o.defaults(); err != nil {
		t.Fatal(err)
	}
	o.NewFold = func() *windows.Fold {
		return windows.NewFold(windows.FoldOptions{Combinations: windows.DefaultCombinations(), Shards: 1,
			Providers: windows.NewProviders(nil, nil), Hasher: hasher{}})
	}
	a := newApplier(store, nil, zap.NewNop(), &o)
	lanes, err := a.open(t.Context(), []windows.Partition{{Topic: "t"}})
	if err != nil {
		t.Fatal(err)
	}
	l := lanes[0]
	l.position()
	l.begin("id", 0)
	decoder, err := provider.NewDecoder("auto", provider.Options{MaxAhead: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var values [][]byte
	for i := range 1000 {
		values = append(values, fmt.Appendf(nil, `{"type":"delivery","time":"2026-11-24T11:%02d:00Z","id":"e%d","recipient":"u%d@example.org","tenant":"t%d","ip":"203.0.113.%d"}`,
			i%60, i, i, i%50, i%200))
	}
	offset := int64(0)
	var result event.Result
	pass := func() {
		for _, v := range values {
			result = decoder.Decode(v, now)
			if _, err := l.add(t.Context(), offset, v, &result, now); err != nil {
				t.Fatal(err)
			}
			offset++
		}
		a.mu.Lock()
		b := a.swap()
		a.mu.Unlock()
		if err := a.apply(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		pass()
	}
	if perRecord := testing.AllocsPerRun(10, pass) / float64(len(values)); perRecord > 0.01 { // a few a batch
		t.Errorf("%.3f allocations a record", perRecord)
	}
}
