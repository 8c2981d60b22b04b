package engagement

import (
	"errors"
	"fmt"
	"time"

	"sendwatch/internal/windows"
)

const day = 24 * time.Hour

// forgetAfter is the margin: a recipient is forgotten when the period and these many days have passed since the last event.
const forgetAfter = 31

// Rules are the settings of the configuration's engagement section.
type Rules struct {
	Period       windows.Period // an interaction makes engaged for so long, an event makes known for so long
	NewFor       int            // days since the first event in which a recipient who is not engaged is new
	HonourWithin time.Duration  // how soon an unsubscribe or complaint has to be honoured
}

// DefaultRules are six calendar months, 30 days and 48 hours.
func DefaultRules() Rules {
	return Rules{Period: windows.Period{Months: 6}, NewFor: 30, HonourWithin: 48 * time.Hour}
}

// Validate reports every setting that cannot work, with what is allowed.
func (r Rules) Validate() error {
	var errs []error
	// A longest month has 31 days, a shortest 28: the bounds below hold for every start.
	days := int(r.Period.Duration / day)
	least, most := r.Period.Months*28+days, r.Period.Months*31+days
	if r.Period.Months < 0 || r.Period.Duration < 0 || r.Period.Duration%day != 0 || least < 1 || most > 20*366 {
		errs = append(errs, fmt.Errorf("engagement.period: found %s, allowed are months or whole days, 1 day to 20 years", r.Period))
	}
	if r.NewFor < 0 {
		errs = append(errs, fmt.Errorf("engagement.new_for: found %d days, allowed is 0 or more", r.NewFor))
	}
	// Who is new must be known too, or the counts by cohort would not add up.
	if len(errs) == 0 && r.NewFor > least {
		errs = append(errs, fmt.Errorf("engagement.new_for: found %d days, allowed is at most engagement.period (%d days)",
			r.NewFor, least))
	}
	if r.HonourWithin < 0 {
		errs = append(errs, fmt.Errorf("engagement.honour_within: found %s, allowed is 0s or more", r.HonourWithin))
	}
	return errors.Join(errs...)
}

// Bounds are the days against which records are compared on one day. They depend on nothing but the day, so callers keep
// them per day; every comparison is then one of integers, in a store's script too.
type Bounds struct {
	Day       Day // the day itself
	Engaged   Day // engaged: newest interaction on this day or later; known: newest event on this day or later
	New       Day // new: first event on this day or later
	Forgotten Day // a record whose newest event is older than this is forgotten: it counts as absent
	Remembers Day // a record whose first event is later than this had forgotten Day when it began
}

// At gives the bounds of the day.
func (r Rules) At(d Day) Bounds {
	return Bounds{
		Day:       d,
		Engaged:   r.before(d),
		New:       d - Day(r.NewFor),
		Forgotten: r.forgotten(d),
		Remembers: r.remembers(d),
	}
}

// before is the day one period before d.
func (r Rules) before(d Day) Day { return DayOf(r.Period.Before(d.Start())) }

func (r Rules) forgotten(d Day) Day { return r.before(d) - forgetAfter }

// remembers is the last day f with forgotten(f) <= d, the inverse of forgotten. Months have 28 to 31 days, so few steps
// lead from the estimate to it.
func (r Rules) remembers(d Day) Day {
	f := DayOf(r.Period.After((d + forgetAfter).Start()))
	for r.forgotten(f) > d {
		f--
	}
	for r.forgotten(f+1) <= d {
		f++
	}
	return f
}
