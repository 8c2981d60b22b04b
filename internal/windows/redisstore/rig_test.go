package redisstore

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

var t0 = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// onAll runs a test on every Redis that the product must run on, but a cluster.
func onAll(t *testing.T, test func(t *testing.T, client redis.UniversalClient)) {
	t.Run("miniredis", func(t *testing.T) {
		m := miniredis.RunT(t)
		test(t, connect(t, m.Addr()))
	})
	t.Run("redis", func(t *testing.T) {
		if testing.Short() {
			t.Skip("real Redis")
		}
		client := connect(t, testparts.SharedRedis(t).Addr)
		if err := client.FlushAll(t.Context()).Err(); err != nil { // for those who run a test several times
			t.Fatal(err)
		}
		test(t, client)
	})
}

func connect(t testing.TB, addrs ...string) redis.UniversalClient {
	client, err := Connect(Connection{Addresses: addrs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func options(t testing.TB) Options {
	rules := engagement.DefaultRules()
	return Options{Prefix: strings.NewReplacer("/", ".", " ", "-", "#", ".", "=", "").Replace(t.Name()), Shards: 1,
		Combinations: windows.DefaultCombinations(), Retention: windows.DefaultRetention(400), Late: 400 * 24 * time.Hour,
		Horizon: 48 * time.Hour, Engagement: &rules}
}

func open(t testing.TB, client redis.UniversalClient, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), client, o)
	if err != nil {
		t.Fatal(err)
	}
	s.sweeper.wait, s.sweeper.idle = 0, 0
	return s
}

// rig feeds the same records to a store and to the oracle.
type rig struct {
	t      testing.TB
	store  *Store
	fold   *windows.Fold
	oracle *memstore.Store
	next   map[windows.Partition]int64
	now    time.Time
}

func newRig(t testing.TB, client redis.UniversalClient, o Options) *rig {
	s := open(t, client, o)
	return &rig{t: t, store: s, fold: s.NewFold(), next: map[windows.Partition]int64{}, now: t0.Add(40 * 24 * time.Hour),
		oracle: memstore.New(memstore.Options{Combinations: o.Combinations, Retention: o.Retention, Late: o.Late, Horizon: o.Horizon,
			Engagement: o.Engagement, Providers: windows.NewProviders(nil, nil)})}
}

// add gives one record to both.
func (r *rig) add(p windows.Partition, result event.Result) {
	if !r.fold.Started(p) {
		progress, err := r.store.Resume(r.t.Context(), []windows.Partition{p})
		if err != nil {
			r.t.Fatal(err)
		}
		r.fold.Start(p, progress[p].Next)
	}
	offset := r.next[p]
	r.fold.Add(p, offset, &result, r.now)
	r.oracle.Add(p, offset, &result, r.now)
	r.next[p] = offset + 1
}

func (r *rig) apply() {
	r.t.Helper()
	if err := r.store.Apply(r.t.Context(), r.fold); err != nil {
		r.t.Fatal(err)
	}
	r.fold.Reset()
}

// check compares everything that can be read with the oracle.
func (r *rig) check(spans []windows.Span, tenants, addresses []string) {
	r.t.Helper()
	ctx := r.t.Context()
	for _, c := range r.store.o.Combinations {
		have, err := r.store.allSubjects(ctx, c)
		if err != nil {
			r.t.Fatal(err)
		}
		if want := r.oracle.SubjectsOf(c); !slices.Equal(have, want) {
			r.t.Fatalf("subjects of %q: have %d, want %d: %v, %v", c, len(have), len(want), have, want)
		}
	}
	for _, subject := range r.oracle.Subjects() {
		series, err := r.store.Series(ctx, subject.Key, spans...)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, span := range spans {
			if diff := cmp.Diff(bucketsOf(subject.Series(), span), bucketsOf(series, span)); diff != "" {
				r.t.Fatalf("%s %s (want -, have +): %s", subject.Key, span.Step, diff)
			}
		}
	}
	totals, err := r.store.Totals(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	want := r.oracle.Totals()
	rejected := map[string]int64{}
	for reason, n := range want.Rejected {
		rejected[string(reason)] = n
	}
	if diff := cmp.Diff(windows.Totals{Counted: want.Counted, Duplicate: want.Duplicate, Late: want.Late, Ignored: want.Ignored, Rejected: rejected}, totals); diff != "" {
		r.t.Fatalf("totals (want -, have +): %s", diff)
	}
	if r.store.o.Engagement == nil {
		return
	}
	day := engagement.DayOf(r.oracle.Newest())
	for _, tenant := range tenants {
		have, err := r.store.Breakdown(ctx, tenant, day)
		if err != nil {
			r.t.Fatal(err)
		}
		if diff := cmp.Diff(r.oracle.Breakdown(tenant, day), have); diff != "" {
			r.t.Fatalf("recipients of %s (want -, have +): %s", tenant, diff)
		}
		out := make([]engagement.Recipient, len(addresses))
		if err := r.store.Recipients(ctx, tenant, addresses, out); err != nil {
			r.t.Fatal(err)
		}
		for i, address := range addresses {
			if diff := cmp.Diff(r.oracle.Recipient(tenant, address), out[i]); diff != "" {
				r.t.Fatalf("%s of %s (want -, have +): %s", address, tenant, diff)
			}
		}
	}
	var partitions []windows.Partition
	for p := range r.next {
		partitions = append(partitions, p)
	}
	progress, err := r.store.Resume(ctx, partitions)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range partitions {
		next, newest, _ := r.oracle.Next(p)
		if have := progress[p]; slices.Min(have.Next) != next || !have.NewestEvent.Equal(newest) {
			r.t.Fatalf("%v is at %v, newest %v; want %d, %v", p, have.Next, have.NewestEvent, next, newest)
		}
	}
}

func bucketsOf(s *windows.Series, span windows.Span) map[int64]windows.Counts {
	out := map[int64]windows.Counts{}
	for b, c := range s.Buckets(span) {
		out[b] = *c
	}
	return out
}

func spansFrom(from, to time.Time) []windows.Span {
	var out []windows.Span
	for step := windows.Minute; int(step) < windows.NumSteps; step++ {
		out = append(out, windows.Span{Step: step, First: step.Bucket(from), Last: step.Bucket(to)})
	}
	return out
}

// stream makes events of some tenants and recipients, in no strict order of time, with repeats.
type stream struct {
	rand       *rand.Rand
	at         time.Time
	tenants    []string
	recipients []string
	pace       time.Duration // time passes by up to twice that between events
	jitter     time.Duration // events are up to that much older
	recent     []event.Event
	once       bool // no repeats
	n          int
}

func newStream(seed uint64, people int) *stream {
	s := &stream{rand: rand.New(rand.NewPCG(seed, 1)), at: t0, tenants: []string{"acme", "Ünlü, co=x", "default"},
		pace: 40 * time.Second, jitter: 20 * time.Minute}
	for i := range people {
		s.recipients = append(s.recipients, fmt.Sprintf("p%d@%s", i, []string{"gmail.com", "yahoo.co.uk", "example.org"}[i%3]))
	}
	return s
}

func (s *stream) event() event.Event {
	r := s.rand
	if len(s.recent) > 0 && r.IntN(12) == 0 {
		e := s.recent[r.IntN(len(s.recent))]
		if r.IntN(3) == 0 && e.ID != "" {
			e.Time = e.Time.Add(time.Duration(r.IntN(7200)-3600) * time.Second) // the copy applied first counts
			e.IP = "198.51.100.9"
		}
		return e
	}
	s.at = s.at.Add(time.Duration(r.Int64N(2*int64(s.pace) + 1)))
	s.n++
	e := event.Event{Type: event.Type(1 + r.IntN(11)), Time: s.at.Add(-time.Duration(r.Int64N(int64(s.jitter) + 1))).Truncate(time.Millisecond),
		Tenant: s.tenants[r.IntN(len(s.tenants))], IP: fmt.Sprintf("192.0.2.%d", r.IntN(3))}
	if r.IntN(2) == 0 {
		e.Type = event.Delivery
	}
	if e.Tenant == "default" && r.IntN(2) == 0 {
		e.Tenant = ""
	}
	if r.IntN(20) > 0 {
		e.Recipient = s.recipients[r.IntN(len(s.recipients))]
	}
	switch r.IntN(4) {
	case 0, 1:
		e.ID = fmt.Sprintf("id-%d", s.n)
	case 2:
		e.MessageID = fmt.Sprintf("m-%d", s.n%50+r.IntN(2))
	}
	if r.IntN(3) == 0 {
		e.Campaign = fmt.Sprintf("c%d", r.IntN(4))
	}
	e.BounceClass, e.BounceAsync = event.BounceClass(r.IntN(5)), r.IntN(4) == 0
	e.ComplaintKind, e.OptInDouble, e.Machine = event.ComplaintKind(r.IntN(6)), r.IntN(2) == 0, r.IntN(4) == 0
	e.Tidy()
	if !s.once && (e.ID != "" || e.MessageID != "") {
		if len(s.recent) < 60 {
			s.recent = append(s.recent, e)
		} else {
			s.recent[r.IntN(60)] = e
		}
	}
	return e
}

// result is a record of some events, with something ignored or rejected now and then.
func (s *stream) result() event.Result {
	var out event.Result
	for range 1 + s.rand.IntN(3) {
		out.Events = append(out.Events, s.event())
	}
	switch s.rand.IntN(12) {
	case 0:
		out.Ignored = 1 + s.rand.IntN(2)
	case 1:
		out.Rejected = &event.Rejection{Reason: event.NoTime}
	case 2:
		out.Events = append(out.Events, event.Event{Type: event.Open, Time: s.at.AddDate(-2, 0, 0), Recipient: "late@example.org"})
	}
	return out
}

// key is the key of a file with this content; the zero value without.
func key(content string) engagement.Key {
	k, _ := engagement.ParseKey([]byte(content))
	return k
}

// sideBySide has processes write to a state at the same time, each of them a partition's records in batches, and compares with the oracle.
// with, which may be nil, gets each process's client and store first.
func sideBySide(t *testing.T, client redis.UniversalClient, o Options, processes int, records int64, batch func(*rand.Rand) int, with func(redis.UniversalClient, *Store)) {
	t.Helper()
	r := newRig(t, client, o)
	var group sync.WaitGroup
	var mu sync.Mutex
	var people []string
	for id := range processes {
		p := windows.Partition{Topic: "in", ID: id}
		s := newStream(uint64(id), 150)
		for i := range s.recipients {
			s.recipients[i] = fmt.Sprintf("of%d.%s", id, s.recipients[i]) // the topic is keyed by recipient
		}
		people = append(people, s.recipients...)
		own := connect(t, addressOf(client))
		store := open(t, own, o)
		if with != nil {
			with(own, store)
		}
		group.Go(func() {
			f := store.NewFold()
			next := int64(-1)
			for at := int64(0); at < records; {
				f.Start(p, []int64{next})
				for range batch(s.rand) {
					result := s.result()
					for i := range result.Events {
						if e := &result.Events[i]; e.Recipient == "" {
							e.ID, e.MessageID = "", "" // or it might be a repeat of another stream's
						}
					}
					f.Add(p, at, &result, r.now)
					mu.Lock()
					r.oracle.Add(p, at, &result, r.now)
					r.next[p] = at + 1
					mu.Unlock()
					at++
				}
				if err := store.Apply(t.Context(), f); err != nil {
					t.Error(err)
					return
				}
				next = at
				f.Reset()
			}
		})
	}
	group.Wait()
	r.check(spansFrom(t0.AddDate(0, 0, -2), t0.AddDate(0, 0, 10)), []string{"acme", "Ünlü, co=x", "default"}, people)
}

// writer is one of several processes that write to a state. The oracle hears of a batch when it is in the state: in the order in
// which batches came there, not in that in which they were read.
type writer struct {
	*rig
	p     windows.Partition
	batch []event.Result
}

func newWriter(r *rig, client redis.UniversalClient, o Options, id int) *writer {
	s := open(r.t, client, o)
	return &writer{p: windows.Partition{Topic: p0.Topic, ID: id},
		rig: &rig{t: r.t, store: s, fold: s.NewFold(), oracle: r.oracle, next: map[windows.Partition]int64{}, now: r.now}}
}

func (w *writer) take(results ...event.Result) {
	if !w.fold.Started(w.p) {
		from := int64(-1)
		if next := w.next[w.p]; next > 0 {
			from = next
		}
		w.fold.Start(w.p, slices.Repeat([]int64{from}, w.fold.Shards()))
	}
	for i := range results {
		w.fold.Add(w.p, w.next[w.p]+int64(len(w.batch)), &results[i], w.now)
		w.batch = append(w.batch, results[i])
	}
}

// tell gives the oracle the batch that has been applied.
func (w *writer) tell() {
	for i := range w.batch {
		w.oracle.Add(w.p, w.next[w.p], &w.batch[i], w.now)
		w.next[w.p]++
	}
	w.batch = w.batch[:0]
	w.fold.Reset()
}

func (w *writer) applyAndTell() {
	w.t.Helper()
	if err := w.store.Apply(w.t.Context(), w.fold); err != nil {
		w.t.Fatal(err)
	}
	w.tell()
}

func (s *stream) results(n int) []event.Result {
	out := make([]event.Result, n)
	for i := range out {
		out[i] = s.result()
	}
	return out
}

// applies tells whether the command is the apply script of the store.
func applies(s *Store, cmd redis.Cmder) bool {
	args := cmd.Args()
	return cmd.Name() == "evalsha" && args[1] == s.scripts.apply.Hash()
}

// again makes one event the only one of a record.
func again(e event.Event) event.Result { return event.Result{Events: []event.Event{e}} }
