package windows

// Work is what a fold adds to one home shard.
type Work struct {
	// Items are the events that have to be looked up in the state, in the order in which they were read.
	Items []Item
	Tally Tally

	newest int64 // newest time of a counted event that is no item, in seconds since 1970
	seen   Set   // fingerprints of the items
	cells  cellTable
	rows   []Cell // of the last Cells
	spare  []Cell
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
	w.count(i, f.routes.list[i.Route].Subjects, ^uint32(0)) // minus 1
	w.Tally.Counted--
	w.Tally.Duplicate++
}

// Cells returns what is added, sorted by subject, minute and counter. It stays the work's own until the next call.
func (w *Work) Cells() []Cell {
	w.rows = w.rows[:0]
	for _, c := range w.cells.slots {
		if c.key != 0 && c.n != 0 {
			w.rows = append(w.rows, c)
		}
	}
	if cap(w.spare) < len(w.rows) {
		w.spare = make([]Cell, cap(w.rows))
	}
	w.rows, w.spare = sortCells(w.rows, w.spare[:len(w.rows)])
	return w.rows
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
