package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sendwatch/internal/testparts"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

// onBoth runs a test against the in-process broker and, unless -short, against a real one: they have to agree.
func onBoth(t *testing.T, test func(t *testing.T, addr string)) {
	t.Run("kfake", func(t *testing.T) { test(t, fake(t)) })
	t.Run("real", func(t *testing.T) {
		if testing.Short() {
			t.Skip("real broker")
		}
		test(t, testparts.SharedKafka(t).Addr)
	})
}

func fake(t *testing.T, o ...kfake.Opt) string {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// topic makes a topic named after the test.
func topic(t *testing.T, addr string, partitions int, config ...string) string {
	t.Helper()
	name := strings.NewReplacer("/", ".", "=", "-").Replace(t.Name())
	testparts.CreateTopic(t, addr, name, partitions, config...)
	return name
}

// writer is a producer of another make: it knows compression and transactions.
func writer(t *testing.T, addr string, o ...kgo.Opt) *kgo.Client {
	t.Helper()
	w, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(strings.Split(addr, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(50 * time.Millisecond)}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func write(t *testing.T, w *kgo.Client, topic string, values ...string) {
	t.Helper()
	var rs []*kgo.Record
	for _, v := range values {
		rs = append(rs, &kgo.Record{Topic: topic, Value: []byte(v)})
	}
	if err := w.ProduceSync(t.Context(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func numbered(from, n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprintf(`{"n":%d}`, from+i)
	}
	return s
}

// drain fetches until the log's end and returns what it visited.
func drain(t *testing.T, l *Log, from int64) (values []string, offsets []int64, next int64) {
	t.Helper()
	for next = from; ; {
		f, err := l.Fetch(t.Context(), next, func(offset int64, value []byte) error {
			values, offsets = append(values, string(value)), append(offsets, offset)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		next = f.Next
		if f.HighWatermark >= 0 && next >= f.HighWatermark {
			return values, offsets, next
		}
	}
}

func deleteRecords(t *testing.T, w *kgo.Client, topic string, before int64) {
	t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = before
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	for _, shard := range w.RequestSharded(t.Context(), req) {
		if shard.Err != nil {
			t.Fatal(shard.Err)
		}
		if code := shard.Resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
			t.Fatalf("delete records: code %d", code)
		}
	}
}

func TestFetchGivesEveryRecordOnceFromAnyOffset(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
			"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
		c := client(t, Options{Brokers: []string{addr}})
		for name, codec := range codecs {
			t.Run(name, func(t *testing.T) {
				topic := topic(t, addr, 1)
				w := writer(t, addr, kgo.ProducerBatchCompression(codec))
				const batches, each = 5, 100
				for b := range batches {
					write(t, w, topic, numbered(b*each, each)...)
				}
				// A small MaxBytes cuts answers within and between batches.
				for _, o := range []LogOptions{{}, {MaxBytes: 700}} {
					for _, from := range []int64{0, 1, 50, 99, 100, 250, 499, 500} {
						l := c.Log(topic, 0, o)
						values, offsets, next := drain(t, l, from)
						l.Close()
						if next != batches*each || len(values) != int(batches*each-from) {
							t.Fatalf("from %d: %d records, next %d", from, len(values), next)
						}
						for i, v := range values {
							if offset := from + int64(i); v != fmt.Sprintf(`{"n":%d}`, offset) || offsets[i] != offset {
								t.Fatalf("from %d: record %d is %s at offset %d", from, i, v, offsets[i])
							}
						}
					}
				}
			})
		}
	})
}

func TestFetchGrowsForLargeRecords(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := topic(t, addr, 1, "max.message.bytes=10000000")
		w := writer(t, addr, kgo.ProducerBatchMaxBytes(9<<20))
		large := strings.Repeat("x", 3<<20)
		write(t, w, topic, "a", "", large, "b")
		l := client(t, Options{Brokers: []string{addr}}).Log(topic, 0, LogOptions{MaxBytes: 1000})
		defer l.Close()
		values, _, _ := drain(t, l, 0)
		if len(values) != 4 || values[0] != "a" || values[1] != "" || values[2] != large || values[3] != "b" {
			t.Fatalf("%d records", len(values))
		}
		write(t, w, topic, "c")
		drain(t, l, 4)
		if cap(l.buffer) > bufferKept {
			t.Errorf("a buffer of %d bytes is kept for small records", cap(l.buffer))
		}
	})
}

func TestFetchDropsMarkersOfTransactions(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := topic(t, addr, 1)
		w := writer(t, addr, kgo.TransactionalID(t.Name()))
		for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
			if err := w.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			write(t, w, topic, numbered(2*i, 2)...)
			if err := w.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		l := client(t, Options{Brokers: []string{addr}}).Log(topic, 0, LogOptions{})
		defer l.Close()
		var values []string
		var offsets []int64
		var next int64
		// A transaction ends before its marker is in the log: 9 is where the last marker ends.
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for next < 9 {
			v, o, n := drain(t, l, next)
			values, offsets, next = append(values, v...), append(offsets, o...), n
			if ctx.Err() != nil {
				t.Fatalf("the last marker did not come: the log ends at %d", next)
			}
		}
		// Aborted records come too: the library does not tell them apart, and the contract says so.
		if got := fmt.Sprint(values, offsets, next); got != `[{"n":0} {"n":1} {"n":2} {"n":3} {"n":4} {"n":5}] [0 1 3 4 6 7] 9` {
			t.Fatal(got)
		}
	})
}

func TestFetchReadsIntoAnOpenTransaction(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := topic(t, addr, 1)
		w := writer(t, addr, kgo.TransactionalID(t.Name()))
		if err := w.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		write(t, w, topic, "a")
		l := client(t, Options{Brokers: []string{addr}}).Log(topic, 0, LogOptions{})
		defer l.Close()
		if values, _, _ := drain(t, l, 0); len(values) != 1 {
			t.Fatalf("%d records", len(values))
		}
		if err := w.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFetchTellsAHoleFromALogThatWentBack(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := topic(t, addr, 1)
		w := writer(t, addr)
		write(t, w, topic, numbered(0, 100)...)
		deleteRecords(t, w, topic, 40)
		l := client(t, Options{Brokers: []string{addr}}).Log(topic, 0, LogOptions{})
		defer l.Close()

		_, err := l.Fetch(t.Context(), 10, nil)
		var hole *HoleError
		if !errors.As(err, &hole) || hole.Lost() != 30 || hole.First != 40 || CategoryOf(err) != Hole {
			t.Fatalf("hole: %v", err)
		}
		_, err = l.Fetch(t.Context(), 101, nil)
		var back *WentBackError
		if !errors.As(err, &back) || back.Next != 100 || CategoryOf(err) != WentBack {
			t.Fatalf("went back: %v", err)
		}
		if values, _, _ := drain(t, l, 40); len(values) != 60 {
			t.Fatalf("after both: %d records", len(values))
		}
		if first, next, err := l.Offsets(t.Context()); err != nil || first != 40 || next != 100 {
			t.Fatalf("offsets: %d %d %v", first, next, err)
		}
	})
}

func TestFetchRefusesATopicMadeAnew(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		name := topic(t, addr, 1)
		write(t, writer(t, addr), name, numbered(0, 3)...)
		l := client(t, Options{Brokers: []string{addr}}).Log(name, 0, LogOptions{})
		defer l.Close()
		drain(t, l, 0)
		was := l.TopicID()
		if was == "" {
			t.Fatal("no topic id")
		}
		testparts.DeleteTopic(t, addr, name)
		deadline := time.Now().Add(20 * time.Second)
		for made := false; time.Now().Before(deadline); {
			_, err := l.Fetch(t.Context(), 3, nil)
			var changed *TopicChangedError
			switch {
			case errors.As(err, &changed):
				if changed.Was != was || changed.Is == was || CategoryOf(err) != WentBack {
					t.Fatal(err)
				}
				return
			case err != nil && !CategoryOf(err).Passes():
				t.Fatal(err)
			case err != nil && !made:
				made = true
				testparts.CreateTopic(t, addr, name, 1)
				write(t, writer(t, addr), name, numbered(0, 9)...) // longer than what was read: offsets alone would not tell
			}
		}
		t.Fatal("the new topic was read as if it were the old one")
	})
}

func TestFetchOfWhatIsNotThereSaysSoAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		c := client(t, Options{Brokers: []string{addr}})
		there := topic(t, addr, 1)
		for _, l := range []*Log{c.Log("absent", 0, LogOptions{}), c.Log(there, 7, LogOptions{})} {
			start := time.Now()
			if _, err := l.Fetch(t.Context(), 0, nil); CategoryOf(err) != NoTopic {
				t.Fatalf("%v", err)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Fatalf("after %s", d)
			}
		}
	})
}

func TestFetchIsInterrupted(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := topic(t, addr, 1)
		l := client(t, Options{Brokers: []string{addr}}).Log(topic, 0, LogOptions{MaxWait: time.Minute})
		defer l.Close()
		if _, _, err := l.Offsets(t.Context()); err != nil { // connected
			t.Fatal(err)
		}
		told := errors.New("told to stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(told) })
		start := time.Now()
		_, err := l.Fetch(ctx, 0, nil)
		if !errors.Is(err, told) || time.Since(start) > 10*time.Second {
			t.Fatalf("%v after %s", err, time.Since(start))
		}
	})
}

func TestFetchStopsWhereTheVisitSays(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := topic(t, addr, 1)
		write(t, writer(t, addr), topic, numbered(0, 10)...)
		l := client(t, Options{Brokers: []string{addr}}).Log(topic, 0, LogOptions{})
		defer l.Close()
		enough := errors.New("enough")
		f, err := l.Fetch(t.Context(), 0, func(offset int64, _ []byte) error {
			if offset == 4 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || f.Next != 4 || f.Records != 4 {
			t.Fatalf("%+v %v", f, err)
		}
		if values, _, _ := drain(t, l, f.Next); len(values) != 6 {
			t.Fatalf("%d records after it", len(values))
		}
	})
}

func TestFetchAllocatesNothingPerRecord(t *testing.T) {
	addr := fake(t)
	topic := topic(t, addr, 1)
	write(t, writer(t, addr), topic, numbered(0, 5000)...)
	l := client(t, Options{Brokers: []string{addr}}).Log(topic, 0, LogOptions{})
	defer l.Close()
	drain(t, l, 0)
	n := 0
	allocs := testing.AllocsPerRun(1, func() {
		f, err := l.Fetch(t.Context(), 0, func(int64, []byte) error { n++; return nil })
		if err != nil || f.Records == 0 {
			t.Fatal(f, err)
		}
	})
	if perRecord := allocs / float64(n/2); perRecord > 0.5 { // the broker's own, in this process, are among them
		t.Errorf("%.2f allocations a record", perRecord)
	}
}

func TestReadAndFollow(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := topic(t, addr, 1)
		w := writer(t, addr)
		c := client(t, Options{Brokers: []string{addr}})
		none := func(offset int64, _ []byte) error { return fmt.Errorf("visited %d", offset) }
		if next, err := c.Read(t.Context(), topic, 0, 0, none); next != 0 || err != nil {
			t.Fatal(next, err)
		}
		write(t, w, topic, numbered(0, 50)...)
		deleteRecords(t, w, topic, 10)
		n := 0
		if next, err := c.Read(t.Context(), topic, 0, 0, func(int64, []byte) error { n++; return nil }); next != 50 || err != nil || n != 40 {
			t.Fatal(next, err, n)
		}
		if next, err := c.Read(t.Context(), topic, 0, 50, none); next != 50 || err != nil {
			t.Fatal(next, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		n = 0
		_, err := c.Follow(ctx, topic, 0, 0, func(offset int64, _ []byte) error {
			if n++; offset == 49 {
				write(t, w, topic, "last")
			}
			if offset == 50 {
				cancel()
			}
			return nil
		})
		if !errors.Is(err, context.Canceled) || n != 41 {
			t.Fatal(err, n)
		}
	})
}
