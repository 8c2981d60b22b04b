package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	segment "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"sendwatch/internal/ingest/verify"
	"sendwatch/internal/ingest/verifytest"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
)

func native(id, recipient string) string {
	return fmt.Sprintf(`{"type":"open","time":1772439304,"id":%q,"recipient":%q}`, id, recipient)
}

// refused is what a dead port says.
func refused() error { return &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED} }

func TestKafkaAwayAndBackLosesNothingThatWasAcknowledged(t *testing.T) {
	t.Run("a network that is cut", func(t *testing.T) {
		client, network, addr := kafkaWith(t, "mail.events", 4)
		awayAndBack(t, client, addr, 60, func() { network.set(true) }, func() { network.set(false) })
	})
	t.Run("a real broker that is killed", func(t *testing.T) {
		if testing.Short() {
			t.Skip("real broker")
		}
		broker := testparts.Kafka(t, testparts.KafkaOptions{})
		testparts.CreateTopic(t, broker.Addr, "mail.events", 4)
		client, err := kafka.New(kafka.Options{Brokers: broker.Addrs, DialTimeout: time.Second, RequestTimeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.Close)
		must := func(do func() error) func() {
			return func() {
				if err := do(); err != nil {
					t.Error(err)
				}
			}
		}
		awayAndBack(t, client, broker.Addr, 20, must(broker.Kill), must(broker.Start))
	})
}

// awayAndBack sends batches from several senders, each until it is acknowledged, takes Kafka away in the middle, and looks for
// everything in the topic.
func awayAndBack(t *testing.T, client *kafka.Client, addr string, each int, goAway, comeBack func()) {
	const topic, senders = "mail.events", 8
	o := options(t, client, open("any", "auto"))
	o.Limits.Publish, o.Limits.Wait = 300*time.Millisecond, 2*time.Second
	s := server(t, o)
	var times, acknowledged, turnedAway atomic.Int64
	var wg sync.WaitGroup
	send := func(body string) bool {
		for {
			w := post(t, s, "/ingest/any", nil, []byte(body))
			if w.Code == http.StatusOK {
				return true
			}
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
				t.Errorf("%d %s", w.Code, w.Body)
				return false
			}
			turnedAway.Add(1)
			time.Sleep(2 * time.Millisecond) // as a provider would, if sooner
		}
	}
	outage := func() {
		times.Add(1)
		goAway()
		until := turnedAway.Load() + 20
		wg.Go(func() { // others have to be told before it comes back
			for deadline := time.Now().Add(20 * time.Second); turnedAway.Load() < until && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			comeBack()
		})
	}
	for n := range senders {
		wg.Go(func() {
			for i := range each {
				body := fmt.Sprintf("[%s,%s,%s]", native(fmt.Sprintf("%d-%d-a", n, i), fmt.Sprintf("r%d@example.org", n)),
					native(fmt.Sprintf("%d-%d-b", n, i), "both@example.org"), native(fmt.Sprintf("%d-%d-c", n, i), fmt.Sprintf("s%d@example.org", n)))
				if !send(body) {
					return
				}
				acknowledged.Add(3)
				if n == 0 && i%20 == 10 {
					outage()
				}
			}
		})
	}
	wg.Wait()
	if turnedAway.Load() < 20*times.Load() || times.Load() == 0 {
		t.Fatalf("away %d times, %d requests turned away: the test has tried nothing", times.Load(), turnedAway.Load())
	}
	holdTopic(t, addr, topic, int(acknowledged.Load()), 2*senders+1)
}

// holdTopic holds a topic to having so many events, those of a recipient on one partition and, of one sender, in order.
func holdTopic(t *testing.T, addr, topic string, events, recipients int) {
	t.Helper()
	seen := map[string]bool{}
	last := map[string]int{} // of each sender and part, whose recipient is one
	partitionOf := map[string]int32{}
	everything(t, addr, topic, func(r *kgo.Record) bool {
		var e struct{ ID string }
		if err := json.Unmarshal(r.Value, &e); err != nil {
			t.Fatal(err)
		}
		var n, i int
		var part string
		if _, err := fmt.Sscanf(e.ID, "%d-%d-%s", &n, &i, &part); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		if p, ok := partitionOf[string(r.Key)]; ok && p != r.Partition {
			t.Errorf("%s is on partitions %d and %d", r.Key, p, r.Partition)
		}
		partitionOf[string(r.Key)] = r.Partition
		if !seen[e.ID] { // repeats may come at any time
			stream := fmt.Sprint(n, part)
			if i < last[stream] {
				t.Errorf("%s first comes after %d", e.ID, last[stream])
			}
			seen[e.ID], last[stream] = true, i
		}
		return len(seen) == events
	})
	if len(partitionOf) != recipients {
		t.Errorf("%d keys", len(partitionOf))
	}
}

// While Kafka is away one request tries and the others do not wait for it.
func TestWaitingIsBounded(t *testing.T) {
	to := newWritten()
	trying := make(chan struct{})
	goOn := make(chan struct{})
	var blocked atomic.Bool
	to.fail = func(int) error { return refused() }
	o := options(t, to, open("any", "auto"))
	o.Limits.Publish = 50 * time.Millisecond
	o.Producer = producerFunc{func(ctx context.Context, records ...kafka.Record) error {
		if blocked.Load() {
			trying <- struct{}{}
			<-goOn
			return refused()
		}
		_, err := to.Produce(ctx, "", records...)
		return err
	}, to}
	s := server(t, o)
	send := func() int { return post(t, s, "/ingest/any", nil, []byte(native("1", "ann@example.org"))).Code }
	if code := send(); code != http.StatusServiceUnavailable {
		t.Fatal(code)
	}
	if n := to.calls; n < 2 {
		t.Errorf("%d tries", n)
	}
	blocked.Store(true)
	probe := make(chan int)
	go func() { probe <- send() }()
	<-trying
	before := time.Now()
	for range 100 {
		if code := send(); code != http.StatusServiceUnavailable {
			t.Fatal(code)
		}
	}
	if took := time.Since(before); took > 5*time.Second {
		t.Errorf("100 requests waited %s", took)
	}
	blocked.Store(false)
	close(goOn)
	if code := <-probe; code != http.StatusServiceUnavailable {
		t.Error(code)
	}
	to.mu.Lock()
	to.fail = nil
	to.mu.Unlock()
	if code := send(); code != http.StatusOK {
		t.Errorf("once it is back: %d", code)
	}
}

type producerFunc struct {
	produce func(ctx context.Context, records ...kafka.Record) error
	*written
}

func (p producerFunc) Produce(ctx context.Context, _ string, records ...kafka.Record) ([]kafka.Position, error) {
	return nil, p.produce(ctx, records...)
}

func TestWhatKafkaSays(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		code  int
		tries int // at least; 0 = exactly one
	}{
		"a leader that moves, once": {segment.NotLeaderForPartition, http.StatusOK, 2},
		"too large":                 {segment.MessageSizeTooLarge, http.StatusRequestEntityTooLarge, 0},
		"no rights":                 {segment.TopicAuthorizationFailed, http.StatusServiceUnavailable, 0},
		"anything else":             {errors.New("odd"), http.StatusServiceUnavailable, 0},
	} {
		t.Run(name, func(t *testing.T) {
			to := newWritten()
			to.fail = func(call int) error {
				if call > 1 && tt.code == http.StatusOK {
					return nil
				}
				return tt.err
			}
			s := server(t, options(t, to, open("any", "auto")))
			w := post(t, s, "/ingest/any", nil, []byte(native("1", "ann@example.org")))
			if w.Code != tt.code || to.calls != max(tt.tries, 1) {
				t.Errorf("%d after %d tries: %s", w.Code, to.calls, w.Body)
			}
			if reached := s.publisher.reached(); reached != (tt.code != http.StatusServiceUnavailable) {
				t.Errorf("reached: %v", reached)
			}
		})
	}
}

func TestBatches(t *testing.T) {
	value := func(n int) []byte { return make([]byte, n) }
	for name, tt := range map[string]struct {
		records []kafka.Record
		want    string
	}{
		"none":       {nil, "[]"},
		"one":        {[]kafka.Record{{Value: value(1)}}, "[1]"},
		"many small": {make([]kafka.Record, 2*maxBatchRecords+1), fmt.Sprint([]int{maxBatchRecords, maxBatchRecords, 1})},
		"large ones": {[]kafka.Record{{Value: value(maxBatchBytes)}, {Value: value(1)}, {Value: value(maxBatchBytes - 2), Key: value(1)}, {Value: value(1)}, {Value: value(2 * maxBatchBytes)}}, "[1 2 1 1]"},
	} {
		got := []int{}
		total := 0
		for b := range batches(tt.records) {
			got = append(got, len(b))
			total += len(b)
		}
		if fmt.Sprint(got) != tt.want || total != len(tt.records) {
			t.Errorf("%s: %v, want %s", name, got, tt.want)
		}
	}
}

func TestReadiness(t *testing.T) {
	to := newWritten()
	to.fail = func(int) error { return refused() }
	o := options(t, to, open("any", "auto"))
	o.Limits.Publish = 20 * time.Millisecond
	s := server(t, o)
	public, admin, stop := serve(t, s)
	c := client(t)
	ready := func() int { return status(t, c, http.MethodGet, admin+"/-/ready", nil) }
	if code := ready(); code != http.StatusOK {
		t.Errorf("at first: %d", code)
	}
	if code := status(t, c, http.MethodPost, public+"/ingest/any", strings.NewReader(native("1", "a@b.example"))); code != http.StatusServiceUnavailable {
		t.Error(code)
	}
	set := func(topics []kafka.Topic) {
		to.mu.Lock()
		defer to.mu.Unlock()
		to.topics = topics
	}
	was := to.topics
	for _, topics := range [][]kafka.Topic{nil, {{Name: "mail.events"}}, {{Name: "mail.events", Partitions: []kafka.Partition{{Leader: ""}}}}} {
		set(topics)
		if code := ready(); code != http.StatusServiceUnavailable {
			t.Errorf("%v: %d", topics, code)
		}
	}
	set(was)
	if code := ready(); code != http.StatusOK {
		t.Errorf("once the topic is there: %d", code)
	}
	if !s.publisher.reached() {
		t.Error("readiness does not end an absence")
	}
	if code := status(t, c, http.MethodGet, admin+"/-/healthy", nil); code != http.StatusOK {
		t.Errorf("healthy: %d", code)
	}
	if code := status(t, c, http.MethodGet, public+"/-/ready", nil); code != http.StatusNotFound {
		t.Errorf("probes are for operators: %d", code)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	to := newWritten()
	writing, goOn := make(chan struct{}), make(chan struct{})
	o := options(t, to, open("any", "auto"))
	o.Producer = producerFunc{func(context.Context, ...kafka.Record) error {
		close(writing)
		<-goOn
		return nil
	}, to}
	s := server(t, o)
	public, admin, stop := serve(t, s)
	c := client(t)
	answered := make(chan int)
	go func() {
		answered <- status(t, c, http.MethodPost, public+"/ingest/any", strings.NewReader(native("1", "a@b.example")))
	}()
	<-writing
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	waitFor(t, "not ready while it stops", func() bool {
		return status(t, c, http.MethodGet, admin+"/-/ready", nil) == http.StatusServiceUnavailable
	})
	waitFor(t, "takes no more", func() bool {
		return status(t, c, http.MethodPost, public+"/ingest/any", strings.NewReader("")) == 0
	})
	close(goOn)
	if code := <-answered; code != http.StatusOK {
		t.Errorf("what was under way: %d", code)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A provider that hangs up does not stop what has begun.
func TestHangingUp(t *testing.T) {
	to := newWritten()
	writing, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	o := options(t, to, open("any", "auto"))
	o.Producer = producerFunc{func(ctx context.Context, _ ...kafka.Record) error {
		close(writing)
		<-goOn
		ended <- ctx.Err()
		return nil
	}, to}
	s := server(t, o)
	public, _, stop := serve(t, s)
	ctx, hangUp := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, public+"/ingest/any", strings.NewReader(native("1", "a@b.example")))
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := client(t).Do(r); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}()
	<-writing
	hangUp()
	<-gone
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("writing was given up: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestManyAtOnce(t *testing.T) {
	key := verifytest.NewKey(t)
	sns := verifytest.NewSNS(t, now())
	to := newWritten()
	o := options(t, to, Source{Name: "sg", Format: "sendgrid", Verify: verify.Options{Kind: verify.SendGrid, Secret: key.Public()}},
		Source{Name: "gun", Format: "mailgun", Verify: verify.Options{Kind: verify.Mailgun, Secret: secret}},
		Source{Name: "ses", Format: "ses", Verify: verify.Options{Kind: verify.SNS, Topics: []string{sns.Topic("mail")}}})
	o.Fetch, o.Limits.Wait = sns.Fetch, 5*time.Second
	s := server(t, o)
	var wg sync.WaitGroup
	for n := range 30 {
		wg.Go(func() {
			body := []byte(fmt.Sprintf(`[%s,%s]`, sendGrid(n, "open"), sendGrid(n+1, "click")))
			if w := post(t, s, "/ingest/sg", key.SendGrid(body, now()), body); w.Code != http.StatusOK {
				t.Error(w.Code, w.Body)
			}
			gun := verifytest.Mailgun(fmt.Sprintf(`{"event":"opened","id":"%d","timestamp":1772439304,"recipient":"r%d@example.org"}`, n, n), secret, fmt.Sprint("t", n), now())
			if w := post(t, s, "/ingest/gun", nil, gun); w.Code != http.StatusOK {
				t.Error(w.Code, w.Body)
			}
			m := sns.Notification(sns.Topic("mail"), `{"eventType":"Open","mail":{"destination":["a@b.example"]},"open":{"timestamp":"2026-03-02T08:15:04Z"}}`, now())
			if w := post(t, s, "/ingest/ses", nil, sns.Sign(m, "2")); w.Code != http.StatusOK {
				t.Error(w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	if n := len(sns.Fetched()); n != 1 {
		t.Errorf("the certificate was fetched %d times", n)
	}
	if n := len(to.take()); n != 30*4 {
		t.Errorf("%d records", n)
	}
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}
