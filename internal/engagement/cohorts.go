package engagement

// Breakdown is how many recipients of a tenant there are in each state on a day. Known = Engaged + New + Unengaged.
type Breakdown struct {
	Known, Engaged, New, Unengaged int64
	Engaged30d, Engaged90d         int64 // newest interaction within so many days before the day, or on it
}

// Cohorts count the recipients of one tenant by days, so that a Breakdown for any day is a sum and needs no look at the
// recipients. A recipient is in one cohort of Seen, and in one of either Interacted or Untouched. Not for concurrent use.
type Cohorts struct {
	Seen       map[Day]int64 // by newest event
	Interacted map[Day]int64 // by newest interaction
	Untouched  map[Day]int64 // by first event, of those who never interacted
}

// NewCohorts are those of a tenant without recipients.
func NewCohorts() *Cohorts {
	return &Cohorts{map[Day]int64{}, map[Day]int64{}, map[Day]int64{}}
}

// Move takes a recipient whose record changed out of its old cohorts and into its new ones. before is NewRecipient() for
// one that was not there, after for one that is removed.
func (c *Cohorts) Move(before, after *Recipient) {
	c.add(before, -1)
	c.add(after, 1)
}

func (c *Cohorts) add(r *Recipient, n int64) {
	if r.Last == Never {
		return
	}
	bump(c.Seen, r.Last, n)
	if r.Interacted != Never {
		bump(c.Interacted, r.Interacted, n)
	} else {
		bump(c.Untouched, r.First, n)
	}
}

func bump(m map[Day]int64, d Day, n int64) {
	if m[d] += n; m[d] == 0 {
		delete(m, d)
	}
}

// At sums the cohorts for the day of the bounds. The rules must be valid: who is new by them is known, and who was first
// seen within NewFor and ever interacted is engaged, which is why Untouched alone gives the new ones.
func (c *Cohorts) At(b *Bounds) Breakdown {
	out := Breakdown{
		Known:      since(c.Seen, b.Engaged),
		Engaged:    since(c.Interacted, b.Engaged),
		New:        since(c.Untouched, b.New),
		Engaged30d: since(c.Interacted, b.Day-30),
		Engaged90d: since(c.Interacted, b.Day-90),
	}
	out.Unengaged = out.Known - out.Engaged - out.New
	return out
}

// Span is a run of days, and how many recipients there are whose newest interaction lies in it.
type Span struct {
	From, To Day // both included
	N        int64
}

// Recency tells how long ago recipients interacted: how many have their newest interaction in each run of so many days, from the day
// of the bounds back to where engagement ends. The sum is Engaged; who interacted after the day is in the first run.
func (c *Cohorts) Recency(b *Bounds, days int) []Span {
	var out []Span
	for to := b.Day; to >= b.Engaged; to -= Day(days) {
		out = append(out, Span{From: max(b.Engaged, to-Day(days)+1), To: to})
	}
	for d, n := range c.Interacted {
		if d >= b.Engaged {
			out[max(0, int(b.Day-d)/days)].N += n
		}
	}
	return out
}

func since(m map[Day]int64, from Day) int64 {
	var n int64
	for d, v := range m {
		if d >= from {
			n += v
		}
	}
	return n
}
