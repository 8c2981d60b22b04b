package alerts

import (
	"cmp"
	"slices"

	"sendwatch/internal/windows"
)

// How many causes a record names.
const (
	causesPerDimension = 3
	causesPerRecord    = 10
)

// classCause is the dimension of a cause that is a class of bounces.
const classCause = "bounce_class"

// index enters a subject as a part of those that have all its dimensions but one.
func (e *Evaluator) index(s *subject) {
	for i := range s.labels {
		h := hashLabels(s.labels, i)
		e.parts[h] = append(e.parts[h], s)
	}
}

// causes are the parts that carry the numerator of a reading of this subject: its values in every dimension that the
// evaluator knows with one dimension more, and the classes of its bounces. Largest share first, at most three values of a
// dimension and ten in all. Parts without a share are left out.
func (e *Evaluator) causes(s *subject, ref *Ref, reading windows.Reading, t judged) []Cause {
	found := []Cause{}
	if reading.Numerator <= 0 {
		return found
	}
	share := func(n int64) float64 { return float64(n) / float64(reading.Numerator) }
	for _, part := range e.parts[hashLabels(s.labels, -1)] {
		label, ok := extra(part.labels, s.labels)
		if !ok {
			continue
		}
		r, err := windows.Read(part.series, ref.Formula, ref.Window, t.m.At, t.kept, true)
		if err == nil && r.Numerator > 0 {
			found = append(found, Cause{label.Dimension.String(), label.Value, r.Numerator, r.Denominator, share(r.Numerator)})
		}
	}
	if ref.Formula.Rate == windows.Bounce {
		found = append(found, e.classes(s, ref, reading, t)...)
	}
	slices.SortFunc(found, func(a, b Cause) int {
		return cmp.Or(cmp.Compare(b.Numerator, a.Numerator), cmp.Compare(a.Dimension, b.Dimension), cmp.Compare(a.Value, b.Value))
	})
	perDimension := map[string]int{}
	found = slices.DeleteFunc(found, func(c Cause) bool {
		perDimension[c.Dimension]++
		return perDimension[c.Dimension] > causesPerDimension
	})
	return found[:min(len(found), causesPerRecord)]
}

// classes splits the bounces in the numerator by class.
func (e *Evaluator) classes(s *subject, ref *Ref, reading windows.Reading, t judged) []Cause {
	counts := s.series.Sum(ref.Window.Span(t.m.At))
	var found []Cause
	for _, class := range []struct {
		name    string
		counter windows.Counter
	}{
		{"hard", windows.BouncedHard}, {"soft", windows.BouncedSoft}, {"block", windows.BouncedBlock},
		{"undetermined", windows.BouncedUndetermined},
	} {
		var only windows.Counts
		only[class.counter] = counts[class.counter]
		if n, _ := ref.Formula.Of(&only); n > 0 {
			found = append(found, Cause{classCause, class.name, n, reading.Denominator, float64(n) / float64(reading.Numerator)})
		}
	}
	return found
}

// mainCause is the cause that explains the breach best: the one with the most of the numerator beyond what its part of the
// mail would have at the subject's own rate. Classes of bounces have no mail of their own and do not take part.
func mainCause(causes []Cause, reading windows.Reading) (Cause, bool) {
	var best Cause
	var most float64
	for _, c := range causes {
		if c.Dimension == classCause || reading.Denominator <= 0 {
			continue
		}
		excess := float64(c.Numerator) - float64(c.Denominator)*float64(reading.Numerator)/float64(reading.Denominator)
		if excess > most {
			best, most = c, excess
		}
	}
	return best, most > 0
}

// extra is the one label that part has beyond whole; false when part is not whole with one label more.
func extra(part, whole windows.Labels) (windows.Label, bool) {
	if len(part) != len(whole)+1 {
		return windows.Label{}, false
	}
	var more windows.Label
	n := 0
	for _, l := range part {
		if !slices.Contains(whole, l) {
			more = l
			n++
		}
	}
	return more, n == 1
}

// hashLabels is a hash (FNV-1a) of the labels without the skipped one, whatever their order.
func hashLabels(labels windows.Labels, skip int) uint64 {
	var sum uint64
	for i, l := range labels {
		if i == skip {
			continue
		}
		h := uint64(14695981039346656037)
		h = (h ^ uint64(l.Dimension)) * 1099511628211
		for j := range len(l.Value) {
			h = (h ^ uint64(l.Value[j])) * 1099511628211
		}
		sum += h // commutes: keys of two combinations may name the dimensions in different orders
	}
	return sum
}
