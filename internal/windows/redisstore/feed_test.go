package redisstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

// copyOf is a reader's copy of the counts.
type copyOf struct {
	subjects map[string]*windows.Series
	resets   int
	keep     windows.Retention
}

func (c *copyOf) Reset() { c.subjects = map[string]*windows.Series{}; c.resets++ }

func (c *copyOf) Load(subject string, series *windows.Series) { c.subjects[subject] = series }

func (c *copyOf) Add(subject string, step windows.Step, bucket int64, counter windows.Counter, n int64) {
	s := c.subjects[subject]
	if s == nil {
		s = windows.NewSeries(c.keep)
		c.subjects[subject] = s
	}
	s.Add(step, bucket, counter, n)
}

func (c *copyOf) Retention() windows.Retention { return c.keep }

// check compares the copy with the state.
func (c *copyOf) check(t testing.TB, s *Store, spans []windows.Span) {
	t.Helper()
	n := 0
	for _, combination := range s.o.Combinations {
		subjects, err := s.allSubjects(t.Context(), combination)
		if err != nil {
			t.Fatal(err)
		}
		for _, subject := range subjects {
			n++
			want, err := s.Series(t.Context(), subject, spans...)
			if err != nil {
				t.Fatal(err)
			}
			have := c.subjects[subject]
			if have == nil {
				t.Fatalf("%s is not in the copy", subject)
			}
			for _, span := range spans {
				if diff := cmp.Diff(bucketsOf(want, span), bucketsOf(have, span)); diff != "" {
					t.Fatalf("%s %s (want -, have +): %s", subject, span.Step, diff)
				}
			}
		}
	}
	if n != len(c.subjects) || n == 0 {
		t.Fatalf("%d subjects in the copy, %d in the state", len(c.subjects), n)
	}
}

// Whenever a copy is taken while several processes apply, what it loaded and what the feed tells from then on are together what
// the state holds: nothing twice, nothing missing.
func TestFeedHandsOverExactly(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		for seed := range uint64(4) {
			if testing.Short() && seed != 2 {
				continue
			}
			o := options(t)
			o.Prefix += fmt.Sprint(seed)
			o.Shards = []int{1, 4}[seed%2]
			if seed >= 2 {
				o.FeedBytes = 40_000 // the reader is left behind now and then
			}
			var writers sync.WaitGroup
			done := make(chan struct{})
			for id := range 3 {
				writers.Go(func() {
					write(t, open(t, connect(t, addressOf(client)), o), seed*10+uint64(id), windows.Partition{Topic: "in", ID: id})
				})
			}
			go func() { writers.Wait(); close(done) }()
			follow(t, open(t, client, o), seed, done)
		}
	})
}

// write is a process that counts a stream of its own partition.
func write(t *testing.T, s *Store, seed uint64, p windows.Partition) {
	stream := newStream(seed, 50)
	f := s.NewFold()
	next := slices.Repeat([]int64{-1}, f.Shards())
	for at := int64(0); at < 400; {
		f.Start(p, next)
		for range 1 + stream.rand.IntN(40) {
			result := stream.result()
			f.Add(p, at, &result, t0.AddDate(0, 0, 10))
			at++
		}
		if err := s.Apply(t.Context(), f); err != nil {
			t.Error(err)
			return
		}
		for i := range next {
			next[i] = at
		}
		f.Reset()
	}
}

// follow reads the feed until the writers are done, beginning anew now and then.
func follow(t *testing.T, s *Store, seed uint64, done <-chan struct{}) {
	t.Helper()
	feed := s.NewFeed()
	r := rand.New(rand.NewPCG(seed, 9))
	c := &copyOf{keep: windows.Retention{40 * 24 * time.Hour, 40 * 24 * time.Hour, 400 * 24 * time.Hour}}
	end := t0.AddDate(0, 0, 1)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if err := feed.Pull(t.Context(), end, nil, c); err != nil {
			t.Fatal(err)
		}
		if r.IntN(20) == 0 {
			feed.Restart()
		}
	}
	if err := feed.Pull(t.Context(), end, nil, c); err != nil {
		t.Fatal(err)
	}
	c.check(t, s, spansFrom(t0.AddDate(0, 0, -2), t0.AddDate(0, 0, 30)))
	if len(feed.loaded) > 0 {
		t.Errorf("%d snapshots are still waited for", len(feed.loaded))
	}
}

// What is counted while a copy is loaded may lie after everything that the loading looks at: events of a backlog run days in
// seconds. It comes with the feed, once.
func TestFeedAfterWhatWasLoaded(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		r := newRig(t, client, options(t))
		s := newStream(7, 30)
		apply := func(n int, later time.Duration) {
			for range n {
				result := s.result()
				for i := range result.Events {
					result.Events[i].Time = result.Events[i].Time.Add(later)
				}
				r.add(p0, result)
			}
			r.apply()
		}
		apply(200, 0)
		feed := r.store.NewFeed()
		c := &copyOf{keep: windows.Retention{40 * 24 * time.Hour, 40 * 24 * time.Hour, 400 * 24 * time.Hour}}
		n := 0
		err := feed.Pull(t.Context(), s.at, func(string) bool {
			if n++; n == 1 || n == 3 {
				apply(50, time.Duration(n)*50*time.Hour)
			}
			return true
		}, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := feed.Pull(t.Context(), s.at, nil, c); err != nil {
			t.Fatal(err)
		}
		if c.resets != 1 {
			t.Errorf("loaded %d times, not once", c.resets)
		}
		c.check(t, r.store, spansFrom(t0.AddDate(0, 0, -2), t0.AddDate(0, 0, 40)))
	})
}

// A Redis that came back with older data and was then brought up to date by other batches has another history under the same
// numbers. The reader notices.
func TestFeedNoticesThatRedisWentBack(t *testing.T) {
	if testing.Short() {
		t.Skip("real Redis")
	}
	client := connect(t, testparts.SharedRedis(t).Addr)
	o := options(t)
	r := newRig(t, client, o)
	s := newStream(3, 30)
	apply := func(n int) {
		for range n {
			r.add(p0, s.result())
		}
		r.apply()
	}
	apply(30)
	kept := map[string]string{}
	for key := range dump(t, client, o.Prefix) {
		kept[key] = client.Dump(t.Context(), key).Val()
	}
	back := r.next[p0]
	apply(30)
	apply(30)
	feed := r.store.NewFeed()
	c := &copyOf{keep: windows.Retention{40 * 24 * time.Hour, 40 * 24 * time.Hour, 400 * 24 * time.Hour}}
	end := s.at
	if err := feed.Pull(t.Context(), end, nil, c); err != nil {
		t.Fatal(err)
	}
	for key := range dump(t, client, o.Prefix) {
		client.Del(t.Context(), key)
	}
	for key, v := range kept {
		if err := client.RestoreReplace(t.Context(), key, 0, v).Err(); err != nil {
			t.Fatal(err)
		}
	}
	r.next[p0] = back
	// The batch that this process remembers the positions of does not fit any more.
	f := r.store.NewFold()
	f.Start(p0, []int64{back + 60})
	result := s.result()
	f.Add(p0, back+60, &result, r.now)
	if err := r.store.Apply(t.Context(), f); !isPosition(err) {
		t.Fatalf("got %v", err)
	}
	for range 4 {
		apply(20)
	}
	if err := feed.Pull(t.Context(), end, nil, c); err != nil {
		t.Fatal(err)
	}
	if c.resets != 2 {
		t.Errorf("loaded %d times, not twice", c.resets)
	}
	c.check(t, r.store, spansFrom(t0.AddDate(0, 0, -2), t0.AddDate(0, 0, 10)))
}

func isPosition(err error) bool {
	_, ok := errors.AsType[*windows.PositionError](err)
	return ok
}
