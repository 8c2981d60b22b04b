package consumer

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"sendwatch/internal/event/provider"
	"sendwatch/internal/kafka"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

// BenchmarkDrain reads a topic of native events from a real broker on the same cores: once doing nothing with them, once through
// decoding and folding to a state that takes everything at no cost. The second over the first is what the path costs.
func BenchmarkDrain(b *testing.B) {
	const partitions, total = 8, 1_000_000
	broker := testparts.Kafka(b, testparts.KafkaOptions{Fast: true})
	testparts.CreateTopic(b, broker.Addr, "events", partitions)
	fill(b, broker.Addr, partitions, total)
	client, err := kafka.New(kafka.Options{Brokers: broker.Addrs})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()

	b.Run("nothing", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var readers sync.WaitGroup
			for p := range partitions {
				readers.Go(func() {
					n := 0
					if _, err := client.Read(b.Context(), "events", p, 0, func(int64, []byte) error { n++; return nil }); err != nil || n != total/partitions {
						b.Error(n, err)
					}
				})
			}
			readers.Wait()
		}
		b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("fold", func(b *testing.B) {
		b.ReportAllocs()
		run := 0
		for b.Loop() {
			run++
			sink := &sink{done: make(chan struct{}), total: total}
			c, err := New(client, sink, client, zap.NewNop(), Options{Topics: []string{"events"}, Group: fmt.Sprint("bench", run),
				Decoder: func(string) (Decoder, error) {
					return provider.NewDecoder("auto", provider.Options{MaxBytes: 1 << 20, MaxAhead: 10 * time.Minute})
				},
				NewFold: func() *windows.Fold {
					return windows.NewFold(windows.FoldOptions{Combinations: windows.DefaultCombinations(), Shards: 1,
						Providers: windows.NewProviders(nil, nil), Hasher: hasher{}})
				}})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			<-sink.done
			b.StopTimer()
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

// sink takes everything and keeps nothing.
type sink struct {
	mu    sync.Mutex
	taken int
	total int
	done  chan struct{}
}

func (*sink) Positions(context.Context, []windows.Partition) (map[windows.Partition][]int64, error) {
	return nil, nil
}

func (*sink) Resume(_ context.Context, ps []windows.Partition) (map[windows.Partition]windows.Progress, error) {
	m := map[windows.Partition]windows.Progress{}
	for _, p := range ps {
		m[p] = windows.Progress{Next: []int64{-1}}
	}
	return m, nil
}

func (s *sink) Apply(_ context.Context, f *windows.Fold) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Work(0).Tally.Rejected != nil {
		return fmt.Errorf("rejected: %v", f.Work(0).Tally.Rejected)
	}
	if s.taken += f.Len(); s.taken == s.total {
		close(s.done)
	}
	return nil
}

func (*sink) ReportPartition(context.Context, windows.PartitionStatus) error { return nil }

func fill(b *testing.B, addr string, partitions, n int) {
	b.Helper()
	w, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.MaxBufferedRecords(100_000), kgo.ProducerBatchMaxBytes(64<<10))
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	pad := strings.Repeat("x", 60)
	start := time.Now().Add(-72 * time.Hour)
	for i := range n {
		tenant := i % 50
		v := fmt.Appendf(nil, `{"type":"delivery","time":"%s","id":"evt-%d","recipient":"user%d@example%d.org","message_id":"<m-%d@mx.example.com>","tenant":"tenant-%d","ip":"203.0.113.%d","campaign":"c-%d","pad":"%s"}`,
			start.Add(time.Duration(i)*72*time.Hour/time.Duration(n)).UTC().Format(time.RFC3339), i, i*7919%1_000_000, i%100, i, tenant, tenant*4+i/50%4, i%7, pad)
		w.Produce(b.Context(), &kgo.Record{Topic: "events", Partition: int32(i % partitions), Value: v}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := w.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}
