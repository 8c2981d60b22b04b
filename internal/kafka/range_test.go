package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stamped writes records a minute apart, the first at the given time.
func stamped(t *testing.T, addr, topic string, from time.Time, n int) {
	t.Helper()
	w := writer(t, addr)
	for i := range n {
		r := &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, `{"n":%d}`, i), Timestamp: from.Add(time.Duration(i) * time.Minute)}
		if i == 3 {
			r.Value = nil // a tombstone
		}
		if err := w.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOffsetAt(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		name := topic(t, addr, 1)
		from := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
		stamped(t, addr, name, from, 6)
		l := client(t, Options{Brokers: []string{addr}}).Log(name, 0, LogOptions{})
		defer l.Close()
		for after, want := range map[time.Duration]int64{
			-time.Hour: 0, 0: 0, time.Second: 1, time.Minute: 1, 4*time.Minute + 59*time.Second: 5, 5 * time.Minute: 5, 6 * time.Minute: 6, 24 * time.Hour: 6,
		} {
			if got, err := l.OffsetAt(t.Context(), from.Add(after)); got != want || err != nil {
				t.Errorf("at %v: offset %d, error %v, want %d", after, got, err, want)
			}
		}
	})
}

func readRange(t *testing.T, r *Range) (got []string, err error) {
	t.Helper()
	defer r.Close()
	for {
		offset, value, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		if value == nil {
			value = []byte("nothing")
		}
		got = append(got, fmt.Sprintf("%d %s", offset, value))
	}
}

func TestRange(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		name := topic(t, addr, 1)
		stamped(t, addr, name, time.Now(), 6)
		c := client(t, Options{Brokers: []string{addr}})
		for _, bounds := range [][2]int64{{0, 6}, {1, 5}, {3, 4}, {4, 4}, {6, 6}, {0, 1}} {
			got, err := readRange(t, c.Range(name, 0, bounds[0], bounds[1], 0))
			if err != nil || len(got) != int(bounds[1]-bounds[0]) {
				t.Errorf("%v: %q, error %v", bounds, got, err)
			}
			for i, g := range got {
				want := fmt.Sprintf(`%d {"n":%[1]d}`, bounds[0]+int64(i))
				if bounds[0]+int64(i) == 3 {
					want = "3 nothing"
				}
				if g != want {
					t.Errorf("%v: record %s, want %s", bounds, g, want)
				}
			}
		}
		deleteRecords(t, writer(t, addr), name, 2)
		r := c.Range(name, 0, 0, 6, 0)
		if got, err := readRange(t, r); err != nil || len(got) != 4 || r.Lost() != 2 {
			t.Errorf("behind a hole: %q, %d lost, error %v", got, r.Lost(), err)
		}
	})
}

func TestRangeWaitsOutWhatPasses(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	addr := cluster.ListenAddrs()[0]
	name := topic(t, addr, 1)
	stamped(t, addr, name, time.Now(), 6)
	refused := 0
	cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		if refused++; refused > 2 {
			return nil, nil, false
		}
		cluster.KeepControl()
		return nil, errors.New("cut"), true
	})
	got, err := readRange(t, client(t, Options{Brokers: []string{addr}}).Range(name, 0, 0, 6, 0))
	if err != nil || len(got) != 6 || refused < 2 {
		t.Errorf("%q after %d refusals, error %v", got, refused, err)
	}
}

func TestRangeEndsWithItsContext(t *testing.T) {
	name := "t"
	addr := fake(t, kfake.SeedTopics(1, name))
	stamped(t, addr, name, time.Now(), 4)
	ctx, cancel := context.WithCancelCause(t.Context())
	told := errors.New("told to stop")
	r := client(t, Options{Brokers: []string{addr}}).Range(name, 0, 0, 100, 0) // more than there is
	defer r.Close()
	time.AfterFunc(100*time.Millisecond, func() { cancel(told) })
	for {
		if _, _, err := r.Next(ctx); err != nil {
			if !errors.Is(err, told) {
				t.Errorf("error %v, want %v", err, told)
			}
			return
		}
	}
}
