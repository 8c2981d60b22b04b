package windows

// Ratio is an exact share A ÷ B in lowest terms, B > 0.
type Ratio struct{ A, B int64 }

// ParseRatio reads "3%", "0.1%" or "0.03" exactly.
func ParseRatio(s string) (Ratio, error) { panic("not yet") }

// Float is the nearest float64: for output only, never for a decision.
func (r Ratio) Float() float64 { return float64(r.A) / float64(r.B) }
