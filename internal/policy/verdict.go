package policy

// Verdict is what a limit says of a reading. They are ordered: a higher one is worse.
type Verdict uint8

// The verdicts.
const (
	NoData Verdict = iota
	LowVolume
	OK
	Watch
	Breach
)

var verdictNames = [...]string{"no_data", "low_volume", "ok", "watch", "breach"}

// String returns the name that answers use.
func (v Verdict) String() string { return verdictNames[v] }
