package windows

// Work is what a fold adds to one home shard.
type Work struct {
	// Items are the events that have to be looked up in the state, in the order in which they were read.
	Items []Item
	Tally Tally

	newest int64 // newest time of a counted event that is no item, in seconds since 1970
	seen   Set   // fingerprints of the items
	cells  cellTable
}

// Item is one counted event that may be a repeat of one in the state, or changes its recipient's record.
type Item struct {
	Print uint64 // fingerprint; 0 = never a repeat
	Who   uint64 // the recipient of the tenant, 56 bits; 0 = none to be looked at
	At    int64  // time in nanoseconds since 1970
	Route uint32 // what Fold.Route takes
	// Minute is the bucket of step Minute that it is counted in.
	Minute int32
	Kind   uint8 // what it means to its recipient's record
	Gone   bool  // withdrawn: the state has it already

	first, second Counter
	two, reports  bool

	state   Counter // what Deliver counted last; Sent, which is no state, for nothing
	overdue bool
}

// Delivery tells whether the event is a delivery, which is also counted by the state of its recipient.
func (i *Item) Delivery() bool { return i.first == Delivered }

// count adds n times the item's counters to all its subjects.
func (w *Work) count(i *Item, subjects []uint32, n uint32) {
	for _, s := range subjects {
		key := cellKey(s, int64(i.Minute), 0)
		w.cells.add(key|uint64(i.first), n)
		if i.two {
			w.cells.add(key|uint64(i.second), n)
		}
		if i.reports {
			w.cells.add(key|uint64(DeliveredReporting), n)
		}
	}
}

// Withdraw takes an item back out of the fold: the state has it already.
func (f *Fold) Withdraw(shard, item int) {
	w := &f.works[shard]
	i := &w.Items[item]
	if i.Gone {
		return
	}
	i.Gone = true
	f.Deliver(shard, item, Sent, false)
	w.count(i, f.routes.list[i.Route].Subjects, ^uint32(0)) // minus 1
	w.Tally.Counted--
	w.Tally.Duplicate++
}

// Restore takes all that was withdrawn into the fold again: what the state had may be gone from it.
func (f *Fold) Restore(shard int) {
	w := &f.works[shard]
	for n := range w.Items {
		i := &w.Items[n]
		if !i.Gone {
			continue
		}
		i.Gone = false
		w.count(i, f.routes.list[i.Route].Subjects, 1)
		w.Tally.Counted++
		w.Tally.Duplicate--
	}
}

// Deliver counts a delivery by what its recipient is: state is DeliveredEngaged, DeliveredNew or DeliveredUnengaged, Sent for none of
// them; suppressed tells that it is counted in DeliveredSuppressed too. What an earlier call counted for the item is taken back.
func (f *Fold) Deliver(shard, item int, state Counter, suppressed bool) {
	w := &f.works[shard]
	i := &w.Items[item]
	if i.state == state && i.overdue == suppressed {
		return
	}
	subjects := f.routes.list[i.Route].Subjects
	w.countAs(i, subjects, i.state, i.overdue, ^uint32(0)) // minus 1
	w.countAs(i, subjects, state, suppressed, 1)
	i.state, i.overdue = state, suppressed
}

func (w *Work) countAs(i *Item, subjects []uint32, state Counter, suppressed bool, n uint32) {
	for _, s := range subjects {
		key := cellKey(s, int64(i.Minute), 0)
		if state != Sent {
			w.cells.add(key|uint64(state), n)
		}
		if suppressed {
			w.cells.add(key|uint64(DeliveredSuppressed), n)
		}
	}
}

// Cells sorts what works add. Its room is as large as the largest work needed: one sorter serves many of them, one at a time.
type Cells struct{ rows, spare []Cell }

// Of returns what the work adds, sorted by subject, minute and counter. It is good until the next call.
func (s *Cells) Of(w *Work) []Cell {
	if n := w.cells.used; cap(s.rows) < n || cap(s.spare) < n {
		s.rows, s.spare = make([]Cell, 0, n+n/8), make([]Cell, n+n/8)
	}
	s.rows = s.rows[:0]
	for _, c := range w.cells.slots {
		if c.key != 0 && c.n != 0 {
			s.rows = append(s.rows, c)
		}
	}
	s.rows, s.spare = sortCells(s.rows, s.spare[:len(s.rows)])
	return s.rows
}

// Newest is the newest time of a counted event, in seconds since 1970; 0 when there is none. A withdrawn item moves nothing.
func (w *Work) Newest() int64 {
	newest := w.newest
	for i := range w.Items {
		if !w.Items[i].Gone {
			newest = max(newest, w.Items[i].At/1e9)
		}
	}
	return newest
}

// Empty tells whether the shard gets nothing but positions.
func (w *Work) Empty() bool { return w.cells.used == 0 && len(w.Items) == 0 && w.Tally.Zero() }

func (w *Work) reset() {
	rejected := w.Tally.Rejected
	clear(rejected)
	w.Tally = Tally{Rejected: rejected}
	w.Items, w.newest = w.Items[:0], 0
	w.seen.Reset()
	w.cells.reset()
}
