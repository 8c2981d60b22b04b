package audit

import "time"

// Until moves the clock on to t when nothing happens any more, and judges every moment up to there, as an event of that time
// would: alerts that wait for time alone then go on. A time that the clock has passed changes nothing. Without events before it
// there is no clock.
func (a *Audit) Until(t time.Time) {
	if second := t.Unix(); a.started && second > a.second {
		a.advance(second)
	}
}
