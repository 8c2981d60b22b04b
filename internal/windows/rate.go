package windows

import "fmt"

// Rate is a share of mail that is watched.
type Rate uint8

// The rates. The first three are shown for every subject; the others where a policy limits them.
const (
	Bounce      Rate = iota // bounced ÷ (delivered + bounced − bounced_async)
	Complaint               // complained ÷ delivered
	Unsubscribe             // unsubscribed ÷ delivered
	Suppressed              // delivered after an unsubscribe or complaint ÷ delivered
	Engaged                 // delivered to engaged recipients ÷ delivered
	NumRates    int  = iota
)

var rateNames = [NumRates]string{"bounce", "complaint", "unsubscribe", "suppressed", "engaged"}

// String returns the name that the configuration and answers use.
func (r Rate) String() string { return rateNames[r] }

// ParseRate finds a rate by its name.
func ParseRate(s string) (Rate, bool) {
	for i, n := range rateNames {
		if n == s {
			return Rate(i), true
		}
	}
	return 0, false
}

// MarshalText writes the name.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the name.
func (r *Rate) UnmarshalText(text []byte) error {
	found, ok := ParseRate(string(text))
	if !ok {
		return fmt.Errorf("rate %q: not one of bounce, complaint, unsubscribe, suppressed, engaged", text)
	}
	*r = found
	return nil
}

// Classes is a set of bounce classes; the zero value stands for all that may count: hard, soft, block, undetermined.
type Classes uint8

// Formula says what is divided by what.
type Formula struct {
	Rate Rate
	// Classes are the bounces in the numerator of Bounce. The denominator always has all four.
	Classes Classes
	// OverReporting divides Complaint by the deliveries at mailbox providers that send complaint reports, not by all.
	OverReporting bool
}

// Of returns the formula's numerator and denominator over these counts.
func (f Formula) Of(c *Counts) (numerator, denominator int64) { panic("not yet") }
