package windows

import (
	"fmt"
	"strings"
	"time"
)

// allBounces are the classes of every denominator of bounces.
const allBounces = "hard, soft, block, undetermined"

// Fraction says in words what is divided by what: "complained ÷ delivered".
func (f Formula) Fraction() string {
	switch f.Rate {
	case Bounce:
		return fmt.Sprintf("bounced (%s) ÷ (delivered + bounced (%s) − bounced_async)", f.Classes, allBounces)
	case Complaint:
		if f.OverReporting {
			return "complained ÷ delivered at mailbox providers that send complaint reports"
		}
		return "complained ÷ delivered"
	case Unsubscribe:
		return "unsubscribed ÷ delivered"
	case Suppressed:
		return "delivered_suppressed ÷ delivered"
	case Engaged:
		return "delivered_engaged ÷ delivered"
	}
	panic("windows: unknown rate")
}

// Definition says how a rate is computed, so that a reader can compute it again: numerator and denominator, the window and
// its buckets, the basis of time, and what the numerator is judged on.
func (f Formula) Definition(w Window, ret Retention, judgeWindow bool) string {
	n := bucketsIn(w.Length, w.Step)
	over := fmt.Sprintf("the %d UTC buckets of %s up to the one that as_of lies in", n, w.Step)
	if n == 1 {
		over = fmt.Sprintf("the UTC bucket of %s that as_of lies in", w.Step)
	}
	text := fmt.Sprintf("%s = %s, by the events' own time, over %s (%s).", f.Rate, f.Fraction(), over, w.Name)
	spans := w.Exposure(ret)
	if judgeWindow || !f.Rate.Delayed() || len(spans) == 0 {
		return text + " Judged on the denominator of the window itself."
	}
	shares := make([]string, len(spans))
	for i, x := range spans {
		m := x.M
		if f.Rate == Bounce {
			m *= 2
		}
		shares[i] = fmt.Sprintf("%s (%s) × %d/%d", spanText(x.Length, x.Step), x.Step, x.N, m)
	}
	return text + " Judged on the exposure: the largest of the denominator and, rounded down, the same denominator over " +
		strings.Join(shares, ", ") + "; spans whose buckets are no longer kept are left out."
}

// spanText writes a length as the tables of exposure do: days in day buckets, else hours, else minutes.
func spanText(length time.Duration, s Step) string {
	switch {
	case s == Day && length%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", length/(24*time.Hour))
	case length%time.Hour == 0:
		return fmt.Sprintf("%dh", length/time.Hour)
	}
	return FormatDuration(length)
}
