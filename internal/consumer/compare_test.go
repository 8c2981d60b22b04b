package consumer

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

// feeder is an applier in virtual time, with lanes that the test fills instead of workers.
type feeder struct {
	t     *testing.T
	store *memory
	*Applier
	lanes []*lane
	next  []int64
}

func newFeeder(t *testing.T, lanes int) *feeder {
	o := Options{Topics: []string{"t"}, Group: "g", Decoder: someWords, NewFold: newFold}
	if err := o.defaults(); err != nil {
		t.Fatal(err)
	}
	f := &feeder{t: t, store: newMemory()}
	f.Applier = newApplier(f.store, nil, zap.NewNop(), &o)
	var partitions []windows.Partition
	for id := range lanes {
		partitions = append(partitions, windows.Partition{Topic: "t", ID: id})
	}
	var err error
	if f.lanes, err = f.open(t.Context(), partitions); err != nil {
		t.Fatal(err)
	}
	for _, l := range f.lanes {
		f.begin(l)
		f.next = append(f.next, 0)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// pass lets time go by, and waits until the applier has done what it had to.
func (f *feeder) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (f *feeder) looks() (n int) {
	f.store.do(func() { n = f.store.looks })
	return n
}

// begin heeds a rewind, as a worker does, and returns where it went.
func (f *feeder) begin(l *lane) int64 {
	next, _ := l.position()
	l.begin("id", max(next, 0))
	return next
}

// add gives n records to a lane, up to where it was put elsewhere.
func (f *feeder) add(lane, n int) {
	f.t.Helper()
	for range n {
		offset := f.next[lane]
		r := event.Result{Events: []event.Event{{Type: event.Delivery, ID: fmt.Sprint(offset), Campaign: fmt.Sprintf("%d-%d", lane, offset), Time: time.Now()}}}
		_, err := f.lanes[lane].add(f.t.Context(), offset, nil, &r, time.Now())
		if errors.Is(err, errRewind) {
			return
		}
		if err != nil {
			f.t.Fatal(err)
		}
		f.next[lane]++
	}
}

// TestComparingIsForIdleLanes: a lane that applies go through is compared by them; nobody asks for its positions besides.
func TestComparingIsForIdleLanes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeeder(t, 2)
		for range 50 {
			f.add(0, 1)
			f.add(1, 1)
			f.pass(200 * time.Millisecond)
		}
		if n := f.looks(); n != 0 {
			t.Errorf("%d looks at positions that applies went by all the time", n)
		}
		f.pass(10 * time.Second)
		before := f.looks()
		if n := before; n < 8 || n > 10 {
			t.Errorf("%d looks in 10 s of quiet; one a second is expected", n)
		}
		f.store.do(func() { f.store.down = true })
		f.pass(3 * time.Second)
		if f.looks() == before || f.state.waiting() == "" {
			t.Error("nobody says that the state is away")
		}
		f.store.do(func() { f.store.down = false })
		f.pass(2 * time.Second)
		if w := f.state.waiting(); w != "" || f.stats().Rewinds != 0 {
			t.Errorf("%q, %d rewinds", w, f.stats().Rewinds)
		}
	})
}

// TestAnIdleLaneIsComparedWhileOthersAreBusy: the older data may be older in its partition only.
func TestAnIdleLaneIsComparedWhileOthersAreBusy(t *testing.T) {
	for shard := range shards {
		synctest.Test(t, func(t *testing.T) {
			f := newFeeder(t, 2)
			f.add(0, 30)
			f.add(1, 30)
			f.pass(time.Second)
			f.store.do(func() { f.store.positions[f.lanes[0].partition].Next[shard] = 10 })
			began := time.Now()
			for !f.lanes[0].rewound() {
				if time.Since(began) > 3*time.Second {
					t.Fatalf("shard %d: nobody has noticed", shard)
				}
				if !f.lanes[1].rewound() {
					f.add(1, 1)
				}
				f.pass(50 * time.Millisecond)
			}
			if next := f.begin(f.lanes[0]); next != 10 {
				t.Errorf("reads on at %d", next)
			}
			if starts := fmt.Sprint(f.lanes[0].starts); starts == fmt.Sprint(all(30)) || f.lanes[0].starts[shard] != 10 {
				t.Errorf("begins at %s", starts)
			}
			if n := f.stats().Rewinds; n != 1 {
				t.Errorf("%d rewinds", n)
			}
		})
	}
}

// TestWhatIsHeldOfAnOlderStateIsDropped: records come in at the moment at which it is noticed.
func TestWhatIsHeldOfAnOlderStateIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeeder(t, 1)
		f.add(0, 30)
		f.pass(time.Second)
		positions, counts := f.store.snapshot()
		f.add(0, 30)
		f.pass(1950 * time.Millisecond) // the next look comes before what is added now is old enough to be applied
		f.store.restore(positions, counts)
		f.add(0, 5)
		f.pass(4 * time.Second)
		if next := f.begin(f.lanes[0]); next != 30 || len(f.pending) != 0 || f.active.events != 0 {
			t.Errorf("reads on at %d, holds %d", next, f.active.events)
		}
		if f.store.applies != 2 {
			t.Errorf("%d applies", f.store.applies)
		}
	})
}

// TestAnEmptiedStateIsReadFromTheFirstOffset: from where the log begins now would pass over what it has no longer.
func TestAnEmptiedStateIsReadFromTheFirstOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeeder(t, 2) // nothing was ever read of the second
		f.add(0, 30)
		f.pass(time.Second)
		f.store.restore(map[windows.Partition]windows.Progress{}, map[string]int{})
		f.pass(3 * time.Second)
		if next := f.begin(f.lanes[0]); next != 0 {
			t.Errorf("reads on at %d, 0 expected", next)
		}
		if next := f.begin(f.lanes[1]); next != -1 {
			t.Errorf("the other reads on at %d, -1 expected", next)
		}
	})
}

// TestAStoppedLaneTakesItsNewPositionItself: its worker waits for exactly that.
func TestAStoppedLaneTakesItsNewPositionItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFeeder(t, 2)
		f.add(0, 30)
		f.add(1, 30)
		f.pass(time.Second)
		f.lanes[0].halt(true)
		f.store.do(func() { delete(f.store.positions, f.lanes[0].partition) })
		f.pass(3 * time.Second)
		if n := f.stats().Rewinds; n != 0 || f.lanes[0].rewound() {
			t.Errorf("%d rewinds because of a stopped lane", n)
		}
		// Another lane's trouble leaves it alone, too.
		f.store.do(func() { f.store.positions[f.lanes[1].partition].Next[0] = 10 })
		f.pass(3 * time.Second)
		if n := f.stats().Rewinds; n != 1 || f.lanes[0].rewound() || !f.lanes[1].rewound() {
			t.Errorf("%d rewinds", n)
		}
		if moved, err := f.reopen(t.Context(), f.lanes[0]); !moved || err != nil {
			t.Errorf("moved: %t, %v", moved, err)
		}
		if next := f.begin(f.lanes[0]); next != -1 {
			t.Errorf("reads on at %d: a start anew is where the log begins", next)
		}
	})
}

// TestAShardThatComesBackOlderIsFedAgain: a replica that was behind takes over from one shard of several, and nothing comes in.
func TestAShardThatComesBackOlderIsFedAgain(t *testing.T) {
	h := newHarness(t, fake(t), 4)
	c := h.start(nil)
	h.sendMany(400, 4)
	h.counted()
	positions, counts := h.store.snapshot()
	h.sendMany(400, 4)
	h.counted()
	for shard := range shards {
		h.store.restoreShard(shard, positions, counts)
		h.counted()
	}
	if n := c.Stats().Rewinds; n < shards {
		t.Errorf("%d rewinds", n)
	}
}

// TestWhatTheLogHasNoLongerIsCountedAsLost: for the shard that came back older, and for a state that is empty.
func TestWhatTheLogHasNoLongerIsCountedAsLost(t *testing.T) {
	h := newHarness(t, fake(t), 1)
	holes := make(chan Hole, 10)
	h.start(func(o *Options) { o.OnHole = func(hole Hole) { holes <- hole } })
	h.sendMany(10, 1)
	h.counted()
	positions, counts := h.store.snapshot()
	h.sendMany(90, 1)
	h.counted()
	h.deleteRecords(60)
	h.store.restoreShard(1, positions, counts)
	p := windows.Partition{Topic: h.topic}
	if hole := <-holes; hole != (Hole{p, 10, 60}) {
		t.Errorf("hole %+v", hole)
	}
	h.eventually("all is read again", func() bool { return h.store.next(p) == 100 })
	if h.store.lost != [shards]int64{0, 50, 0} {
		t.Errorf("lost %d, 50 expected of the shard that was behind", h.store.lost)
	}
	h.store.do(func() { h.store.lost = [shards]int64{} })
	h.store.restore(map[windows.Partition]windows.Progress{}, map[string]int{})
	if hole := <-holes; hole != (Hole{p, 0, 60}) {
		t.Errorf("hole %+v", hole)
	}
	h.eventually("all is read again", func() bool { return h.store.next(p) == 100 })
	h.store.exact(t, 40)
	if h.store.lost != [shards]int64{60, 60, 60} || len(holes) > 0 {
		t.Errorf("lost %d, 60 expected; %d more holes", h.store.lost, len(holes))
	}
}
