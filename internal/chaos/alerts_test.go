package chaos

import (
	"strings"
	"testing"
	"time"

	"sendwatch/internal/alerts"
)

// The checks of the alert topic have to find each way in which a promise can be broken.
func TestAlertChecksFind(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }
	record := func(id string, seq int64, change alerts.Change, from, to int) alerts.Record {
		r := alerts.Record{ID: id, Seq: seq, Change: change, Policy: "p", Rate: "bounce", Window: "1h", SubjectKey: "all", StartsAt: at(from)}
		if change == alerts.Resolved {
			ends := at(to)
			r.EndsAt = &ends
		}
		return r
	}
	a1, a2, a3 := record("a", 1, alerts.Fired, 0, 0), record("a", 2, alerts.Escalated, 0, 0), record("a", 3, alerts.Resolved, 0, 10)
	for name, c := range map[string]struct {
		published []alerts.Record
		finds     string
	}{
		"all well":           {[]alerts.Record{a1, a2, a3, record("b", 1, alerts.Fired, 20, 0)}, ""},
		"published again":    {[]alerts.Record{a1, a2, a1, a2, a3, a3}, ""},
		"a hole":             {[]alerts.Record{a1, a3}, "where 2 is due"},
		"the first is lost":  {[]alerts.Record{a2}, "where 1 is due"},
		"out of order":       {[]alerts.Record{a2, a1}, "where 1 is due"},
		"another change":     {[]alerts.Record{a1, a2, record("a", 2, alerts.Reminder, 0, 0)}, "the second"},
		"goes on after all":  {[]alerts.Record{a1, record("a", 2, alerts.Resolved, 0, 5), record("a", 3, alerts.Reminder, 0, 0)}, "as record 2 of 3"},
		"fired twice":        {[]alerts.Record{a1, record("b", 1, alerts.Fired, 5, 0)}, "went on"},
		"overlap of the end": {[]alerts.Record{a1, a2, a3, record("b", 1, alerts.Fired, 9, 0)}, "went on"},
	} {
		check := &alertCheck{}
		check.apart(check.inOrder(c.published))
		found := strings.Join(check.findings, "\n")
		if (found == "") != (c.finds == "") || !strings.Contains(found, c.finds) {
			t.Errorf("%s: found %q, expected %q", name, found, c.finds)
		}
	}
}

// Where clocks were stepped only the order of the records tells whether one alert is open twice.
func TestOrderOfEpisodes(t *testing.T) {
	record := func(id string, seq int64, change alerts.Change) alerts.Record {
		return alerts.Record{ID: id, Seq: seq, Change: change, Policy: "p", Rate: "bounce", Window: "1h", SubjectKey: "all"}
	}
	a1, a2, b1 := record("a", 1, alerts.Fired), record("a", 2, alerts.Resolved), record("b", 1, alerts.Fired)
	for name, c := range map[string]struct {
		published []alerts.Record
		finds     bool
	}{"one after the other": {[]alerts.Record{a1, a2, a1, a2, b1}, false}, "both at once": {[]alerts.Record{a1, b1, a2}, true}} {
		check := &alertCheck{}
		check.inTurn(c.published)
		if len(check.findings) > 0 != c.finds {
			t.Errorf("%s: found %q", name, check.findings)
		}
	}
}
