package holder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/alerts"
	"sendwatch/internal/alerts/redisstate"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// undisturbed is what the story gives when nothing goes wrong.
func undisturbed(t *testing.T) []alerts.Record {
	t.Helper()
	w := newWorld(t)
	w.start("one", nil)
	for _, part := range story(w) {
		part()
		w.settled()
	}
	records := w.topic.firsts(t)
	if len(records) < 8 {
		t.Fatalf("the story gives %d records: %v", len(records), w.topic.tokens())
	}
	return records
}

func TestStory(t *testing.T) {
	var got []string
	for _, r := range undisturbed(t) {
		got = append(got, fmt.Sprintf("%s %d %s %s", r.SubjectKey, r.Seq, r.Change, r.Severity))
	}
	slices.Sort(got)
	want := []string{
		"tenant=acme 1 fired critical", "tenant=acme 1 fired warning", "tenant=acme 2 escalated critical", "tenant=acme 2 reminder critical",
		"tenant=acme 3 reminder critical", "tenant=acme 3 resolved critical", "tenant=acme 4 resolved critical",
		"tenant=beta 1 fired critical", "tenant=beta 2 reminder critical", "tenant=beta 3 resolved critical",
		"tenant=beta,provider=gmail 1 fired critical", "tenant=beta,provider=gmail 2 reminder critical", "tenant=beta,provider=gmail 3 resolved critical",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestKilledAtEveryStep kills the process at each named step, once for every part of the story, and lets another one go on.
func TestKilledAtEveryStep(t *testing.T) {
	want := lines(undisturbed(t))
	for _, step := range []Step{Acquired, Loaded, Adopted, Counted, BeforeSave, AfterSave, BeforePublish, AfterPublish, AfterRemoval} {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.topic.flaky = 7
			n := 0
			var armed atomic.Bool
			start := func() {
				n++
				w.start(fmt.Sprintf("process-%d", n), func(p *process, s Step) {
					if s == step && armed.CompareAndSwap(true, false) {
						p.kill()
					}
				})
			}
			start()
			for _, part := range story(w) {
				killed := n
				armed.Store(true)
				part()
				beginning := step == Acquired || step == Loaded || step == Adopted || step == Counted
				if beginning { // such a step comes only with a new process
					w.restartState()
				}
				w.eventually("killed, or nothing to do at that step", func() bool {
					return !armed.Load() || !beginning && w.quiet()
				})
				if !armed.Load() {
					w.redis.FastForward(time.Second) // the lease runs out
					start()
				}
				armed.Store(false)
				w.settled()
				_ = killed
			}
			if n == 1 {
				t.Fatal("nobody was killed")
			}
			if diff := cmp.Diff(want, lines(w.topic.firsts(t))); diff != "" {
				t.Errorf("-undisturbed +killed:\n%s", diff)
			}
		})
	}
}

// restartState takes the lease away, so that a term begins anew.
func (w *world) restartState() { w.redis.Del("p:{e00}:lease") }

// quiet tells whether all is evaluated and published.
func (w *world) quiet() bool {
	st, err := w.store.Partition(0).Load(context.Background())
	if err != nil || st.Evaluated.Before(w.clock()) {
		return false
	}
	n, err := w.store.Partition(0).Waiting(context.Background())
	return err == nil && n == 0
}

// TestFrozenAtEveryStep freezes a process until another one has taken over and gone on with the story, then thaws it.
func TestFrozenAtEveryStep(t *testing.T) {
	want := lines(undisturbed(t))
	for _, step := range []Step{Adopted, Counted, BeforeSave, AfterSave, BeforePublish, AfterPublish, AfterRemoval} {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			f := newFreezer(step)
			parts := story(w)
			parts[0]()
			zombie := w.start("zombie", f.hook)
			<-f.at
			w.redis.FastForward(time.Second)
			w.start("heir", nil)
			w.settled()
			for _, part := range parts[1:4] {
				part()
				w.settled()
			}
			close(f.thaw)
			w.eventually("the zombie noticed", func() bool { s := zombie.holder.Status(); return !s.Holding && s.Holder == "heir" })
			for _, part := range parts[4:] {
				part()
				w.settled()
			}
			if diff := cmp.Diff(want, lines(w.topic.firsts(t))); diff != "" {
				t.Errorf("-undisturbed +frozen:\n%s", diff)
			}
		})
	}
}

// TestStateWentBack gives Redis back what it held some parts of the story ago, again and again, with and without a new process.
func TestStateWentBack(t *testing.T) {
	want := lines(undisturbed(t))
	for name, restart := range map[string]bool{"under a running holder": false, "and the process is new": true} {
		for back := 1; back <= 4; back++ {
			t.Run(fmt.Sprintf("%d parts back %s", back, name), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.topic.flaky = 5
				p := w.start("one", nil)
				copies := []string{w.dump()}
				for i, part := range story(w) {
					part()
					w.settled()
					copies = append(copies, w.dump())
					if restart {
						p.kill()
						<-p.done
					}
					w.restore(copies[max(0, i+1-back)])
					if restart {
						w.redis.FastForward(time.Second)
						p = w.start(fmt.Sprintf("process-%d", i), nil)
					}
					// What was known comes back from the topic, and nothing is told twice under another id.
					w.settled()
				}
				if diff := cmp.Diff(want, lines(w.topic.firsts(t))); diff != "" {
					t.Errorf("-undisturbed +went back:\n%s", diff)
				}
				if restart && back > 1 {
					// A state that went back may be as new as the clock already: settled then waits for nobody.
					w.eventually("adopted", func() bool { return p.holder.Status().AdoptedNew > 0 })
				}
			})
		}
	}
}

func TestStateLost(t *testing.T) {
	w := newWorld(t)
	p := w.start("one", nil)
	parts := story(w)
	for _, part := range parts[:4] {
		part()
		w.settled()
	}
	before := w.topic.firsts(t)
	p.kill()
	<-p.done
	w.redis.FlushAll()
	w.start("two", nil)
	w.settled()
	w.advance(time.Minute)
	w.settled()
	if diff := cmp.Diff(lines(before), lines(w.topic.firsts(t))); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	records, _, err := w.store.List(t.Context(), redisstate.Query{Status: redisstate.Firing})
	if err != nil || len(records) != 3 {
		t.Errorf("%d alerts fire, %v; expected the three that the topic has", len(records), err)
	}
}

// TestOnlyOneWorks runs several processes that come and go.
func TestOnlyOneWorks(t *testing.T) {
	want := lines(undisturbed(t))
	w := newWorld(t)
	w.topic.flaky = 4
	var running []*process
	for i, part := range story(w) {
		running = append(running, w.start(fmt.Sprintf("process-%d", i), nil))
		if i%3 == 2 { // one is stopped in order: the others go on at once
			running[0].end()
			running = running[1:]
		}
		part()
		w.settled()
		holding := 0
		for _, p := range running {
			if p.holder.Status().Holding {
				holding++
			}
		}
		if holding != 1 {
			t.Errorf("%d processes hold the lease", holding)
		}
	}
	if diff := cmp.Diff(want, lines(w.topic.firsts(t))); diff != "" {
		t.Errorf("-undisturbed +several:\n%s", diff)
	}
}

func TestWaitsForRedisAndTopic(t *testing.T) {
	w := newWorld(t)
	p := w.start("one", nil)
	parts := story(w)
	parts[0]()
	w.settled()
	w.topic.mu.Lock()
	w.topic.closed = true
	w.topic.mu.Unlock()
	parts[1]()
	w.eventually("trouble with the topic", func() bool { return strings.Contains(p.holder.Status().Trouble, "alert topic") })
	w.eventually("evaluated all the same", func() bool { return !p.holder.Status().Evaluated.Before(w.clock()) })
	w.redis.SetError("LOADING Redis is loading the dataset in memory")
	w.eventually("trouble with Redis", func() bool { return strings.Contains(p.holder.Status().Trouble, "LOADING") })
	w.redis.SetError("")
	w.topic.mu.Lock()
	w.topic.closed = false
	w.topic.mu.Unlock()
	w.settled()
	w.eventually("no trouble", func() bool { return p.holder.Status().Trouble == "" })
	if got := w.topic.firsts(t); len(got) != 2 {
		t.Errorf("%v: expected fired and escalated", w.topic.tokens())
	}
}

// TestReadsTheTopicAgainSoon: a look at the topic that failed once is repeated soon, not after the whole time between two looks,
// for as long as which the process would say that it waits for the topic.
func TestReadsTheTopicAgainSoon(t *testing.T) {
	w := newWorld(t)
	const every = 3 * time.Second
	topic := &failsOnce{topic: w.topic, at: 2} // the first look is that of the take-over
	p := w.startOn("one", nil, topic, func(o *Options) { o.ReadBackEvery = every })
	w.eventually("a look after the one that failed", func() bool { return topic.after() > 0 })
	if got := topic.after(); got > every/2 {
		t.Errorf("read again after %v, with a look every %v", got, every)
	}
	w.eventually("no trouble", func() bool { return p.holder.Status().Trouble == "" })
}

// failsOnce is an alert topic of which one look fails.
type failsOnce struct {
	*topic
	at int

	mu     sync.Mutex
	looks  int
	failed time.Time
	passed time.Duration // from that look to the next
}

func (f *failsOnce) After(ctx context.Context, from alerts.TopicPosition, visit func([]alerts.Entry, alerts.TopicPosition) error) error {
	f.mu.Lock()
	f.looks++
	look := f.looks
	switch look {
	case f.at:
		f.failed = time.Now()
	case f.at + 1:
		f.passed = time.Since(f.failed)
	}
	f.mu.Unlock()
	if look == f.at {
		return errFlaky
	}
	return f.topic.After(ctx, from, visit)
}

func (f *failsOnce) after() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.passed
}

// TestTroubleEndsWithTheTerm: a process that another one took over from does not say for ever what it waited for.
func TestTroubleEndsWithTheTerm(t *testing.T) {
	w := newWorld(t)
	cut := make(chan struct{})
	first := w.startOn("one", nil, w.topic, func(o *Options) {
		o.Leases = cutOff{o.Leases, cut}
	})
	w.settled()
	w.topic.mu.Lock()
	w.topic.closed = true
	w.topic.mu.Unlock()
	w.eventually("trouble with the topic", func() bool { return first.holder.Status().Trouble != "" })
	close(cut) // the first one's renewals do not arrive any more
	w.start("two", nil)
	w.eventually("the other one has it", func() bool { return first.holder.Status().Holder == "two" })
	w.eventually("no trouble of the first", func() bool { return first.holder.Status().Trouble == "" })
}

// cutOff are leases whose renewals are lost, and which are asked for late, once cut is closed.
type cutOff struct {
	Leases
	cut chan struct{}
}

func (c cutOff) Renew(ctx context.Context, lease alerts.Lease, ttl time.Duration) error {
	select {
	case <-c.cut:
		return alerts.ErrLeaseLost
	default:
		return c.Leases.Renew(ctx, lease, ttl)
	}
}

func (c cutOff) Acquire(ctx context.Context, owner string, ttl time.Duration) (alerts.Lease, string, error) {
	select {
	case <-c.cut:
		sleep(ctx, 4*ttl)
	default:
	}
	return c.Leases.Acquire(ctx, owner, ttl)
}

func TestReloadAndStale(t *testing.T) {
	w := newWorld(t)
	p := w.start("one", nil)
	w.mail(0, "tenant=acme", 900, 100)
	w.settled()
	w.mu.Lock()
	w.stale = true
	w.mu.Unlock()
	p.holder.SetPolicies(policy.NewSet(nil, windows.DefaultWindows(), ret, policy.Defaults{}))
	w.advance(time.Hour)
	w.settled()
	if got := w.topic.firsts(t); len(got) != 1 {
		t.Fatalf("%v: nothing may resolve on stale data", w.topic.tokens())
	}
	w.mu.Lock()
	w.stale = false
	w.now = w.now.Add(time.Minute)
	w.mu.Unlock()
	w.settled()
	got := w.topic.firsts(t)
	if len(got) != 2 || got[1].Change != alerts.Resolved || !strings.Contains(got[1].Annotations.Get("description"), "no longer in the configuration") {
		t.Fatalf("%v: expected it to resolve and say why", w.topic.tokens())
	}
}

func TestLossIsAnAlert(t *testing.T) {
	w := newWorld(t)
	w.start("one", nil)
	w.settled()
	w.mu.Lock()
	w.losses = []alerts.Loss{{Topic: "mail.events", Partition: 2, Records: 17}}
	w.now = w.now.Add(time.Second)
	w.mu.Unlock()
	w.settled()
	got := w.topic.firsts(t)
	if len(got) != 1 || got[0].Policy != alerts.SystemPolicy || got[0].Observed.Numerator != 17 {
		t.Fatalf("%v: expected an alert on 17 lost records", w.topic.tokens())
	}
}

// TestStopGivesTheLeaseBack also shows that what is saved is published before the process goes.
func TestStopGivesTheLeaseBack(t *testing.T) {
	w := newWorld(t)
	p := w.start("one", nil)
	w.mail(0, "tenant=acme", 900, 100)
	w.eventually("evaluated", func() bool { return p.holder.Status().Records == 1 })
	p.end()
	if w.redis.Exists("p:{e00}:lease") {
		t.Error("the lease is still there")
	}
	if len(w.topic.entries()) == 0 {
		t.Error("the record was not published")
	}
}

// TestOrphanIsClosed: an episode that a replaced holder published after its heir had begun another one for the same alert.
func TestOrphanIsClosed(t *testing.T) {
	w := newWorld(t)
	w.start("one", nil)
	w.mail(0, "tenant=acme", 900, 100)
	w.settled()
	mine := w.topic.entries()[0].Record
	other := alerts.NewEvaluator(testPolicies(), ret)
	if _, err := (&counts{p: &process{w: w}, next: 0}).Pull(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	later := w.clock().Add(time.Second)
	theirs := other.Evaluate(alerts.Moment{At: later, Now: later, Fresh: true})[0]
	if err := w.topic.Publish(t.Context(), []alerts.Entry{{Record: theirs, Encoded: theirs.Encode()}}); err != nil {
		t.Fatal(err)
	}
	w.eventually("the other episode is closed", func() bool {
		all := w.topic.entries()
		last := all[len(all)-1].Record
		return last.ID == theirs.ID && last.Seq == 2 && last.Change == alerts.Resolved && strings.Contains(last.Annotations.Get("description"), mine.ID)
	})
	w.advance(13 * time.Hour)
	w.settled()
	all := w.topic.entries()
	if last := all[len(all)-1].Record; last.ID != mine.ID || last.Change != alerts.Reminder {
		t.Errorf("%v: expected the first episode to go on", w.topic.tokens())
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"nothing": {}, "no owner": {Partitions: 1}, "partition": {Owner: "x", Partition: 3, Partitions: 2},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestAnswerLost: a step was taken, its answer was not seen. It is taken once.
func TestAnswerLost(t *testing.T) {
	w := newWorld(t)
	p := w.start("one", nil)
	w.settled()
	p.end()
	lossy := &lossyState{Partition: w.store.Partition(0)}
	part := w.store.Partition(0)
	q := &process{w: w, done: make(chan struct{}), dead: make(chan struct{})}
	h, err := New(Options{
		Owner: "lossy", Policies: testPolicies(), Retention: ret, Leases: part, State: lossy, Outbox: part, Topic: w.topic, Counts: &counts{p: q}, Feed: feed{q},
		EvaluateEvery: 4 * time.Millisecond, DirtyEvery: time.Millisecond, LeaseTime: 300 * time.Millisecond, Now: w.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(q.done)
		h.Run(ctx)
	}()
	for _, part := range story(w) {
		part()
		w.settled()
	}
	stop()
	<-q.done
	if got := w.topic.firsts(t); len(got) != 13 || h.Status().Terms != 1 {
		t.Errorf("%d records in %d terms, expected 13 in one: %v", len(got), h.Status().Terms, w.topic.tokens())
	}
}

// lossyState swallows every third answer.
type lossyState struct {
	*redisstate.Partition
	n int
}

func (l *lossyState) Save(ctx context.Context, lease alerts.Lease, from alerts.Mark, w *alerts.Write) (alerts.Mark, error) {
	v, err := l.Partition.Save(ctx, lease, from, w)
	if l.n++; err == nil && l.n%3 == 0 {
		return alerts.Mark{}, errors.New("i/o timeout")
	}
	return v, err
}

// dump and restore are a copy of the whole Redis.
func (w *world) dump() string {
	var b strings.Builder
	ctx := context.Background()
	for _, key := range w.redis.Keys() {
		switch w.redis.Type(key) {
		case "string":
			fmt.Fprintf(&b, "string\x00%s\x00%s\x01", key, w.client.Get(ctx, key).Val())
		case "hash":
			for f, v := range w.client.HGetAll(ctx, key).Val() {
				fmt.Fprintf(&b, "hash\x00%s\x00%s\x00%s\x01", key, f, v)
			}
		case "list":
			for _, v := range w.client.LRange(ctx, key, 0, -1).Val() {
				fmt.Fprintf(&b, "list\x00%s\x00%s\x01", key, v)
			}
		case "zset":
			for _, z := range w.client.ZRangeWithScores(ctx, key, 0, -1).Val() {
				fmt.Fprintf(&b, "zset\x00%s\x00%v\x00%s\x01", key, z.Member, fmt.Sprint(int64(z.Score)))
			}
		}
	}
	return b.String()
}

func (w *world) restore(text string) {
	w.t.Helper()
	// In one piece, as a server that comes back: no step falls between.
	script := `redis.call('FLUSHALL')
for i = 1, #ARGV, 4 do
  if ARGV[i] == 'string' then redis.call('SET', ARGV[i+1], ARGV[i+2], 'PX', 300)
  elseif ARGV[i] == 'hash' then redis.call('HSET', ARGV[i+1], ARGV[i+2], ARGV[i+3])
  elseif ARGV[i] == 'list' then redis.call('RPUSH', ARGV[i+1], ARGV[i+2])
  else redis.call('ZADD', ARGV[i+1], ARGV[i+3], ARGV[i+2]) end
end
return 1`
	var args []any
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\x01"), "\x01") {
		fields := append(strings.Split(line, "\x00"), "", "")
		for _, f := range fields[:4] {
			args = append(args, f)
		}
	}
	if err := w.client.Eval(context.Background(), script, nil, args...).Err(); err != nil {
		w.t.Fatal(err)
	}
}
