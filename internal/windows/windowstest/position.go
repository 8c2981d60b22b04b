package windowstest

import (
	"errors"
	"fmt"
	"time"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

func (r *rig) expectPosition(p windows.Partition, next int64, newest time.Time) {
	r.Helper()
	have, at, err := r.store.Next(r.Context(), p)
	if err != nil {
		r.Fatal(err)
	}
	if have != next || !at.Equal(newest) {
		r.Errorf("%v is at %d, newest %v; want %d, %v", p, have, at, next, newest)
	}
}

func send(d time.Duration, recipient string) event.Event {
	return event.Event{Type: event.Send, Time: at(d), Recipient: recipient}
}

func positions(r *rig) {
	r.expectPosition(partition(0), -1, time.Time{})
	// The first offset of a log need not be 0, and offsets may have holes.
	r.apply(Run{Partition: partition(0), From: -1, Records: []Record{
		{41, event.Result{Events: []event.Event{send(0, "a@x.org")}}}, {47, event.Result{Events: []event.Event{send(hour, "b@x.org")}}},
	}})
	r.expectPosition(partition(0), 48, at(hour))
	r.expectPosition(partition(1), -1, time.Time{})
	r.apply(r.run(partition(0), each([]event.Event{send(-hour, "a@x.org")})...), r.run(partition(1), each([]event.Event{send(0, "c@x.org")})...))
	r.expectPosition(partition(0), 49, at(hour)) // the newest time does not go back
	r.expectPosition(partition(1), 1, at(0))
	r.expectPosition(windows.Partition{Topic: "other", ID: 0}, -1, time.Time{})
	r.expect("all", count{windows.Sent: 4})
}

func wrongPosition(r *rig) {
	r.take(send(0, "a@x.org"), send(0, "b@x.org"))
	before := r.whole("all")
	for _, from := range []int64{-1, 0, 1, 3} {
		run := Run{Partition: partition(0), From: from, Records: []Record{{max(from, 0), event.Result{Events: []event.Event{send(0, "c@x.org")}, Ignored: 1}}}, To: 9}
		other := r.run(partition(1), each([]event.Event{send(0, "d@x.org")})...)
		err := r.store.Apply(r.Context(), Batch{r.now, []Run{other, run}})
		position, ok := errors.AsType[*windows.PositionError](err)
		switch {
		case !ok:
			r.Errorf("from %d: got %v, want a PositionError", from, err)
		case position.Partition != partition(0) || position.Have != 2 || position.Want != from:
			r.Errorf("from %d: got %v", from, position)
		}
	}
	if got := r.whole("all"); got != before {
		r.Errorf("counts changed from %v to %v", before, got)
	}
	if got := r.totals(); got.Ignored != 0 || got.Counted != 2 {
		r.Errorf("totals %+v", got)
	}
	r.expectPosition(partition(0), 2, at(0))
	r.expectPosition(partition(1), -1, time.Time{})
	r.take(send(0, "c@x.org")) // and it goes on
	r.expect("all", count{windows.Sent: 3})
}

// appliedTwice is what happens when the answer to a batch was lost: it is sent again.
func appliedTwice(r *rig) {
	one, other := r.run(partition(0), each([]event.Event{send(0, "a@x.org"), {Type: event.Open, Time: at(0), Recipient: "a@x.org"}})...),
		r.run(partition(1), event.Result{Ignored: 3, Rejected: &event.Rejection{Reason: event.NoTime}})
	batch := Batch{r.now, []Run{one, other}}
	for range 3 {
		if err := r.store.Apply(r.Context(), batch); err != nil {
			r.Fatal(err)
		}
	}
	r.expect("all", count{windows.Sent: 1, windows.Opened: 1})
	if got := r.totals(); got.Counted != 2 || got.Ignored != 3 || got.Rejected["no_time"] != 1 || got.Duplicate != 0 {
		r.Errorf("totals %+v", got)
	}
	r.expectPosition(partition(0), 2, at(0))
}

func emptyRecords(r *rig) {
	r.apply(Run{Partition: partition(0), From: -1, To: 5}) // control records only
	r.expectPosition(partition(0), 5, time.Time{})
	r.next[partition(0)] = 5
	r.apply(r.run(partition(0), event.Result{}, event.Result{Ignored: 1}))
	r.expectPosition(partition(0), 7, time.Time{})
	r.expect("all", nil)
	if got := r.totals(); got.Ignored != 1 || got.Read() != 1 {
		r.Errorf("totals %+v", got)
	}
}

// story is a stream with a bit of everything, in batches.
func story(r *rig) (batches [][]event.Event) {
	for i := range 12 {
		var batch []event.Event
		for j := range 20 {
			n := i*20 + j
			e := event.Event{
				Type: event.Type(1 + n*7%11), Time: at(time.Duration(n*37%900) * time.Minute), ID: fmt.Sprint("id", n*3%150),
				Recipient: fmt.Sprintf("p%d@gmail.com", n%17), Tenant: []string{"acme", "zeta"}[n%2], IP: fmt.Sprintf("203.0.113.%d", n%3),
				BounceClass: event.BounceClass(n % 5), BounceAsync: n%4 == 0, ComplaintKind: event.ComplaintKind(n % 6), Machine: n%5 == 0,
			}
			e.Tidy()
			batch = append(batch, e)
		}
		batches = append(batches, batch)
	}
	return batches
}

// wentBack: a Redis that lost its last minutes lost counts and positions together; reading again from those positions gives
// what never having lost anything gives. A writer that does not know is refused.
func wentBack(r *rig) {
	batches := story(r)
	memory := newRig(r.T, NewMemory(DefaultConfig()))
	for _, b := range batches {
		memory.take(b...)
	}
	var restore func()
	for i, b := range batches {
		if i == 5 {
			back, err := r.store.Copy(r.Context())
			if err != nil {
				r.Fatal(err)
			}
			at := r.next[partition(0)]
			restore = func() {
				if err := back(r.Context()); err != nil {
					r.Fatal(err)
				}
				err := r.store.Apply(r.Context(), Batch{r.now, []Run{r.run(partition(0), each(b)...)}})
				if position, ok := errors.AsType[*windows.PositionError](err); !ok || position.Have != at {
					r.Fatalf("got %v, want a PositionError with offset %d", err, at)
				}
				next, _, err := r.store.Next(r.Context(), partition(0))
				if err != nil || next != at {
					r.Fatalf("at %d, %v; want %d", next, err, at)
				}
				r.next[partition(0)] = next
			}
		}
		r.take(b...)
	}
	restore()
	for _, b := range batches[5:] {
		r.take(b...)
	}
	compareRigs(r, memory)
}

// compareRigs compares everything that story can have touched.
func compareRigs(r, want *rig) {
	r.Helper()
	var recipients []string
	for i := range 17 {
		recipients = append(recipients, fmt.Sprintf("p%d@gmail.com", i))
	}
	Compare(r.T, want.store, r.store, Scope{
		Combinations: windows.DefaultCombinations(), From: t0().AddDate(0, 0, -1), To: t0().AddDate(0, 0, 3),
		Tenants: []string{"acme", "zeta", "default"}, Recipients: recipients, Days: []engagement.Day{engagement.DayOf(t0()), engagement.DayOf(at(2 * day))},
		Partitions: []windows.Partition{partition(0), partition(1)},
	})
}

func (r *rig) follower() Follower {
	f, ok := r.store.(Follower)
	if !ok {
		r.Skip("the store has no feed")
	}
	return f
}

// expectCopy holds a reader's copy against the store.
func (r *rig) expectCopy(c *Copy) {
	r.Helper()
	for _, combination := range windows.DefaultCombinations() {
		for _, subject := range r.subjects(combination) {
			for step := windows.Minute; int(step) < windows.NumSteps; step++ {
				all := span(step, t0().AddDate(0, 0, -2), t0().AddDate(0, 0, 3))
				want, got := r.buckets(subject, all), c.counts(subject, all)
				for bucket := range want {
					if got[bucket] != want[bucket] {
						r.Fatalf("%s %s %d: the copy has %v, the store %v", subject, step, bucket, got[bucket], want[bucket])
					}
				}
				for bucket, counts := range got {
					if _, ok := want[bucket]; !ok && counts != (windows.Counts{}) {
						r.Fatalf("%s %s %d: the copy has %v, the store nothing", subject, step, bucket, counts)
					}
				}
			}
		}
	}
}

// feedHandover: a reader that comes at any time has everything once, whatever is added while it reads.
func feedHandover(r *rig) {
	follower := r.follower()
	batches := story(r)
	var feeds []Feed
	var copies []*Copy
	for i, b := range batches {
		if i%3 == 0 {
			feeds, copies = append(feeds, follower.Follow()), append(copies, NewCopy())
		}
		r.take(b...)
		for j, f := range feeds {
			if (i+j)%2 == 0 {
				if err := f.Pull(r.Context(), copies[j]); err != nil {
					r.Fatal(err)
				}
				r.expectCopy(copies[j])
			}
		}
	}
	for j, f := range feeds {
		if err := f.Pull(r.Context(), copies[j]); err != nil {
			r.Fatal(err)
		}
		r.expectCopy(copies[j])
		if copies[j].Resets != 1 {
			r.Errorf("feed %d loaded %d times", j, copies[j].Resets)
		}
	}
}

// feedWentBack: when the state goes back, every copy is worth nothing, also when as many entries have come again as there
// were before.
func feedWentBack(r *rig) {
	follower := r.follower()
	batches := story(r)
	for _, b := range batches[:4] {
		r.take(b...)
	}
	back, err := r.store.Copy(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	older := r.next[partition(0)]
	for _, b := range batches[4:8] {
		r.take(b...)
	}
	feed, c := follower.Follow(), NewCopy()
	if err := feed.Pull(r.Context(), c); err != nil {
		r.Fatal(err)
	}
	r.expectCopy(c)
	if err := back(r.Context()); err != nil {
		r.Fatal(err)
	}
	r.next[partition(0)] = older
	for _, b := range batches[6:10] { // others than before, and as many
		r.take(b...)
	}
	if err := feed.Pull(r.Context(), c); err != nil {
		r.Fatal(err)
	}
	r.expectCopy(c)
	if c.Resets != 2 {
		r.Errorf("loaded %d times, want 2", c.Resets)
	}
}

func likeMemory(r *rig) {
	memory := newRig(r.T, NewMemory(DefaultConfig()))
	for i, b := range story(r) {
		r.apply(r.run(partition(i%2), each(b)...))
		memory.apply(memory.run(partition(i%2), each(b)...))
	}
	compareRigs(r, memory)
}
