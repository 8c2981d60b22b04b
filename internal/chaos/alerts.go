package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/alerts"
	"sendwatch/internal/alerts/redisstate"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
)

// alertCheck is what was found of the alerts.
type alertCheck struct {
	episodes, transitions, again int
	findings                     []string
}

func (c *alertCheck) find(format string, args ...any) {
	if len(c.findings) < 40 {
		c.findings = append(c.findings, fmt.Sprintf(format, args...))
	}
}

// checkAlerts waits until what is open is what the truth says, and nothing waits to be published; then it holds the alert topic
// against the promises: every record of the state is in it, the records of an episode come in order of seq without a hole, and
// no two episodes of the same alert overlap.
//
// Alerts go on being resolved meanwhile, as windows leave what was counted behind. So a state and a topic that were read one after the
// other may differ by what happened between; a record that was lost stays lost, however often they are read.
func (r *round) checkAlerts(ctx context.Context, counts *memstore.Store) (*alertCheck, error) {
	open := until(ctx, 90*time.Second, "open alerts are those in breach", func() string { return r.openAsTruth(ctx, counts) })
	var c *alertCheck
	err := until(ctx, 30*time.Second, "alert state and topic", func() string {
		c = &alertCheck{}
		err := r.compareAlerts(ctx, c)
		switch {
		case err != nil:
			return err.Error()
		case len(c.findings) > 0:
			return fmt.Sprintf("%d findings", len(c.findings))
		}
		return ""
	})
	if open != nil {
		c.find("%v", open)
	}
	if err != nil && len(c.findings) == 0 {
		return nil, err
	}
	return c, nil
}

// compareAlerts looks once.
func (r *round) compareAlerts(ctx context.Context, c *alertCheck) error {
	n, err := r.episodes.Partition(0).Waiting(ctx)
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("%d records wait to be published", n)
	}
	published, err := r.readAlerts(ctx)
	if err != nil {
		return err
	}
	byID := c.inOrder(published)
	if err := r.stateInTopic(ctx, c, byID); err != nil {
		return err
	}
	if r.stepped {
		c.inTurn(published)
	} else {
		c.apart(byID)
	}
	return nil
}

// readAlerts reads the alert topic, its partitions one after the other.
func (r *round) readAlerts(ctx context.Context) ([]alerts.Record, error) {
	topics, err := r.client.Topics(ctx, r.names.alerts())
	if err != nil || len(topics) != 1 {
		return nil, fmt.Errorf("alert topic: %v, %w", topics, err)
	}
	var all []alerts.Record
	for id := range topics[0].Partitions {
		var bad error
		if _, err := r.client.Read(ctx, r.names.alerts(), id, 0, func(_ int64, value []byte) error {
			record, err := alerts.Decode(value)
			bad = err
			all = append(all, record)
			return err
		}); err != nil || bad != nil {
			return nil, fmt.Errorf("alert topic: %w", err)
		}
	}
	return all, nil
}

// inOrder checks the first publications of each episode and returns them.
func (c *alertCheck) inOrder(published []alerts.Record) map[string][]alerts.Record {
	byID := map[string][]alerts.Record{}
	for _, record := range published {
		have := byID[record.ID]
		switch due := int64(len(have) + 1); {
		case record.Seq == due:
			byID[record.ID] = append(have, record)
			c.transitions++
		case record.Seq > due:
			c.find("%s of %s: published where %d is due", record.Token(), record.SubjectKey, due)
		default:
			c.again++
			if first := have[record.Seq-1]; first.Change != record.Change {
				c.find("%s of %s: %s the first time, %s the second", record.Token(), record.SubjectKey, first.Change, record.Change)
			}
		}
	}
	c.episodes = len(byID)
	for id, records := range byID {
		for i, record := range records {
			if (record.Change == alerts.Fired) != (i == 0) || record.Change == alerts.Resolved && i != len(records)-1 {
				c.find("%s of %s: %s as record %d of %d", id, record.SubjectKey, record.Change, i+1, len(records))
			}
		}
	}
	return byID
}

// stateInTopic looks for every record that the state has, and for episodes that the state does not know.
func (r *round) stateInTopic(ctx context.Context, c *alertCheck, byID map[string][]alerts.Record) error {
	newest := map[string]int64{}
	for cursor := ""; ; {
		list, next, err := r.episodes.List(ctx, redisstate.Query{Limit: 500, Cursor: cursor})
		if err != nil {
			return err
		}
		for _, record := range list {
			newest[record.ID] = record.Seq
			if have := int64(len(byID[record.ID])); have != record.Seq {
				c.find("%s of %s %s: the state is at record %d (%s), the topic at %d", record.ID, record.SubjectKey, record.Window, record.Seq, record.Change, have)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	for id, records := range byID {
		if newest[id] == 0 {
			c.find("%s of %s %s: in the topic with %d records, unknown to the state", id, records[0].SubjectKey, records[0].Window, len(records))
		}
	}
	return nil
}

// apart checks that the episodes of one alert do not overlap: none begins before the one before it has ended.
func (c *alertCheck) apart(byID map[string][]alerts.Record) {
	type episode struct {
		id         string
		began, end time.Time // end is zero while open
	}
	byKey := map[string][]episode{}
	for id, records := range byID {
		first, last := records[0], records[len(records)-1]
		e := episode{id: id, began: first.StartsAt}
		if last.EndsAt != nil {
			e.end = *last.EndsAt
		}
		key := strings.Join([]string{first.Policy, first.LimitName, first.Rate, first.Window, first.SubjectKey}, " ")
		byKey[key] = append(byKey[key], e)
	}
	for key, list := range byKey {
		slices.SortFunc(list, func(a, b episode) int { return a.began.Compare(b.began) })
		for i := 1; i < len(list); i++ {
			if before := list[i-1]; before.end.IsZero() || before.end.After(list[i].began) {
				c.find("%s: episode %s began at %s while %s went on (to %s)", key, list[i].id, list[i].began.Format(time.TimeOnly), before.id, before.end.Format(time.TimeOnly))
			}
		}
	}
}

// inTurn checks the same by the order of the records in the topic, for a round in which times say little: clocks were stepped.
func (c *alertCheck) inTurn(published []alerts.Record) {
	open, seen := map[string]string{}, map[string]bool{}
	for _, record := range published {
		if seen[record.Token()] {
			continue
		}
		seen[record.Token()] = true
		key := strings.Join([]string{record.Policy, record.LimitName, record.Rate, record.Window, record.SubjectKey}, " ")
		switch record.Change {
		case alerts.Fired:
			if before := open[key]; before != "" {
				c.find("%s: episode %s began while %s went on", key, record.ID, before)
			}
			open[key] = record.ID
		case alerts.Resolved:
			delete(open, key)
		}
	}
}

// openAsTruth compares the open alerts with the breaches that the true counts have now: "" when they are the same.
func (r *round) openAsTruth(ctx context.Context, counts *memstore.Store) string {
	open := map[string]bool{}
	list, err := r.episodes.Partition(0).Load(ctx)
	if err != nil {
		return err.Error()
	}
	for _, a := range list.Alerts {
		if a.Status.Phase == alerts.Open && a.Ref.Policy != alerts.SystemPolicy {
			open[strings.Join([]string{a.Ref.Policy, a.Ref.Rate, a.Ref.Window.Name, a.Subject}, " ")] = true
		}
	}
	must, may := breaches(counts, time.Now().UTC())
	var wrong []string
	for _, key := range slices.Sorted(maps.Keys(must)) {
		if !open[key] {
			wrong = append(wrong, "not open: "+key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(open)) {
		if !may[key] {
			wrong = append(wrong, "open without a breach: "+key)
		}
	}
	if len(wrong) > 12 {
		wrong = append(wrong[:12], fmt.Sprintf("and %d more", len(wrong)-12))
	}
	return strings.Join(wrong, "; ")
}

// breaches judges every subject of the truth: which alerts have to be open at a time, and which may be.
func breaches(counts *memstore.Store, at time.Time) (must, may map[string]bool) {
	set := rules()
	must, may = map[string]bool{}, map[string]bool{}
	kept := windows.DefaultRetention(400).At(at)
	for _, sub := range counts.Subjects() {
		labels, _ := windows.ParseSubject(sub.Key)
		for _, rule := range set.Rules() {
			if !rule.Applies(labels) {
				continue
			}
			reading, err := windows.Read(sub.Series(), rule.Formula, rule.Window, at, kept, rule.JudgeWindow)
			if err != nil {
				continue
			}
			j := rule.Judge(reading)
			if j.Verdict != policy.Breach {
				continue
			}
			key := strings.Join([]string{rule.Policy, rule.Formula.Rate.String(), rule.Window.Name, sub.Key}, " ")
			may[key] = true
			if rule.Fire == policy.Crossing || j.Certain {
				must[key] = true
			}
		}
	}
	return must, may
}
