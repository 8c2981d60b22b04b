package alerts

import "fmt"

// Change is what a record tells. The zero value is "nothing changed" and never stands in a record.
type Change uint8

// The changes.
const (
	Unchanged Change = iota
	Fired
	Escalated
	Reminder
	Resolved
)

var changeNames = [...]string{"unchanged", "fired", "escalated", "reminder", "resolved"}

// String returns the name that records use.
func (c Change) String() string { return changeNames[c] }

// MarshalText writes the name.
func (c Change) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the name.
func (c *Change) UnmarshalText(text []byte) error {
	return parseName(c, changeNames[1:], 1, "change", text)
}

// State says whether an alert is open. The zero value is Firing.
type State uint8

// The states.
const (
	Firing State = iota
	Closed
)

var stateNames = [...]string{"firing", "resolved"}

// String returns the name that records use.
func (s State) String() string { return stateNames[s] }

// MarshalText writes the name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *State) UnmarshalText(text []byte) error {
	return parseName(s, stateNames[:], 0, "status", text)
}

// Severity says how sure a breach is. A higher one is graver.
type Severity uint8

// The severities.
const (
	Warning  Severity = iota // could still be chance
	Critical                 // beyond chance
)

var severityNames = [...]string{"warning", "critical"}

// String returns the name that records use.
func (s Severity) String() string { return severityNames[s] }

// MarshalText writes the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *Severity) UnmarshalText(text []byte) error {
	return parseName(s, severityNames[:], 0, "severity", text)
}

func parseName[T ~uint8](dst *T, names []string, first T, what string, text []byte) error {
	for i, n := range names {
		if n == string(text) {
			*dst = first + T(i)
			return nil
		}
	}
	return fmt.Errorf("%s %q: expected one of %v", what, text, names)
}
