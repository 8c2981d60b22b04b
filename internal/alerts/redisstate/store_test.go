package redisstate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sendwatch/internal/alerts"
	"sendwatch/internal/testparts"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

var t0 = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// onAll runs a test on every Redis that the product must run on.
func onAll(t *testing.T, test func(t *testing.T, client redis.UniversalClient)) {
	t.Run("miniredis", func(t *testing.T) {
		m := miniredis.RunT(t)
		test(t, connect(t, m.Addr()))
	})
	t.Run("redis", func(t *testing.T) {
		if testing.Short() {
			t.Skip("real Redis")
		}
		test(t, connect(t, testparts.SharedRedis(t).Addr))
	})
}

func connect(t *testing.T, addrs ...string) redis.UniversalClient {
	client := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addrs, MaxRetries: -1})
	t.Cleanup(func() { client.Close() })
	return client
}

func open(t *testing.T, client redis.UniversalClient, o Options) *Store {
	t.Helper()
	o.Prefix = strings.NewReplacer("/", ".", " ", "-").Replace(t.Name())
	s, err := Open(t.Context(), client, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func acquire(t *testing.T, p *Partition, owner string) alerts.Lease {
	t.Helper()
	lease, holder, err := p.Acquire(t.Context(), owner, time.Minute)
	if err != nil || holder != owner {
		t.Fatalf("lease held by %q: %v", holder, err)
	}
	return lease
}

// record makes the n-th record of an episode that began at t0 plus start.
func record(id, subject string, start time.Duration, seq int64, resolved bool) alerts.Record {
	at := t0.Add(start + time.Duration(seq)*time.Minute)
	r := alerts.Record{
		ID: id, Seq: seq, Incident: id, Change: alerts.Reminder, Policy: "p", Rate: "bounce", Window: "24h", SubjectKey: subject,
		StartsAt: t0.Add(start), EvaluatedAt: at,
	}
	if seq == 1 {
		r.Change = alerts.Fired
	}
	if resolved {
		r.Change, r.Status, r.EndsAt = alerts.Resolved, alerts.Closed, &at
	}
	return r
}

func saved(id string) *alerts.Saved {
	return &alerts.Saved{
		Ref: alerts.Ref{Policy: "p", LimitID: "l"}, Subject: "tenant=acme",
		Status: alerts.Status{Phase: alerts.Open, ID: id, Seq: 1, StartsAt: t0, LastBreach: t0},
	}
}

func tokens(entries []alerts.Entry) string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Record.Token())
	}
	return strings.Join(all, " ")
}

func listed(records []alerts.Record) string {
	var all []string
	for _, r := range records {
		all = append(all, r.Token())
	}
	return strings.Join(all, " ")
}

func TestSaveAndLoad(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		p := open(t, client, Options{}).Partition(0)
		lease := acquire(t, p, "me")
		w := &alerts.Write{
			ID: "s1", Evaluated: t0.Add(123 * time.Millisecond), Alerts: map[string]*alerts.Saved{"a": saved("a"), "b": saved("b"), "none": nil},
			Records: []alerts.Record{record("a", "tenant=acme", 0, 1, false), record("b", "tenant=acme", 0, 1, false)},
			Topic:   &alerts.TopicPosition{TopicID: "t1", Next: map[int]int64{0: 5, 2: 9}},
		}
		version, err := p.Save(ctx, lease, alerts.Mark{}, w)
		if err != nil || version != (alerts.Mark{Version: 1, Step: "s1"}) {
			t.Fatalf("version %v, %v", version, err)
		}
		if again, err := p.Save(ctx, lease, alerts.Mark{}, w); err != nil || again != version {
			t.Fatalf("the same step again: version %v, %v; expected 1, taken once", again, err)
		}
		version, err = p.Save(ctx, lease, version, &alerts.Write{ID: "s2", Evaluated: t0.Add(time.Second), Alerts: map[string]*alerts.Saved{"a": nil}})
		if err != nil || version.Version != 2 {
			t.Fatalf("version %v, %v", version, err)
		}
		got, err := p.Load(ctx)
		if err != nil {
			t.Fatal(err)
		}
		want := &alerts.Snapshot{
			Mark: alerts.Mark{Version: 2, Step: "s2"}, Evaluated: t0.Add(time.Second), Alerts: []alerts.Saved{*saved("b")},
			Topic: alerts.TopicPosition{TopicID: "t1", Next: map[int]int64{0: 5, 2: 9}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		pending, err := p.Pending(ctx, 10)
		if err != nil || tokens(pending) != "a/1 b/1" {
			t.Fatalf("outbox %q, %v", tokens(pending), err)
		}
		if string(pending[0].Encoded) != string(w.Records[0].Encode()) {
			t.Errorf("the outbox holds other bytes: %s", pending[0].Encoded)
		}
		newest, err := p.NewestSeqs(ctx, []string{"a", "b", "c"})
		if diff := cmp.Diff(map[string]int64{"a": 1, "b": 1}, newest); diff != "" || err != nil {
			t.Errorf("newest seqs: %v\n%s", err, diff)
		}
	})
}

func TestOnlyTheHolderWrites(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		p := open(t, client, Options{}).Partition(0)
		first := acquire(t, p, "first")
		if _, holder, err := p.Acquire(ctx, "second", time.Minute); err != nil || holder != "first" {
			t.Fatalf("the lease is %q's: %v; expected first's", holder, err)
		}
		if err := p.Renew(ctx, first, time.Minute); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Save(ctx, first, alerts.Mark{}, &alerts.Write{ID: "1", Records: []alerts.Record{record("a", "all", 0, 1, false)}}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Save(ctx, first, alerts.Mark{}, &alerts.Write{ID: "2"}); !errors.Is(err, alerts.ErrConflict) {
			t.Fatalf("a step from an old version: %v", err)
		}
		pending, err := p.Pending(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Release(ctx, first); err != nil {
			t.Fatal(err)
		}
		second := acquire(t, p, "second")
		if second.Token <= first.Token {
			t.Errorf("token %d after %d", second.Token, first.Token)
		}
		for name, err := range map[string]error{
			"save": func() error {
				_, err := p.Save(ctx, first, alerts.Mark{Version: 1, Step: "1"}, &alerts.Write{ID: "3"})
				return err
			}(),
			"sent": p.Sent(ctx, first, pending), "renew": p.Renew(ctx, first, time.Minute), "release": p.Release(ctx, first),
		} {
			if !errors.Is(err, alerts.ErrLeaseLost) {
				t.Errorf("%s by who was replaced: %v", name, err)
			}
		}
		if err := p.Sent(ctx, second, pending); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Waiting(ctx); n != 0 || err != nil {
			t.Errorf("%d records wait: %v", n, err)
		}
	})
}

func TestSentRemovesOnlyWhatWasSeen(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		p := open(t, client, Options{}).Partition(0)
		lease := acquire(t, p, "me")
		if _, err := p.Save(ctx, lease, alerts.Mark{}, &alerts.Write{ID: "1", Records: []alerts.Record{
			record("a", "all", 0, 1, false), record("a", "all", 0, 2, false), record("a", "all", 0, 12, false),
		}}); err != nil {
			t.Fatal(err)
		}
		pending, _ := p.Pending(ctx, 2)
		for range 2 { // the second time nothing of it is there any more
			if err := p.Sent(ctx, lease, pending); err != nil {
				t.Fatal(err)
			}
		}
		rest, err := p.Pending(ctx, 10)
		if err != nil || tokens(rest) != "a/12" {
			t.Errorf("outbox %q, %v; expected a/12", tokens(rest), err)
		}
	})
}

func TestLeaseRunsOut(t *testing.T) {
	m := miniredis.RunT(t)
	p := open(t, connect(t, m.Addr()), Options{}).Partition(0)
	lease := acquire(t, p, "me")
	m.FastForward(61 * time.Second)
	if err := p.Renew(t.Context(), lease, time.Minute); !errors.Is(err, alerts.ErrLeaseLost) {
		t.Errorf("renewed after it ran out: %v", err)
	}
	if _, err := p.Save(t.Context(), lease, alerts.Mark{}, &alerts.Write{ID: "1"}); !errors.Is(err, alerts.ErrLeaseLost) {
		t.Errorf("saved after it ran out: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		s := open(t, client, Options{Partitions: 4})
		if _, err := Open(t.Context(), client, Options{Prefix: s.options.Prefix, Partitions: 8}); err == nil || !strings.Contains(err.Error(), "4 evaluation partitions") {
			t.Errorf("another number of partitions: %v", err)
		}
		client.HSet(t.Context(), s.key(0, "layout"), "schema", "99")
		if _, err := Open(t.Context(), client, Options{Prefix: s.options.Prefix, Partitions: 4}); err == nil || !strings.Contains(err.Error(), "schema 99") {
			t.Errorf("another schema: %v", err)
		}
	})
}

func TestSaveChangesNothingOnAForeignKey(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		p := open(t, client, Options{}).Partition(0)
		lease := acquire(t, p, "me")
		client.Set(ctx, p.key("ep:a"), "x", 0)
		_, err := p.Save(ctx, lease, alerts.Mark{}, &alerts.Write{
			ID: "1", Alerts: map[string]*alerts.Saved{"a": saved("a")}, Records: []alerts.Record{record("a", "all", 0, 1, false)},
		})
		if err == nil || !strings.Contains(err.Error(), "a string where a list was expected") {
			t.Fatalf("error %v", err)
		}
		st, err := p.Load(ctx)
		if err != nil || st.Mark != (alerts.Mark{}) || len(st.Alerts) != 0 {
			t.Errorf("half a step was taken: %+v, %v", st, err)
		}
	})
}

func TestListAndEpisode(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		s := open(t, client, Options{Partitions: 3})
		subjects := []string{"tenant=acme", "tenant=beta", "ip=203.0.113.9", "all"}
		var want, firing, resolved, acme []string
		for i := range 20 {
			id, subject := fmt.Sprintf("e%02d", i), subjects[i%4]
			p := s.Partition(alerts.PartitionOf(subject, 3))
			lease := acquire(t, p, "me")
			st, err := p.Load(ctx)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Duration(i/2) * time.Hour // pairs that begin at the same time
			w := &alerts.Write{ID: id, Records: []alerts.Record{record(id, subject, start, 1, false), record(id, subject, start, 2, i%3 == 0)}}
			if _, err := p.Save(ctx, lease, st.Mark, w); err != nil {
				t.Fatal(err)
			}
			if err := p.Release(ctx, lease); err != nil {
				t.Fatal(err)
			}
			token := id + "/2"
			want = append([]string{token}, want...)
			if i%3 == 0 {
				resolved = append([]string{token}, resolved...)
			} else {
				firing = append([]string{token}, firing...)
			}
			if subject == "tenant=acme" && i%3 != 0 {
				acme = append([]string{token}, acme...)
			}
		}
		for name, test := range map[string]struct {
			query Query
			want  []string
		}{
			"all": {Query{}, want}, "firing": {Query{Status: Firing}, firing}, "resolved": {Query{Status: Resolved}, resolved},
			"firing of a subject": {Query{Status: Firing, Subject: "tenant=acme"}, acme}, "unknown": {Query{Subject: "tenant=x"}, nil},
		} {
			for _, limit := range []int{0, 1, 3, 7} {
				q := test.query
				q.Limit = limit
				var got []string
				for pages := 0; ; pages++ {
					records, next, err := s.List(ctx, q)
					if err != nil {
						t.Fatalf("%s: %v", name, err)
					}
					if limit > 0 && len(records) > limit {
						t.Fatalf("%s: %d records on a page of %d", name, len(records), limit)
					}
					if text := listed(records); text != "" {
						got = append(got, strings.Fields(text)...)
					}
					if next == "" {
						break
					}
					q.Cursor = next
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("%s in pages of %d (-want +got):\n%s", name, limit, diff)
				}
			}
		}
		history, err := s.Episode(ctx, "e07")
		if err != nil || listed(history) != "e07/1 e07/2" {
			t.Errorf("history %q, %v", listed(history), err)
		}
		if history, err := s.Episode(ctx, "nobody"); err != nil || len(history) != 0 {
			t.Errorf("history of nobody: %v, %v", history, err)
		}
		if _, _, err := s.List(ctx, Query{Cursor: "x"}); !errors.Is(err, ErrCursor) {
			t.Errorf("a cursor of somebody else: %v", err)
		}
	})
}

func TestFollow(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		s := open(t, client, Options{KeepLog: 6})
		p := s.Partition(0)
		lease := acquire(t, p, "me")
		version := alerts.Mark{}
		log := func(id string, seqs ...int64) {
			t.Helper()
			w := &alerts.Write{ID: fmt.Sprint(id, seqs)}
			for _, seq := range seqs {
				w.Records = append(w.Records, record(id, "all", 0, seq, false))
			}
			var err error
			if version, err = p.Save(ctx, lease, version, w); err != nil {
				t.Fatal(err)
			}
		}
		after := func(c Cursor, limit int, want string) Cursor {
			t.Helper()
			got, next, err := s.After(ctx, c, limit)
			if err != nil || tokens(got) != want {
				t.Fatalf("after %v: %q, %v; expected %q", c, tokens(got), err, want)
			}
			return next
		}
		start, err := s.Now(ctx)
		if err != nil {
			t.Fatal(err)
		}
		log("a", 1, 2, 3)
		c := after(start, 2, "a/1 a/2")
		c = after(c, 0, "a/3")
		c = after(c, 0, "")
		log("b", 1)
		after(c, 0, "b/1")
		if c, ok, err := s.Resume(ctx, "a/2"); err != nil || !ok {
			t.Fatalf("resume: %v, %v", ok, err)
		} else {
			after(c, 0, "a/3 b/1")
		}
		log("b", 2, 3, 4, 5, 6)
		after(c, 0, "b/1 b/2 b/3 b/4 b/5 b/6")
		after(start, 0, "b/1 b/2 b/3 b/4 b/5 b/6") // the older ones are gone
		if c, ok, err := s.Resume(ctx, "a/1"); err != nil || ok {
			t.Fatalf("resume from what is gone: %v, %v", ok, err)
		} else {
			after(c, 0, "b/1 b/2 b/3 b/4 b/5 b/6")
		}
		after(Cursor{1000}, 0, "") // the state went back: on from its end
	})
}

func TestFollowSeveralPartitions(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		s := open(t, client, Options{Partitions: 2})
		for n := range 2 {
			p := s.Partition(n)
			w := &alerts.Write{ID: "w"}
			for seq := range int64(700) { // more than one chunk
				w.Records = append(w.Records, record(fmt.Sprintf("p%d", n), "all", 0, seq+1, false))
			}
			if _, err := p.Save(ctx, acquire(t, p, "me"), alerts.Mark{}, w); err != nil {
				t.Fatal(err)
			}
		}
		c, ok, err := s.Resume(ctx, "p1/10")
		if err != nil || !ok || c[1] != 10 || c[0] != 9 {
			t.Fatalf("cursor %v, %v, %v; expected the other partition to go on with what was evaluated at that time", c, ok, err)
		}
		seen := 0
		for {
			got, next, err := s.After(ctx, c, 100)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 {
				break
			}
			seen += len(got)
			c = next
		}
		if seen != 690+691 {
			t.Errorf("%d records after the cursor, expected 1381", seen)
		}
	})
}

func TestHistoryAndEpisodesAreBounded(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		s := open(t, client, Options{KeepRecords: 4, MaxResolved: 5, KeepResolved: 24 * time.Hour})
		p := s.Partition(0)
		lease := acquire(t, p, "me")
		w := &alerts.Write{ID: "1"}
		for seq := int64(1); seq <= 9; seq++ {
			w.Records = append(w.Records, record("long", "all", 0, seq, false))
		}
		for i := range 8 {
			w.Records = append(w.Records, record(fmt.Sprintf("e%d", i), "tenant=acme", time.Duration(i)*time.Hour, 1, true))
		}
		if _, err := p.Save(ctx, lease, alerts.Mark{}, w); err != nil {
			t.Fatal(err)
		}
		if history, err := s.Episode(ctx, "long"); err != nil || listed(history) != "long/1 long/7 long/8 long/9" {
			t.Errorf("history %q, %v; expected the first and the newest", listed(history), err)
		}
		sweep := func(now time.Time, want int, left string) {
			t.Helper()
			n, err := p.Sweep(ctx, now)
			if err != nil || n != want {
				t.Fatalf("swept %d, %v; expected %d", n, err, want)
			}
			records, _, err := s.List(ctx, Query{Subject: "tenant=acme"})
			if err != nil || listed(records) != left {
				t.Fatalf("left %q, %v; expected %q", listed(records), err, left)
			}
		}
		sweep(t0, 3, "e7/1 e6/1 e5/1 e4/1 e3/1")                   // too many
		sweep(t0, 0, "e7/1 e6/1 e5/1 e4/1 e3/1")                   // enough
		sweep(t0.Add(29*time.Hour+30*time.Minute), 3, "e7/1 e6/1") // too old
		records, _, err := s.List(ctx, Query{})
		if err != nil || listed(records) != "e7/1 e6/1 long/9" {
			t.Errorf("all %q, %v", listed(records), err)
		}
		if history, _ := s.Episode(ctx, "e0"); len(history) != 0 {
			t.Errorf("a swept episode still has %d records", len(history))
		}
	})
}

func TestAdoptedRecordsAreNotPublishedAgain(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := t.Context()
		s := open(t, client, Options{})
		p := s.Partition(0)
		r := record("a", "all", 0, 1, false)
		encoded := append([]byte(nil), strings.Replace(string(r.Encode()), `"policy"`, `"new_field":1,"policy"`, 1)...)
		if _, err := p.Save(ctx, acquire(t, p, "me"), alerts.Mark{}, &alerts.Write{ID: "1", Adopted: []alerts.Entry{{Record: r, Encoded: encoded}}}); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Waiting(ctx); n != 0 || err != nil {
			t.Errorf("%d records wait, %v", n, err)
		}
		got, _, err := s.After(ctx, nil, 0)
		if err != nil || tokens(got) != "a/1" || string(got[0].Encoded) != string(encoded) {
			t.Errorf("log %q, %v", tokens(got), err)
		}
	})
}

func TestOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("six servers")
	}
	client := connect(t, testparts.Redis(t, testparts.RedisOptions{Cluster: true}).Addrs...)
	ctx := context.Background()
	s := open(t, client, Options{Partitions: 4})
	for n := range 4 {
		p := s.Partition(n)
		lease := acquire(t, p, "me")
		id := fmt.Sprintf("e%d", n)
		w := &alerts.Write{ID: "1", Alerts: map[string]*alerts.Saved{"a": saved(id)}, Records: []alerts.Record{record(id, "all", time.Duration(n)*time.Hour, 1, true)}}
		if _, err := p.Save(ctx, lease, alerts.Mark{}, w); err != nil {
			t.Fatal(err)
		}
		pending, err := p.Pending(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Sent(ctx, lease, pending); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Load(ctx); err != nil {
			t.Fatal(err)
		}
	}
	records, _, err := s.List(ctx, Query{Status: Resolved})
	if err != nil || listed(records) != "e3/1 e2/1 e1/1 e0/1" {
		t.Fatalf("resolved %q, %v", listed(records), err)
	}
	if got, _, err := s.After(ctx, nil, 0); err != nil || len(got) != 4 {
		t.Fatalf("log %q, %v", tokens(got), err)
	}
	if n, err := s.Partition(1).Sweep(ctx, t0.Add(200*24*time.Hour)); err != nil || n != 1 {
		t.Fatalf("swept %d, %v", n, err)
	}
}
