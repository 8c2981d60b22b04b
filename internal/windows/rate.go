package windows

import (
	"fmt"
	"strings"

	"sendwatch/internal/event"
)

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
		return fmt.Errorf("rate %q: not one of %s", text, strings.Join(rateNames[:], ", "))
	}
	*r = found
	return nil
}

// Delayed tells whether the rate's numerator comes after the mail that it answers, so that it is judged on an exposure.
// What is counted at the delivery itself is not.
func (r Rate) Delayed() bool { return r <= Unsubscribe }

// Classes is a set of bounce classes, never admin; the zero value stands for all four: hard, soft, block, undetermined.
type Classes uint8

// NewClasses makes a set. It is false when one of them is admin, which is in no rate.
func NewClasses(classes ...event.BounceClass) (Classes, bool) {
	var c Classes
	for _, one := range classes {
		if one == event.Admin {
			return 0, false
		}
		c |= 1 << one
	}
	return c, true
}

// Has tells whether the class counts.
func (c Classes) Has(class event.BounceClass) bool {
	return class != event.Admin && (c == 0 || c&(1<<class) != 0)
}

// String lists the classes: "hard, soft, block, undetermined".
func (c Classes) String() string {
	var names []string
	for _, class := range [...]event.BounceClass{event.Hard, event.Soft, event.Block, event.Undetermined} {
		if c.Has(class) {
			names = append(names, class.String())
		}
	}
	return strings.Join(names, ", ")
}

// Formula says what is divided by what (contract, section 3). The zero value is Bounce over all classes.
type Formula struct {
	Rate Rate
	// Classes are the bounces in the numerator of Bounce. The denominator always has all four.
	Classes Classes
	// OverReporting divides Complaint by the deliveries at mailbox providers that send complaint reports, not by all.
	OverReporting bool
}

// Of returns the formula's numerator and denominator over these counts.
func (f Formula) Of(c *Counts) (numerator, denominator int64) {
	switch f.Rate {
	case Bounce:
		return f.bounced(c), c[Delivered] + c.Bounced() - c[BouncedAsync]
	case Complaint:
		if f.OverReporting {
			return c[Complained], c[DeliveredReporting]
		}
		return c[Complained], c[Delivered]
	case Unsubscribe:
		return c[Unsubscribed], c[Delivered]
	case Suppressed:
		return c[DeliveredSuppressed], c[Delivered]
	case Engaged:
		return c[DeliveredEngaged], c[Delivered]
	}
	panic("windows: unknown rate")
}

func (f Formula) bounced(c *Counts) int64 {
	if f.Classes == 0 {
		return c.Bounced()
	}
	var n int64
	for class, counter := range classCounters {
		if f.Classes.Has(event.BounceClass(class)) {
			n += c[counter]
		}
	}
	return n
}

// classCounters are the counters of the classes that rates know, by class.
var classCounters = [...]Counter{
	event.Undetermined: BouncedUndetermined, event.Hard: BouncedHard, event.Soft: BouncedSoft, event.Block: BouncedBlock,
}

// RateCounters tells for each counter whether any rate reads it: what an evaluator has to hold.
func RateCounters() [NumCounters]bool {
	return [NumCounters]bool{
		Delivered: true, BouncedHard: true, BouncedSoft: true, BouncedBlock: true, BouncedUndetermined: true, BouncedAsync: true,
		Complained: true, Unsubscribed: true, DeliveredReporting: true, DeliveredEngaged: true, DeliveredSuppressed: true,
	}
}
