package holder

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"sendwatch/internal/alerts"
	"sendwatch/internal/alerts/redisstate"
	"sendwatch/internal/policy"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

var (
	t0  = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	ret = windows.DefaultRetention(400)
)

const within = 20 * time.Second // for everything that a test waits for

// world is all that there is besides processes: a clock that the test moves, counts, the alert state and the alert topic.
type world struct {
	t      *testing.T
	redis  *miniredis.Miniredis
	client redis.UniversalClient
	store  *redisstate.Store
	topic  *topic

	mu     sync.Mutex
	now    time.Time
	stale  bool
	counts []count // all there ever were
	losses []alerts.Loss
}

type count struct {
	subject string
	at      time.Time
	counter windows.Counter
	n       int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	server := miniredis.RunT(t)
	w := worldOn(t, server.Addr())
	w.redis = server
	return w
}

// worldOn is a world on any Redis.
func worldOn(t *testing.T, addr string) *world {
	t.Helper()
	w := &world{t: t, now: t0, topic: &topic{id: "t1"}}
	w.client = redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	t.Cleanup(func() { w.client.Close() })
	var err error
	if w.store, err = redisstate.Open(t.Context(), w.client, redisstate.Options{Prefix: "p"}); err != nil {
		t.Fatal(err)
	}
	return w
}

// mail counts for a subject, a while later.
func (w *world) mail(later time.Duration, subject string, delivered, bounced int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(later)
	w.counts = append(w.counts, count{subject, w.now, windows.Delivered, delivered}, count{subject, w.now, windows.BouncedHard, bounced})
}

func (w *world) advance(d time.Duration) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
	return w.now
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// eventually waits for a condition.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("after %v still not: %s; the topic has %v", within, what, w.topic.tokens())
		}
		time.Sleep(time.Millisecond)
		if w.redis != nil {
			w.redis.FastForward(time.Millisecond) // leases run out
		}
	}
}

// settled waits until everything up to now is evaluated, saved and published, by whichever process.
func (w *world) settled() {
	w.t.Helper()
	w.eventually("evaluated and published", func() bool {
		st, err := w.store.Partition(0).Load(context.Background())
		if err != nil || st.Evaluated.Before(w.clock()) {
			return false
		}
		n, err := w.store.Partition(0).Waiting(context.Background())
		return err == nil && n == 0
	})
}

// topic is the alert topic: one partition in memory.
type topic struct {
	mu     sync.Mutex
	id     string
	log    []alerts.Entry
	flaky  int // every so many requests fail, half of them after they were carried out
	asked  int
	closed bool
}

var errFlaky = errors.New("connection reset")

func (p *topic) Publish(_ context.Context, entries []alerts.Entry) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	fail := p.closed || p.flaky > 0 && p.asked%p.flaky == 0
	n := len(entries)
	if fail {
		n = p.asked / max(p.flaky, 1) % (n + 1)
	}
	if !p.closed {
		for _, e := range entries[:n] {
			p.log = append(p.log, alerts.Entry{Record: e.Record, Encoded: slices.Clone(e.Encoded)})
		}
	}
	if fail {
		return errFlaky
	}
	return nil
}

func (p *topic) After(_ context.Context, from alerts.TopicPosition, visit func([]alerts.Entry, alerts.TopicPosition) error) error {
	p.mu.Lock()
	p.asked++
	if p.closed || p.flaky > 0 && p.asked%p.flaky == 0 {
		p.mu.Unlock()
		return errFlaky
	}
	start := from.Next[0]
	if from.TopicID != p.id {
		start = 0
	}
	rest, id := slices.Clone(p.log[start:]), p.id
	p.mu.Unlock()
	for batch := range slices.Chunk(rest, 3) { // small, so that a take-over stops between them
		start += int64(len(batch))
		if err := visit(batch, alerts.TopicPosition{TopicID: id, Next: map[int]int64{0: start}}); err != nil {
			return err
		}
	}
	return nil
}

func (p *topic) tokens() []string {
	var all []string
	for _, e := range p.entries() {
		all = append(all, e.Record.Token()+" "+e.Record.Change.String())
	}
	return all
}

func (p *topic) entries() []alerts.Entry {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

// firsts are the first publications of every record, in the order of the topic, after a look at whether they keep the
// promises: seqs without holes and in order, repeats with the same bytes, one episode open per alert.
func (p *topic) firsts(t *testing.T) []alerts.Record {
	t.Helper()
	var all []alerts.Record
	seqs := map[string]int64{}
	bytes := map[string]string{}
	open := map[string]string{}
	for _, e := range p.entries() {
		r := e.Record
		if old, ok := bytes[r.Token()]; ok {
			if old != string(e.Encoded) {
				t.Errorf("%s was published again with other bytes", r.Token())
			}
			continue
		}
		bytes[r.Token()] = string(e.Encoded)
		if r.Seq != seqs[r.ID]+1 {
			t.Errorf("%s comes after seq %d", r.Token(), seqs[r.ID])
		}
		seqs[r.ID] = r.Seq
		key := r.Policy + r.Window + r.Rate + r.SubjectKey
		if other := open[key]; other != "" && other != r.ID {
			t.Errorf("%s %s while episode %s of the same alert is open", r.Token(), r.Change, other)
		}
		open[key] = r.ID
		if r.Change == alerts.Resolved {
			open[key] = ""
		}
		all = append(all, r)
	}
	return all
}

// process is one process with a holder. Once it is dead nothing that it does has an effect.
type process struct {
	w      *world
	holder *Holder
	stop   context.CancelFunc
	done   chan struct{}
	dead   chan struct{}
	die    sync.Once
	asOf   time.Time // of the evaluation under way
}

var errDead = errors.New("this process is dead")

// start runs a process; hook may be nil.
func (w *world) start(name string, hook func(*process, Step)) *process {
	w.t.Helper()
	return w.startOn(name, hook, w.topic)
}

// startOn runs a process with another alert topic than the one in memory, and other options.
func (w *world) startOn(name string, hook func(*process, Step), topic Topic, changes ...func(*Options)) *process {
	w.t.Helper()
	p := &process{w: w, done: make(chan struct{}), dead: make(chan struct{})}
	part := w.store.Partition(0)
	o := Options{
		Owner: name, Policies: testPolicies(), Retention: ret,
		Leases: gated{p, part}, State: gated{p, part}, Outbox: gated{p, part}, Topic: gatedTopic{p, topic}, Counts: &counts{p: p}, Feed: feed{p},
		EvaluateEvery: 4 * time.Millisecond, DirtyEvery: time.Millisecond, LeaseTime: 300 * time.Millisecond, ReadBackEvery: 10 * time.Millisecond,
		Now: w.clock,
	}
	if hook != nil {
		o.Hook = func(s Step) { hook(p, s) }
	}
	for _, change := range changes {
		change(&o)
	}
	var err error
	if p.holder, err = New(o); err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() {
		defer close(p.done)
		p.holder.Run(ctx)
	}()
	w.t.Cleanup(p.end)
	return p
}

// kill is kill -9: from now on nothing it does has an effect, and its lease has to run out.
func (p *process) kill() {
	p.die.Do(func() { close(p.dead) })
	p.stop()
}

// end stops the process and waits.
func (p *process) end() {
	p.stop()
	select {
	case <-p.done:
	case <-time.After(within):
		p.w.t.Error("the holder does not stop")
	}
}

func (p *process) alive() error {
	select {
	case <-p.dead:
		return errDead
	default:
		return nil
	}
}

// testPolicies fire on the window of 24h alone, so that a story stays short.
func testPolicies() *policy.Set {
	l := policy.NewLimit(windows.Bounce, windows.NewRatio(3, 100))
	l.Windows = []string{"24h"}
	remind := 12 * time.Hour
	l.RemindEvery = &remind
	return policy.NewSet([]policy.Policy{{Name: "mine", Limits: []policy.Limit{l}}}, windows.DefaultWindows(), ret, policy.Defaults{})
}

// gated is a partition's state as one process sees it.
type gated struct {
	p *process
	*redisstate.Partition
}

func (g gated) Acquire(ctx context.Context, owner string, ttl time.Duration) (alerts.Lease, string, error) {
	if err := g.p.alive(); err != nil {
		return alerts.Lease{}, "", err
	}
	return g.Partition.Acquire(ctx, owner, ttl)
}

func (g gated) Renew(ctx context.Context, lease alerts.Lease, ttl time.Duration) error {
	if err := g.p.alive(); err != nil {
		return err
	}
	return g.Partition.Renew(ctx, lease, ttl)
}

func (g gated) Release(ctx context.Context, lease alerts.Lease) error {
	if err := g.p.alive(); err != nil {
		return err
	}
	return g.Partition.Release(ctx, lease)
}

func (g gated) Save(ctx context.Context, lease alerts.Lease, from alerts.Mark, w *alerts.Write) (alerts.Mark, error) {
	if err := g.p.alive(); err != nil {
		return alerts.Mark{}, err
	}
	return g.Partition.Save(ctx, lease, from, w)
}

func (g gated) Sent(ctx context.Context, lease alerts.Lease, sent []alerts.Entry) error {
	if err := g.p.alive(); err != nil {
		return err
	}
	return g.Partition.Sent(ctx, lease, sent)
}

func (g gated) Sweep(ctx context.Context, now time.Time) (int, error) {
	if err := g.p.alive(); err != nil {
		return 0, err
	}
	return g.Partition.Sweep(ctx, now)
}

type gatedTopic struct {
	p *process
	Topic
}

func (g gatedTopic) Publish(ctx context.Context, entries []alerts.Entry) error {
	if err := g.p.alive(); err != nil {
		return err
	}
	return g.Topic.Publish(ctx, entries)
}

// counts follows the world's counts.
type counts struct {
	p    *process
	next int
}

func (c *counts) Restart() { c.next, c.p.asOf = -1, time.Time{} }

func (c *counts) Pull(_ context.Context, into Sink) (time.Duration, error) {
	w := c.p.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if !c.p.asOf.IsZero() && !c.p.asOf.Equal(w.now) {
		return 0, errJumped
	}
	if c.next < 0 {
		into.Reset()
		series := map[string]*windows.Series{}
		for _, x := range w.counts {
			if series[x.subject] == nil {
				series[x.subject] = windows.NewSeries(into.Retention())
			}
			for step := windows.Minute; int(step) < windows.NumSteps; step++ {
				series[x.subject].Add(step, step.Bucket(x.at), x.counter, x.n)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(series)) {
			into.Load(key, series[key])
		}
		c.next = len(w.counts)
	}
	for ; c.next < len(w.counts); c.next++ {
		x := w.counts[c.next]
		for step := windows.Minute; int(step) < windows.NumSteps; step++ {
			into.Add(x.subject, step, step.Bucket(x.at), x.counter, x.n)
		}
	}
	return 0, nil
}

type feed struct{ p *process }

// errJumped has an evaluation begin again when the test moved the clock in its middle: real clocks do not jump by days while
// something is counted.
var errJumped = errors.New("the clock was moved")

func (f feed) AsOf(_ context.Context, now time.Time) (time.Time, bool, error) {
	f.p.w.mu.Lock()
	defer f.p.w.mu.Unlock()
	f.p.asOf = now
	if !now.Equal(f.p.w.now) {
		return time.Time{}, false, errJumped
	}
	return f.p.w.now, f.p.w.stale, nil
}

func (f feed) Losses(context.Context) ([]alerts.Loss, error) {
	f.p.w.mu.Lock()
	defer f.p.w.mu.Unlock()
	return slices.Clone(f.p.w.losses), nil
}

// freezer holds a process at a step until it is thawed.
type freezer struct {
	at     chan struct{}
	thaw   chan struct{}
	once   sync.Once
	onlyAt Step
}

func newFreezer(at Step) *freezer {
	return &freezer{at: make(chan struct{}), thaw: make(chan struct{}), onlyAt: at}
}

func (f *freezer) hook(_ *process, s Step) {
	if s != f.onlyAt {
		return
	}
	f.once.Do(func() {
		close(f.at)
		<-f.thaw
	})
}

// story is what happens to two tenants over some days: bad mail, worse mail, a reminder, good mail, a second episode.
func story(w *world) []func() {
	const m, h = time.Minute, time.Hour
	return []func(){
		func() { w.mail(m, "tenant=acme", 969, 31) },
		func() { w.mail(20*m, "tenant=acme", 930, 70) },
		func() { w.mail(5*m, "tenant=beta", 900, 100) },
		func() { w.mail(m, "tenant=beta,provider=gmail", 900, 100) },
		func() { w.advance(13 * h) },                      // reminders
		func() { w.mail(9*h, "tenant=acme", 20000, 10) },  // resolves
		func() { w.advance(24 * h) },                      // the other tenant's too
		func() { w.mail(200*h, "tenant=acme", 900, 100) }, // another episode
		func() { w.advance(13 * h) },                      // a reminder
		func() { w.advance(30 * h) },                      // resolves
	}
}

// lines tell records apart by everything that matters.
func lines(records []alerts.Record) []string {
	var all []string
	for i := range records {
		r := &records[i]
		all = append(all, fmt.Sprintf("%s %s %s %s in %s, %d/%d, at %s", r.Token(), r.Change, r.Severity, r.SubjectKey, r.Incident, r.Observed.Numerator,
			r.Observed.Exposure, r.EvaluatedAt.Format(time.RFC3339)))
	}
	slices.Sort(all)
	return all
}
