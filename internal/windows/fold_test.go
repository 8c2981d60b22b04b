package windows_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

var (
	foldAt = time.Date(2026, 3, 2, 9, 30, 15, 0, time.UTC)
	in0    = windows.Partition{Topic: "in"}
	in1    = windows.Partition{Topic: "in", ID: 1}
)

func foldOptions(shards int) windows.FoldOptions {
	key, _ := engagement.ParseKey([]byte("key"))
	return windows.FoldOptions{Combinations: windows.DefaultCombinations(), Shards: shards, Late: 400 * 24 * time.Hour, Repeats: true,
		Providers: windows.NewProviders(nil, nil), Hasher: engagement.NewHasher(key),
		Kind: func(e *event.Event) uint8 { return uint8(engagement.KindOf(e)) }}
}

// counted sums a fold's cells over the shards, as "subject minute counter" to number.
func counted(f *windows.Fold) map[string]uint32 {
	out := map[string]uint32{}
	for s := range f.Shards() {
		for _, c := range new(windows.Cells).Of(f.Work(s)) {
			out[fmt.Sprint(f.Subject(c.Subject()).Key, " ", c.Minute(), " ", c.Counter())] += c.N()
		}
	}
	return out
}

func TestFoldCountsEverySubject(t *testing.T) {
	f := windows.NewFold(foldOptions(1))
	f.Start(in0, []int64{-1})
	minute := windows.Minute.Bucket(foldAt)
	f.Add(in0, 7, &event.Result{Events: []event.Event{
		{Type: event.Bounce, Time: foldAt, BounceAsync: true, Recipient: "a@gmail.com", Tenant: "acme", IP: "192.0.2.1"},
		{Type: event.Delivery, Time: foldAt, Recipient: "a@yahoo.co.uk", Campaign: "c=1"},
		{Type: event.Open, Time: foldAt.AddDate(-2, 0, 0), Recipient: "late@example.org"},
	}, Ignored: 2, Rejected: &event.Rejection{Reason: event.NoTime}}, foldAt)
	want := map[string]uint32{}
	for _, subject := range []string{"all", "tenant=acme", "ip=192.0.2.1", "tenant=acme,ip=192.0.2.1", "tenant=acme,provider=gmail"} {
		want[fmt.Sprint(subject, " ", minute, " bounced_undetermined")]++
		want[fmt.Sprint(subject, " ", minute, " bounced_async")]++
	}
	for _, subject := range []string{"all", "tenant=default", "tenant=default,provider=yahoo", "tenant=default,campaign=c%3D1"} {
		want[fmt.Sprint(subject, " ", minute, " delivered")]++
		want[fmt.Sprint(subject, " ", minute, " delivered_reporting")]++
	}
	if have := counted(f); !maps.Equal(have, want) {
		t.Errorf("have %v, want %v", have, want)
	}
	tally := f.Work(0).Tally
	if tally.Counted != 2 || tally.Late != 1 || tally.Ignored != 2 || tally.Rejected[event.NoTime] != 1 {
		t.Errorf("%+v", tally)
	}
	run := f.Runs()[0]
	if run.Next != 8 || !run.Newest.Equal(foldAt) {
		t.Errorf("%+v", run)
	}
}

// However the shards stand, each gets exactly what it does not have yet, and all of it goes to one shard or another.
func TestFoldSkipsWhatAShardHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shards := rapid.SampledFrom([]int{1, 2, 8}).Draw(t, "shards")
		whole, rest, first := windows.NewFold(foldOptions(shards)), windows.NewFold(foldOptions(shards)), windows.NewFold(foldOptions(shards))
		zero, at := slices.Repeat([]int64{-1}, shards), make([]int64, shards)
		for i := range at {
			at[i] = rapid.Int64Range(0, 40).Draw(t, "at")
		}
		for _, p := range []windows.Partition{in0, in1} {
			whole.Start(p, zero)
			first.Start(p, zero)
			rest.Start(p, at)
		}
		var records []event.Result
		for i := range 40 {
			e := event.Event{Type: event.Type(rapid.IntRange(1, 11).Draw(t, "type")), Time: foldAt.Add(time.Duration(i) * time.Second)}
			if rapid.Bool().Draw(t, "named") {
				e.ID = fmt.Sprint(i)
			}
			if rapid.Bool().Draw(t, "addressed") {
				e.Recipient = fmt.Sprintf("p%d@example.org", rapid.IntRange(0, 9).Draw(t, "who"))
			}
			records = append(records, event.Result{Events: []event.Event{e}, Ignored: i % 2})
		}
		// Of the first fold only what the shards are said to have is looked at.
		have := map[string]uint32{}
		for i, r := range records {
			whole.Add(in0, int64(i), &r, foldAt)
			rest.Add(in0, int64(i), &r, foldAt)
		}
		ignored := rest.Work(0).Tally.Ignored
		for s := range shards {
			first.Reset()
			first.Start(in0, zero)
			for i, r := range records[:at[s]] {
				first.Add(in0, int64(i), &r, foldAt)
			}
			for _, c := range new(windows.Cells).Of(first.Work(s)) {
				have[fmt.Sprint(first.Subject(c.Subject()).Key, " ", c.Minute(), " ", c.Counter())] += c.N()
			}
			if s == 0 {
				ignored += first.Work(0).Tally.Ignored
			}
		}
		for k, n := range counted(rest) {
			have[k] += n
		}
		if want := counted(whole); !maps.Equal(have, want) {
			t.Fatalf("have %v, want %v", have, want)
		}
		if ignored != 20 {
			t.Fatalf("%d ignored", ignored)
		}
	})
}

func TestFoldTellsRepeats(t *testing.T) {
	for _, c := range []struct {
		name    string
		a, b    event.Event
		repeats bool
	}{
		{"same id", event.Event{ID: "1", Recipient: "a@x.y"}, event.Event{ID: "1", Recipient: "a@x.y", Time: foldAt.Add(time.Hour), IP: "192.0.2.9"}, true},
		{"same id, other recipient", event.Event{ID: "1", Recipient: "a@x.y"}, event.Event{ID: "1", Recipient: "b@x.y"}, false},
		{"same id, other type", event.Event{ID: "1"}, event.Event{ID: "1", Type: event.Click}, false},
		{"same id, no recipient", event.Event{ID: "1"}, event.Event{ID: "1"}, true},
		{"same message and time", event.Event{MessageID: "1", Recipient: "a@x.y"}, event.Event{MessageID: "1", Recipient: "a@x.y"}, true},
		{"same message, other time", event.Event{MessageID: "1"}, event.Event{MessageID: "1", Time: foldAt.Add(time.Nanosecond)}, false},
		{"id of one is message of the other", event.Event{ID: "1"}, event.Event{MessageID: "1"}, false},
		{"an id goes before a message", event.Event{ID: "1", MessageID: "m"}, event.Event{ID: "2", MessageID: "m"}, false},
		{"neither", event.Event{Recipient: "a@x.y"}, event.Event{Recipient: "a@x.y"}, false},
	} {
		for _, shards := range []int{1, 16} {
			f := windows.NewFold(foldOptions(shards))
			f.Start(in0, slices.Repeat([]int64{-1}, shards))
			f.Start(in1, slices.Repeat([]int64{-1}, shards))
			for i, e := range []event.Event{c.a, c.b} {
				if e.Type == event.Unknown {
					e.Type = event.Delivery
				}
				if e.Time.IsZero() {
					e.Time = foldAt
				}
				f.Add([]windows.Partition{in0, in1}[i], 5, &event.Result{Events: []event.Event{e}}, foldAt)
			}
			var counted, repeats int64
			for s := range shards {
				counted += f.Work(s).Tally.Counted
				repeats += f.Work(s).Tally.Duplicate
			}
			if (repeats == 1) != c.repeats || counted+repeats != 2 {
				t.Errorf("%s, %d shards: %d counted, %d repeats", c.name, shards, counted, repeats)
			}
		}
	}
}

func TestFoldFollowsAndLoses(t *testing.T) {
	a, b := windows.NewFold(foldOptions(2)), windows.NewFold(foldOptions(2))
	a.Start(in0, []int64{10, 30})
	a.Lost(in0, 5) // 10 to 14
	a.Advance(in0, 15)
	a.Topic(in0, "id")
	a.Advance(in0, 20)
	if r := a.Runs()[0]; r.Next != 20 || !slices.Equal(r.Lost, []int64{5, 0}) || !r.Moves(0) || r.Moves(1) || r.TopicID != "id" {
		t.Errorf("%+v", r)
	}
	b.Follow(a)
	if r := b.Runs()[0]; !slices.Equal(r.From, []int64{20, 30}) {
		t.Errorf("%+v", r)
	}
	// What a shard has counted as lost before is not lost again.
	b.Reset()
	b.Start(in0, []int64{13, -1})
	b.Lost(in0, 15) // from the first offset that there ever was: the other shard has nothing yet
	if r := b.Runs()[0]; !slices.Equal(r.Lost, []int64{2, 15}) || r.Next != 15 {
		t.Errorf("%+v", r)
	}
}

func TestWithdrawTakesAnEventBack(t *testing.T) {
	f := windows.NewFold(foldOptions(1))
	f.Start(in0, []int64{-1})
	add := func(i int) {
		f.Add(in0, int64(i), &event.Result{Events: []event.Event{{Type: event.Delivery, Time: foldAt, ID: fmt.Sprint(i), Recipient: "a@gmail.com"}}}, foldAt)
	}
	add(0)
	want := counted(f)
	add(1)
	f.Withdraw(0, 1)
	f.Withdraw(0, 1)
	if have := counted(f); !maps.Equal(have, want) {
		t.Errorf("have %v, want %v", have, want)
	}
	if tally := f.Work(0).Tally; tally.Counted != 1 || tally.Duplicate != 1 {
		t.Errorf("%+v", tally)
	}
}

// At steady state nothing is allocated per event: neither by the fold nor for what it hands to the store.
func TestFoldAllocatesNothing(t *testing.T) {
	f := windows.NewFold(foldOptions(1))
	records := make([]event.Result, 5000)
	for i := range records {
		records[i].Events = []event.Event{foldEvent(i)}
	}
	at, cells := int64(-1), new(windows.Cells)
	round := func() {
		f.Start(in0, []int64{at})
		for i := range records {
			at = max(at, 0)
			f.Add(in0, at, &records[i], foldAt)
			at++
		}
		cells.Of(f.Work(0))
		f.Reset()
	}
	round()
	round()
	if n := testing.AllocsPerRun(10, round); n > 5 {
		t.Errorf("%v allocations for %d events", n, len(records))
	}
}

func foldEvent(i int) event.Event {
	return event.Event{Type: event.Type(1 + i%11), Time: foldAt.Add(time.Duration(i) * 50 * time.Millisecond), ID: fmt.Sprintf("evt-%d", i),
		Recipient: fmt.Sprintf("person.%d@%s", i*7919%1_000_000, []string{"gmail.com", "outlook.com", "example.org"}[i%3]),
		Tenant:    fmt.Sprintf("tenant-%d", i%50), IP: fmt.Sprintf("192.0.2.%d", i%200), Campaign: fmt.Sprintf("spring-%d", i%4)}
}

func BenchmarkFold(b *testing.B) {
	f := windows.NewFold(foldOptions(1))
	records := make([]event.Result, 25_000)
	for i := range records {
		records[i].Events = []event.Event{foldEvent(i)}
	}
	at := int64(0)
	f.Start(in0, []int64{at})
	b.ReportAllocs()
	for b.Loop() {
		f.Add(in0, at, &records[at%int64(len(records))], foldAt)
		if at++; at%int64(len(records)) == 0 {
			f.Reset()
			f.Start(in0, []int64{at})
		}
	}
}

func TestProvidersOfDomains(t *testing.T) {
	p := windows.NewProviders(map[string]string{"corp.example": "gmail", "mail.example.*": "regional", "outlook.example.*": "own", "gmail.com": "google"}, nil)
	for recipient, want := range map[string]string{
		"a@gmail.com": "google", "a@googlemail.com": "gmail", "a@corp.example": "gmail", "a@sub.corp.example": "other",
		"a@outlook.com": "outlook", "a@outlook.com.br": "outlook", "a@hotmail.co.uk": "outlook", "a@live.de": "outlook", "a@msn.com": "outlook",
		"a@yahoo.co.jp": "yahoo", "a@ymail.com": "yahoo", "a@rocketmail.com": "yahoo", "a@aol.com": "yahoo", "a@aol.de": "other",
		"a@icloud.com": "apple", "a@me.com": "apple", "a@mac.com": "apple", "a@outlook": "other", "a@myoutlook.com": "other",
		"a@mail.example.org": "regional", "a@mail.example": "other", "a@outlook.example.com": "own", "": "", "no address": "other",
		"a@b@gmail.com": "google",
	} {
		if have := p.Of(recipient); have != want {
			t.Errorf("%s: %q, want %q", recipient, have, want)
		}
	}
	if p.Reports("gmail") || p.Reports("apple") || !p.Reports("outlook") || !p.Reports("yahoo") || !p.Reports("other") || p.Reports("") {
		t.Error("reporting")
	}
	if n := testing.AllocsPerRun(100, func() { p.Of("somebody@mail.example.org") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	own := windows.NewProviders(nil, []string{"gmail"})
	if !own.Reports("gmail") || own.Reports("yahoo") || strings.Contains(own.Of("a@x.y"), "x") {
		t.Error("own reporting")
	}
}
