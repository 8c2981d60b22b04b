package audit

import "sendwatch/internal/windows"

// The evaluator holds only subjects that have broken a limit, and their parts: the subjects with one dimension more, which it
// names as causes. All others could raise no alert, and cost time at the end of every minute.

// feed has the evaluator judge the subject at this moment.
func (a *Audit) feed(g *ledger) {
	a.load(g)
	a.eval.Touch(g.sub.Key)
	a.fed++
	if a.parts == nil {
		a.parts = map[uint64][]*ledger{}
		for _, other := range a.ledgers {
			if other != nil {
				a.index(other)
			}
		}
	}
	whole := hashLabels(g.labels, -1)
	a.wanted[whole] = true
	for _, part := range a.parts[whole] {
		if part.sub.Series(); !part.loaded { // brought up to date: it can be named as a cause
			a.load(part)
		}
	}
}

func (a *Audit) load(g *ledger) {
	if !g.loaded {
		g.loaded = true
		a.loaded = append(a.loaded, g)
		a.eval.Load(g.sub.Key, g.sub.Series())
	}
}

// index notes what the subject is a part of.
func (a *Audit) index(g *ledger) {
	if a.parts == nil {
		return
	}
	for i := range g.labels {
		whole := hashLabels(g.labels, i)
		a.parts[whole] = append(a.parts[whole], g)
		if a.wanted[whole] {
			a.load(g)
		}
	}
}

// hashLabels is a hash of the labels without the skipped one, whatever their order. Two sets with the same hash would only
// give the evaluator a subject more than it needs.
func hashLabels(labels windows.Labels, skip int) uint64 {
	var sum uint64
	for i, l := range labels {
		if i == skip {
			continue
		}
		h := uint64(14695981039346656037) ^ uint64(l.Dimension) // FNV-1a
		for j := range len(l.Value) {
			h = (h ^ uint64(l.Value[j])) * 1099511628211
		}
		sum += h * 1099511628211
	}
	return sum
}
