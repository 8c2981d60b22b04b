package kafka

import (
	"context"
	"testing"
	"time"
)

func next(t *testing.T, g *Group) *Generation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		gen, err := g.Next(ctx)
		if err == nil {
			return gen
		}
		if ctx.Err() != nil || !CategoryOf(err).Passes() {
			t.Fatal(err)
		}
		t.Log(err)
	}
}

func TestGroupSharesAndHandsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, addr string) {
		topic := topic(t, addr, 4)
		c := client(t, Options{Brokers: []string{addr}})
		join := func() *Group {
			g, err := c.Join(GroupOptions{ID: t.Name(), Topics: []string{topic}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = g.Close() })
			return g
		}
		first := join()
		gen := next(t, first)
		if n := len(gen.Assigned[topic]); n != 4 {
			t.Fatalf("alone with %d partitions", n)
		}
		ended := make(chan struct{})
		gen.Run(func(ctx context.Context) { <-ctx.Done(); close(ended) })
		if err := gen.Commit(map[string]map[int]int64{topic: {0: 7}}); err != nil {
			t.Fatal(err)
		}
		second := join()
		<-ended
		a := make(chan *Generation)
		go func() { a <- next(t, first) }()
		b := next(t, second)
		if n, m := len((<-a).Assigned[topic]), len(b.Assigned[topic]); n != 2 || m != 2 {
			t.Fatalf("shared as %d and %d", n, m)
		}
		left := time.Now()
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
		if n := len(next(t, first).Assigned[topic]); n != 4 {
			t.Fatalf("after the other has left: %d partitions", n)
		}
		if d := time.Since(left); d > 4*time.Second {
			t.Errorf("took %s: the leaver left a ghost", d)
		}
	})
}
