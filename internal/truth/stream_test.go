package truth

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider"
)

// The decoder has to agree with what the stream says of its records, and the stream with itself.
func TestTheDecoderAgrees(t *testing.T) {
	for _, maxBytes := range []int{0, 4096} {
		agree(t, maxBytes)
	}
}

func agree(t *testing.T, maxBytes int) {
	t.Helper()
	end := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	o := Options{Seed: 7, Records: 50_000, End: end, Span: 72 * time.Hour, MaxBytes: maxBytes}
	s, again := NewStream(o), NewStream(o)
	d, err := provider.NewDecoder("auto", provider.Options{MaxAhead: 10 * time.Minute, MaxBytes: maxBytes})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[event.Reason]int{}
	repeats, ignored, events := 0, 0, 0
	for n := range o.Records {
		rec := s.At(n)
		if string(again.At(n).Value) != string(rec.Value) {
			t.Fatalf("record %d is another one the second time", n)
		}
		got := d.Decode(rec.Value, end)
		want := rec.Result
		if (got.Rejected == nil) != (want.Rejected == nil) || got.Rejected != nil && got.Rejected.Reason != want.Rejected.Reason {
			t.Fatalf("record %d: rejected %v, expected %v\n%s", n, got.Rejected, want.Rejected, rec.Value)
		}
		if got.Ignored != want.Ignored || len(got.Events) != len(want.Events) {
			t.Fatalf("record %d: %+v\nexpected %+v\n%s", n, got, want, rec.Value)
		}
		for i := range want.Events {
			if diff := cmp.Diff(want.Events[i], got.Events[i]); diff != "" {
				t.Fatalf("record %d: %s\n%s", n, diff, rec.Value)
			}
		}
		if m, ok := Number(rec.Value); ok && m != n {
			repeats++
		} else if !ok && len(want.Events) > 0 {
			t.Fatalf("record %d has no number", n)
		}
		if want.Rejected != nil {
			seen[want.Rejected.Reason]++
		}
		ignored += want.Ignored
		events += len(want.Events)
	}
	t.Logf("%d events, %d repeats, %d ignored, %v", events, repeats, ignored, seen)
	if repeats < 500 || ignored < 50 || len(seen) < 6 {
		t.Error("too little of something")
	}
}

func BenchmarkAt(b *testing.B) {
	s := NewStream(Options{Seed: 1, Records: 1_000_000, End: time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC), Span: 72 * time.Hour})
	n := 0
	for b.Loop() {
		s.At(n)
		n++
	}
}
