package redisstore

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

func TestCompactedIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l logs
		l.reset(windows.Minute, "")
		l.open(0, "all")
		want := map[[2]byte]uint64{}
		for range rapid.IntRange(0, 200).Draw(t, "n") {
			place, c := rapid.Byte().Draw(t, "place"), windows.Counter(rapid.IntRange(0, windows.NumCounters-1).Draw(t, "counter"))
			n := rapid.Uint64Range(1, 1<<40).Draw(t, "n")
			l.add(place, c, n)
			want[[2]byte{place, byte(c)}] += n
		}
		log := string(l.buf[l.body:])
		for _, text := range []string{log, string(compacted(log)), string(compacted(string(compacted(log))))} {
			have := map[[2]byte]uint64{}
			if !increments(text, func(place byte, c windows.Counter, n uint64) { have[[2]byte{place, byte(c)}] += n }) {
				t.Fatal("broken")
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Fatal(diff)
			}
		}
		if len(compacted(log)) > len(log) {
			t.Fatal("compaction made it longer")
		}
	})
}

func FuzzIncrements(f *testing.F) {
	f.Add("\x00\x01\x05\x02\x03\x80\x01")
	f.Fuzz(func(t *testing.T, log string) {
		n := 0
		if increments(log, func(byte, windows.Counter, uint64) { n++ }) && 3*n > len(log) {
			t.Fatalf("%d increments out of %d bytes", n, len(log))
		}
		compacted(log)
	})
}

// Whatever bits and split are, every bucket of a layout is reached by what belongs to it, and a split parts what was together.
func TestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spread{bits: uint8(rapid.IntRange(0, 29).Draw(t, "bits"))}
		s.split = rapid.Uint32Range(0, 1<<s.bits-1).Draw(t, "split")
		h := rapid.Uint32().Draw(t, "hash")
		b := s.bucket(h)
		if int64(b) >= s.buckets() {
			t.Fatalf("bucket %d of %d", b, s.buckets())
		}
		next := s.next(rapid.Uint32Range(1, 100).Draw(t, "n"))
		if after := next.bucket(h); after != b && after != b+1<<s.bits {
			t.Fatalf("from bucket %d to %d", b, after)
		}
		if next.buckets() <= s.buckets() {
			t.Fatal("no bucket more")
		}
	})
}

// However often a subject is counted in the same buckets, its logs stay short.
func TestLogsStayShort(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		r := newRig(t, client, o)
		for i := range 1500 {
			e := event.Event{Type: event.Delivery, Time: t0.Add(time.Duration(i%7) * time.Minute), Recipient: fmt.Sprintf("p%d@example.org", i%50)}
			r.add(p0, event.Result{Events: []event.Event{e}})
			r.apply()
		}
		r.check(spansFrom(t0, t0.Add(time.Hour)), []string{"default"}, nil)
		for key, v := range dump(t, client, o.Prefix) {
			if strings.Contains(key, ":c:") && len(v) > 1100 {
				t.Errorf("%s has %d bytes", key, len(v))
			}
		}
	})
}

// Several processes, buckets that split all the while, recipients and repeats: as one process after the other.
func TestProcessesSideBySide(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.BucketEntries = 3
		sideBySide(t, client, o, 3, 400, func(r *rand.Rand) int { return 1 + r.IntN(30) }, nil)
		layout := client.HGetAll(t.Context(), o.Prefix+":{s00}:meta").Val()
		if layout["rb"] < "4" || layout["db"] < "4" {
			t.Errorf("buckets did not split: %v", layout)
		}
	})
}

func TestSweepTakesEverythingAway(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.Shards, o.BucketEntries = 2, 5
		r := newRig(t, client, o)
		s := newStream(4, 100)
		for range 500 {
			r.add(p0, s.result())
		}
		r.apply()
		sweep := func(asOf time.Time) (total Swept) {
			for range 200 {
				swept, err := r.store.Sweep(t.Context(), asOf)
				if err != nil {
					t.Fatal(err)
				}
				total.Keys += swept.Keys
				total.Entries += swept.Entries
			}
			return total
		}
		if swept := sweep(s.at); swept.Entries != 0 {
			t.Errorf("%+v swept while everything is kept", swept)
		}
		r.check([]windows.Span{{Step: windows.Minute, First: o.Retention.Oldest(windows.Minute, s.at), Last: windows.Minute.Bucket(s.at)},
			{Step: windows.Hour, First: o.Retention.Oldest(windows.Hour, s.at), Last: windows.Hour.Bucket(s.at)},
			{Step: windows.Day, First: windows.Day.Bucket(t0) - 2, Last: windows.Day.Bucket(s.at)}}, s.tenants, s.recipients)

		// Somebody comes back long after; all others are forgotten, and nothing of what was counted is left.
		later := s.at.AddDate(2, 0, 0)
		r.now = later
		result := event.Result{Events: []event.Event{{Type: event.Open, Time: later, Recipient: s.recipients[0], ID: "last"}}}
		r.fold.Start(p0, []int64{r.next[p0], r.next[p0]})
		r.add(p0, result)
		r.apply()
		if swept := sweep(later); swept.Entries < 300 {
			t.Errorf("only %+v swept", swept)
		}
		for key, v := range dump(t, client, o.Prefix) {
			_, name, _ := strings.Cut(key, "}:")
			kind, _, _ := strings.Cut(name, ":")
			switch kind {
			case "meta", "pos", "tally", "feed":
			default:
				if !strings.Contains(name, "all") && !strings.Contains(name, "default") && !strings.HasPrefix(name, "r:") && !strings.HasPrefix(name, "dd:") && name != "subj:" && name != "subj:tenant,provider" && name != "subj:tenant" {
					t.Errorf("left: %s %q", key, v)
				}
			}
		}
		day := engagement.DayOf(later)
		b, err := r.store.Breakdown(t.Context(), "default", day)
		if err != nil || b != (engagement.Breakdown{Known: 1, Engaged: 1, Engaged30d: 1, Engaged90d: 1}) {
			t.Errorf("%+v %v", b, err)
		}
	})
}

// A call looks at so many buckets and no more, whatever there is to take away, and calls go on until all is gone.
func TestSweepIsBounded(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.BucketEntries, o.Combinations = 2, nil
		r := newRig(t, client, o)
		const people = 1000
		for i := range people {
			r.add(p0, event.Result{Events: []event.Event{{Type: event.Delivery, Time: t0, Recipient: fmt.Sprint(i, "@example.org")}}})
		}
		r.apply()
		buckets := func() (n int) {
			for key := range dump(t, client, o.Prefix) {
				if strings.Contains(key, "}:r:") {
					n++
				}
			}
			return n
		}
		all, later := buckets(), t0.AddDate(2, 0, 0)
		if all < 3*sweepBuckets {
			t.Fatalf("%d buckets are too few for this test", all)
		}
		var gone int64
		calls := 0
		for left := all; left > 0; calls++ {
			r.store.shards[0].swept.at = time.Now() // so that one piece is due
			swept, err := r.store.Sweep(t.Context(), later)
			if err != nil {
				t.Fatal(err)
			}
			gone += swept.Entries
			now := buckets()
			if left-now > sweepBuckets {
				t.Fatalf("%d buckets went in one call", left-now)
			}
			if calls > 2*all/sweepBuckets+2 {
				t.Fatalf("%d of %d buckets are left after %d calls", now, all, calls)
			}
			left = now
		}
		if gone != people {
			t.Errorf("%d recipients went, %d expected", gone, people)
		}
	})
}

// What has just become the time of the state does not decide yet.
func TestSweepWaits(t *testing.T) {
	w := sweeper{wait: time.Minute}
	at := func(second int) time.Time { return t0.Add(time.Duration(second) * time.Second) }
	for _, c := range []struct {
		second int
		asOf   time.Time
		want   time.Time // zero = nothing is settled
	}{
		{0, at(1000), time.Time{}}, {30, at(1000), time.Time{}}, {60, at(1000), at(1000)}, {90, at(10), at(10)}, {100, at(1000), at(10)},
		{151, at(1001), at(10)}, {162, at(1002), at(1000)}, {300, at(1003), at(1002)},
	} {
		have, _ := w.settled(c.asOf, at(c.second))
		if !have.Equal(c.want) {
			t.Errorf("after %d s: %v, want %v", c.second, have, c.want)
		}
	}
}

func TestForget(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.BucketEntries = 5
		r := newRig(t, client, o)
		s := newStream(7, 60)
		for range 400 {
			r.add(p0, s.result())
		}
		r.apply()
		before := 0
		for _, address := range s.recipients[:30] {
			if r.oracle.Recipient("acme", address) != engagement.NewRecipient() {
				before++
			}
		}
		day := engagement.DayOf(r.oracle.Newest())
		was, err := r.store.Breakdown(t.Context(), "acme", day)
		if err != nil {
			t.Fatal(err)
		}
		n, err := r.store.Forget(t.Context(), "acme", s.recipients[:30])
		if err != nil || int(n) != before {
			t.Fatalf("%d forgotten of %d: %v", n, before, err)
		}
		if n, err = r.store.Forget(t.Context(), "acme", s.recipients[:30]); n != 0 || err != nil {
			t.Fatalf("%d forgotten again: %v", n, err)
		}
		out := make([]engagement.Recipient, 60)
		if err := r.store.Recipients(t.Context(), "acme", s.recipients, out); err != nil {
			t.Fatal(err)
		}
		for i, address := range s.recipients {
			want := r.oracle.Recipient("acme", address)
			if i < 30 {
				want = engagement.NewRecipient()
			}
			if out[i] != want {
				t.Errorf("%s: %+v, want %+v", address, out[i], want)
			}
		}
		is, err := r.store.Breakdown(t.Context(), "acme", day)
		if err != nil || is.Known != was.Known-int64(before) {
			t.Errorf("%d known before, %d after, %d forgotten: %v", was.Known, is.Known, before, err)
		}
		for _, tenant := range []string{"default", s.tenants[1]} {
			have, err := r.store.Breakdown(t.Context(), tenant, day)
			if want := r.oracle.Breakdown(tenant, day); err != nil || have != want {
				t.Errorf("%s: %+v, want %+v: %v", tenant, have, want, err)
			}
		}
	})
}
