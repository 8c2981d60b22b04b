package main

import (
	"bytes"
	"testing"
	"time"
)

func TestProgressLines(t *testing.T) {
	clock := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		size int64
		want string
	}{
		{100 << 20, "auditing: 20%, 20.0 of 100.0 MiB, 1.0 MiB/s, 1m20s left\nauditing: 95%, 95.0 of 100.0 MiB, 3.2 MiB/s, 2s left\n"},
		{0, "auditing: 20.0 MiB, 1.0 MiB/s\nauditing: 95.0 MiB, 3.2 MiB/s\n"},
	} {
		var out bytes.Buffer
		now := clock
		p := &progress{what: "auditing", size: c.size, out: &out, now: func() time.Time { return now }, begun: now, next: now.Add(plainEvery)}
		p.add(5 << 20) // at once: too soon for a line
		now = now.Add(20 * time.Second)
		p.add(15 << 20)
		now = now.Add(9 * time.Second)
		p.add(60 << 20)
		now = now.Add(time.Second)
		p.add(15 << 20)
		if out.String() != c.want {
			t.Errorf("of %d bytes:\n%swant\n%s", c.size, out.String(), c.want)
		}
	}
}
