package policy

import (
	"fmt"
	"strings"

	"sendwatch/internal/windows"
)

// Verdict is what a limit says of a reading. They are ordered: a higher one is worse.
type Verdict uint8

// The verdicts.
const (
	NoData    Verdict = iota // no exposure
	LowVolume                // too little to be judged
	OK
	Watch  // near the limit
	Breach // the limit is reached
)

var verdictNames = [...]string{"no_data", "low_volume", "ok", "watch", "breach"}

// String returns the name that answers use.
func (v Verdict) String() string { return verdictNames[v] }

// ParseVerdict finds a verdict by its name.
func ParseVerdict(s string) (Verdict, bool) {
	for i, n := range verdictNames {
		if n == s {
			return Verdict(i), true
		}
	}
	return 0, false
}

// MarshalText writes the name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the name.
func (v *Verdict) UnmarshalText(text []byte) error {
	found, ok := ParseVerdict(string(text))
	if !ok {
		return fmt.Errorf("verdict %q: not one of %s", text, strings.Join(verdictNames[:], ", "))
	}
	*v = found
	return nil
}

// Judgement is what a limit says of a reading.
type Judgement struct {
	Verdict Verdict
	Certain bool // the limit is exceeded beyond chance; what fires as critical
	// Headroom is how many more such events the exposure bears before the limit is reached. For Engaged, which counts what is
	// welcome, it is how many it can lose before the share is under the line.
	Headroom int64
}

// Assess judges a reading of the limit's formula; the first verdict that holds of no_data, low_volume, breach, watch, ok
// (contract, section 3).
func (l *Limit) Assess(r windows.Reading) Judgement {
	if l.Rate == windows.Engaged {
		return l.assessShare(r)
	}
	k, e := r.Numerator, r.Exposure
	j := Judgement{
		Verdict:  OK,
		Certain:  windows.Certain(k, e, l.Below),
		Headroom: windows.Headroom(k, e, l.Below),
	}
	reached := windows.AtLeast(k, e, l.Below)
	switch {
	case e <= 0:
		j.Verdict = NoData
	case e < l.MinVolume, reached && k < l.MinEvents:
		j.Verdict = LowVolume
	case reached:
		j.Verdict = Breach
	case windows.AtLeast(k, e, l.Below.Times(l.WatchAt)):
		j.Verdict = Watch
	}
	return j
}

// assessShare judges a share that should be high.
func (l *Limit) assessShare(r windows.Reading) Judgement {
	k, e := r.Numerator, r.Exposure
	missing := windows.Headroom(k, e, l.AtLeast) // how many short of the line
	j := Judgement{Verdict: OK}
	switch {
	case e <= 0:
		j.Verdict = NoData
	case e < l.MinVolume:
		j.Verdict = LowVolume
	case missing > 0:
		j.Verdict = Watch
	default:
		j.Headroom = k - windows.Headroom(0, e, l.AtLeast)
	}
	return j
}

// Closeness is how near a reading is to the line, as "worst first" orders it: judged ÷ limit, inverted for Engaged.
func (l *Limit) Closeness(r windows.Reading) windows.Closeness {
	c := windows.ClosenessOf(r.Numerator, r.Exposure, l.Line())
	if l.Rate == windows.Engaged {
		return c.Inverse()
	}
	return c
}
