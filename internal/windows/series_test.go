package windows

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plainSeries is a series by its definition.
type plainSeries struct {
	retention Retention
	oldest    [NumSteps]int64
	counts    map[Step]map[int64]*Counts
}

func newPlainSeries(ret Retention) *plainSeries {
	p := &plainSeries{retention: ret, counts: map[Step]map[int64]*Counts{}}
	for s := Minute; int(s) < NumSteps; s++ {
		p.counts[s] = map[int64]*Counts{}
		p.oldest[s] = -1 << 62
	}
	return p
}

func (p *plainSeries) add(s Step, bucket int64, c Counter, n int64) {
	if bucket < p.oldest[s] {
		return
	}
	if p.counts[s][bucket] == nil {
		p.counts[s][bucket] = &Counts{}
	}
	p.counts[s][bucket][c] += n
}

func (p *plainSeries) trim(asOf time.Time) {
	for s, buckets := range p.counts {
		p.oldest[s] = max(p.oldest[s], p.retention.Oldest(s, asOf))
		for b := range buckets {
			if b < p.oldest[s] {
				delete(buckets, b)
			}
		}
	}
}

func (p *plainSeries) sum(span Span) (sum Counts) {
	for b, counts := range p.counts[span.Step] {
		if b >= span.First && b <= span.Last {
			sum.Add(counts)
		}
	}
	return sum
}

func TestSeriesAgainstDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ret := DefaultRetention(rapid.IntRange(10, 400).Draw(t, "days"))
		s, plain := NewSeries(ret), newPlainSeries(ret)
		start := time.Unix(rapid.Int64Range(-3e9, 3e9).Draw(t, "start"), 0)
		now := start
		sizes := []int64{1, 1, 1, 100, 127, 128, 200, 32_767, 32_768, 1 << 31, 1 << 40}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				s.Trim(now)
				plain.trim(now)
			case 1:
				now = now.Add(time.Duration(rapid.Int64Range(0, 4000).Draw(t, "minutes")) * time.Minute)
			default:
				step := Step(rapid.IntRange(0, NumSteps-1).Draw(t, "step"))
				bucket := step.Bucket(now) - rapid.Int64Range(-3, 30).Draw(t, "back")
				c := Counter(rapid.IntRange(0, NumCounters-1).Draw(t, "counter"))
				n := rapid.SampledFrom(sizes).Draw(t, "n")
				if rapid.Bool().Draw(t, "negative") {
					n = -n
				}
				s.Add(step, bucket, c, n)
				plain.add(step, bucket, c, n)
			}
		}
		for step := Minute; int(step) < NumSteps; step++ {
			first := step.Bucket(start) - rapid.Int64Range(-100, 100).Draw(t, "first")
			span := Span{step, first, first + rapid.Int64Range(-2, 200).Draw(t, "length")}
			if got, want := s.Sum(span), plain.sum(span); got != want {
				t.Fatalf("sum over %v: %v, want %v", span, got, want)
			}
			previous := int64(-1 << 62)
			for b, counts := range s.Buckets(span) {
				if b <= previous || b < span.First || b > span.Last || *counts != *plain.counts[step][b] || *counts == (Counts{}) {
					t.Fatalf("bucket %d of %v: %v", b, span, counts)
				}
				if s.Bucket(step, b) != *counts {
					t.Fatalf("bucket %d alone differs", b)
				}
				previous = b
			}
			all := Span{step, -1 << 40, 1 << 40}
			seen, held := 0, 0
			for range s.Buckets(all) {
				seen++
			}
			newest := int64(-1 << 62)
			for b, counts := range plain.counts[step] {
				if *counts != (Counts{}) {
					held++
					newest = max(newest, b)
				}
			}
			if seen != held {
				t.Fatalf("%d buckets of %v, want %d", seen, step, held)
			}
			if got, ok := s.Newest(step); ok != (held > 0) || ok && got != newest {
				t.Fatalf("newest bucket of %v: %d, %v", step, got, ok)
			}
		}
	})
}

func TestSeriesGivesMemoryBack(t *testing.T) {
	s := NewSeries(DefaultRetention(400))
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	fill(s, now, 400)
	full := s.Bytes()
	if full > 40_000 {
		t.Errorf("a subject with every bucket full takes %d bytes", full)
	}
	for i := range 500 {
		at := now.Add(time.Duration(i) * time.Hour)
		s.Add(Hour, Hour.Bucket(at), Delivered, 1)
		s.Trim(at)
	}
	s.Trim(now.Add(300 * 24 * time.Hour))
	if half := s.Bytes(); half > full/2 {
		t.Errorf("%d of %d bytes are held when most buckets are gone", half, full)
	}
	s.Trim(now.Add(1000 * 24 * time.Hour))
	if !s.Empty() || s.Bytes() > 300 {
		t.Errorf("%d bytes are held when all buckets are gone", s.Bytes())
	}
}

// fill puts a busy sender's counts into every bucket that is kept at now: about two million mails a day.
func fill(s *Series, now time.Time, days int) {
	ret := DefaultRetention(days)
	for step := Minute; int(step) < NumSteps; step++ {
		size := step.Seconds() / 60
		for b := ret.Oldest(step, now); b <= step.Bucket(now); b++ {
			for c, n := range map[Counter]int64{
				Delivered: 1400 * size, BouncedHard: 8 * size, BouncedSoft: 9 * size, BouncedBlock: 3 * size, BouncedUndetermined: size,
				BouncedAsync: size, Complained: size/2 + b%2, Unsubscribed: 4 * size, DeliveredReporting: 600 * size,
			} {
				s.Add(step, b, c, n+b%7)
			}
		}
		s.Trim(now)
	}
}

// A copy has what the series had, and neither sees what is done to the other.
func TestClone(t *testing.T) {
	s := NewSeries(DefaultRetention(35))
	s.Add(Minute, 10, Delivered, 3)
	s.Add(Day, 1, BouncedHard, 1)
	c := s.Clone()
	s.Add(Minute, 10, Delivered, 300)
	s.Add(Minute, 11, Complained, 1)
	c.Add(Day, 1, BouncedHard, 70_000)
	for _, x := range []struct {
		series    *Series
		step      Step
		bucket    int64
		delivered int64
		bounced   int64
	}{{c, Minute, 10, 3, 0}, {c, Minute, 11, 0, 0}, {c, Day, 1, 0, 70_001}, {s, Minute, 10, 303, 0}, {s, Day, 1, 0, 1}} {
		got := x.series.Bucket(x.step, x.bucket)
		if got[Delivered] != x.delivered || got[BouncedHard] != x.bounced || got[Complained] != 0 && x.series == c {
			t.Errorf("%v of bucket %d: %v", x.step, x.bucket, got)
		}
	}
}
