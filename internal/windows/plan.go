package windows

import (
	"slices"
	"time"
)

// Plan is the set of sums that it takes to read several windows of a subject at one time. All spans of a step end at the same
// bucket, so one pass over each step's buckets, newest first, gives all of them. It is immutable and safe for concurrent use.
type Plan struct {
	windows []Window
	reads   []planRead        // by window
	lengths [NumSteps][]int64 // the spans of each step, in buckets, shortest first
	rates   [NumCounters]bool
}

// planRead says where a window's sums are.
type planRead struct {
	own      planSpan
	exposure []planShare
}

// planSpan is one span: the i-th shortest of its step.
type planSpan struct {
	step Step
	i    int
}

type planShare struct {
	planSpan
	share ExposureSpan
}

// NewPlan plans to read these windows from buckets that are kept as ret says.
func NewPlan(ws []Window, ret Retention) *Plan {
	p := &Plan{windows: slices.Clone(ws), rates: RateCounters()}
	note := func(s Step, length time.Duration) {
		p.lengths[s] = append(p.lengths[s], bucketsIn(length, s))
	}
	for _, w := range ws {
		note(w.Step, w.Length)
		for _, x := range w.Exposure(ret) {
			note(x.Step, x.Length)
		}
	}
	for s := range p.lengths {
		slices.Sort(p.lengths[s])
		p.lengths[s] = slices.Compact(p.lengths[s])
	}
	find := func(s Step, length time.Duration) planSpan {
		i, _ := slices.BinarySearch(p.lengths[s], bucketsIn(length, s))
		return planSpan{s, i}
	}
	for _, w := range ws {
		r := planRead{own: find(w.Step, w.Length)}
		for _, x := range w.Exposure(ret) {
			r.exposure = append(r.exposure, planShare{find(x.Step, x.Length), x})
		}
		p.reads = append(p.reads, r)
	}
	return p
}

// Windows are those that the plan reads.
func (p *Plan) Windows() []Window { return p.windows }

// Retention is for how long an evaluator that holds thousands of subjects has to keep their buckets: as ret, for which the
// plan was made, but no more days than its windows and their exposure need, with two to spare for a time that goes back.
func (p *Plan) Retention(ret Retention) Retention {
	var days int64
	if n := len(p.lengths[Day]); n > 0 {
		days = p.lengths[Day][n-1] + 2
	}
	ret[Day] = min(ret[Day], time.Duration(days)*Day.Duration())
	return ret
}

// Sums holds what a Plan needs of one subject at one time. It is reused from subject to subject: Load and Read allocate
// nothing. It is not safe for concurrent use.
type Sums struct {
	plan *Plan
	last [NumSteps]int64
	kept Kept
	by   [NumSteps][]Counts // by span, as Plan.lengths
}

// NewSums returns room for the plan's sums.
func (p *Plan) NewSums() *Sums {
	s := &Sums{plan: p}
	for i := range s.by {
		s.by[i] = make([]Counts, len(p.lengths[i]))
	}
	return s
}

// Load sums up the series at the given time.
func (s *Sums) Load(series *Series, at time.Time, kept Kept) {
	s.kept = kept.of(series)
	for step := Minute; int(step) < NumSteps; step++ {
		s.last[step] = step.Bucket(at)
		s.loadStep(&series.tables[step], step)
	}
}

// loadStep adds up the rows between one span's first bucket and the next longer one's, and so on.
func (s *Sums) loadStep(t *table, step Step) {
	sums := s.by[step]
	clear(sums)
	if len(t.rows) == 0 || len(sums) == 0 {
		return
	}
	end := t.firstFrom(s.last[step] + 1)
	for i, length := range s.plan.lengths[step] {
		if i > 0 {
			sums[i] = sums[i-1]
		}
		first := t.firstFrom(s.last[step] - length + 1)
		if first == end {
			continue
		}
		for j := range t.columns {
			if c := &t.columns[j]; s.plan.rates[c.counter] {
				sums[i][c.counter] += c.sum(first, end)
			}
		}
		end = first
	}
}

// Read reads a formula on the plan's i-th window, as the function Read does.
func (s *Sums) Read(i int, f Formula, judgeWindow bool) (Reading, error) {
	w, plan := &s.plan.windows[i], &s.plan.reads[i]
	own := s.span(plan.own)
	if !s.kept.Has(own) {
		return Reading{}, s.kept.check(*w, own)
	}
	r := Reading{From: own.From(), To: own.To()}
	r.Numerator, r.Denominator = f.Of(s.sum(plan.own))
	r.Exposure = r.Denominator
	if judgeWindow || !f.Rate.Delayed() {
		return r, nil
	}
	for j := range plan.exposure {
		x := &plan.exposure[j]
		if s.kept.Has(s.span(x.planSpan)) {
			_, d := f.Of(s.sum(x.planSpan))
			r.Exposure = max(r.Exposure, x.share.share(d, f.Rate))
		}
	}
	return r, nil
}

// Counts are the sums over the plan's i-th window itself, of the counters that rates read. Valid until the next Load.
func (s *Sums) Counts(i int) *Counts { return s.sum(s.plan.reads[i].own) }

func (s *Sums) sum(p planSpan) *Counts { return &s.by[p.step][p.i] }

func (s *Sums) span(p planSpan) Span {
	last := s.last[p.step]
	return Span{p.step, last - s.plan.lengths[p.step][p.i] + 1, last}
}
