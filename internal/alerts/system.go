package alerts

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/windows"
)

// SystemPolicy is the policy of alerts that are about sendwatch itself, in the same form as all others: records that were lost
// before they could be read (contract 11.4). One alert per input partition:
//
//	"policy":"system","rate":"lost_records","window":"all","limit":0,
//	"subject":{"topic":"mail.events","partition":"3"},"subject_key":"topic=mail.events,partition=3"
//
// Numerator, denominator and exposure are the records lost in the episode, so ratio and judged are 1. It is critical, fires
// when the count of lost records grows, tells every further loss at once as a reminder, and resolves a day after the last one.
const SystemPolicy = "system"

const (
	lostRecords = "lost_records"
	keepLoss    = 24 * time.Hour // since a hole was last found
	remindLoss  = 24 * time.Hour
)

// Loss is how many records of an input partition were lost before they could be read, over the life of the state.
type Loss struct {
	Topic     string
	Partition int
	Records   int64
}

type lossKey struct {
	topic     string
	partition int
}

// loss is what is known of one partition's lost records.
type loss struct {
	now   int64 // as SetLosses said last
	told  int64 // up to where alerts have been raised
	alert *alert
}

// SetLosses says what has been lost so far; partitions left out are as they were. The next evaluation tells what is new.
func (e *Evaluator) SetLosses(all []Loss) {
	for _, l := range all {
		e.lossOf(lossKey{l.Topic, l.Partition}).now = l.Records
	}
}

func (e *Evaluator) lossOf(k lossKey) *loss {
	l := e.losses[k]
	if l == nil {
		l = &loss{}
		e.losses[k] = l
	}
	return l
}

func lossRef() Ref {
	return Ref{
		Policy: SystemPolicy, LimitID: lostRecords, Rate: lostRecords, Below: windows.Ratio{A: 0, B: 1}, Window: windows.Window{Name: "all"},
		Definition: "numerator: records of this partition that were gone from the topic before they could be read (retention, truncation); " +
			"denominator: the same records; counted over the episode",
	}
}

func (k lossKey) subject() string {
	return "topic=" + k.topic + ",partition=" + strconv.Itoa(k.partition)
}

// parseLossSubject reads what subject writes. Names of topics hold neither commas nor equal signs.
func parseLossSubject(key string) (lossKey, bool) {
	topic, partition, ok := strings.Cut(strings.TrimPrefix(key, "topic="), ",partition=")
	n, err := strconv.Atoi(partition)
	return lossKey{topic, n}, ok && err == nil && strings.HasPrefix(key, "topic=")
}

func lossSubject(key string) Pairs {
	k, _ := parseLossSubject(key)
	return Pairs{{"topic", k.topic}, {"partition", strconv.Itoa(k.partition)}}
}

// judgeLosses raises, goes on with and closes the alerts on lost records.
func (e *Evaluator) judgeLosses(found []transition, t judged) []transition {
	if len(e.losses) == 0 {
		return found
	}
	keys := make([]lossKey, 0, len(e.losses))
	for k := range e.losses {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b lossKey) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	for _, k := range keys {
		found = e.judgeLoss(found, k, e.losses[k], t)
	}
	return found
}

func (e *Evaluator) judgeLoss(found []transition, k lossKey, l *loss, t judged) []transition {
	more := l.now - l.told
	if more < 0 { // the state went back to older data: what is lost will be found again
		more = 0
	}
	if l.told != l.now {
		l.told = l.now
		ref := lossRef()
		e.outdated(ref.key(k.subject()))
	}
	now := t.m.Now
	a := l.alert
	if a == nil {
		if more == 0 {
			return found
		}
		a = newLossAlert(k)
		l.alert = a
	}
	next, change := stepLoss(a, more, t.m)
	if change == Unchanged {
		return found
	}
	reading := next.Peak
	if change == Resolved {
		reading = windows.Reading{From: next.LastBreach, To: now}
		l.alert = nil
	}
	e.update(a, next)
	return append(found, transition{a, change, reading, t})
}

func newLossAlert(k lossKey) *alert {
	ref := lossRef()
	return &alert{key: ref.key(k.subject()), ref: ref, subject: &subject{key: k.subject()}}
}

// stepLoss is the state machine of these alerts: they have no rate to judge, only more records lost, or not.
func stepLoss(a *alert, more int64, m Moment) (Status, Change) {
	next := a.status
	if more > 0 {
		next.InBreach, next.LastBreach = true, m.Now
		next.Peak.Numerator += more
		next.Peak.Denominator, next.Peak.Exposure, next.Peak.To = next.Peak.Numerator, next.Peak.Numerator, m.Now
	} else {
		next.InBreach = false
	}
	switch {
	case next.Phase == Idle:
		next.Phase, next.Severity, next.Since, next.StartsAt = Open, Critical, m.Now, m.Now
		next.Peak.From = m.Now
		next.AtFire = next.Peak
		next.ID = a.ref.episodeID(a.subject.key, m.Now)
		return told(next, m.Now), Fired
	case more == 0 && m.Fresh && m.Now.Sub(next.LastBreach) >= keepLoss:
		next.Phase = Idle
		return told(next, m.Now), Resolved
	case more > 0 || m.Now.Sub(next.LastRecord) >= remindLoss:
		return told(next, m.Now), Reminder
	}
	return next, Unchanged
}

func describeLoss(rec *Record) {
	k, _ := parseLossSubject(rec.SubjectKey)
	lost := rec.Peak.Numerator
	summary := fmt.Sprintf("%s records of %s partition %d were lost before they could be read", group(lost), k.topic, k.partition)
	description := "The topic no longer had them when they were due: its retention or a truncation overtook the reading, so counts and rates of " +
		"their time are too low. Keep more history in the topic, or find out why reading fell behind; audit of another copy of the log can say what is missing."
	if rec.Change == Resolved {
		summary = "Resolved: no more records of " + k.topic + " partition " + strconv.Itoa(k.partition) + " were lost for " + strconv.Itoa(int(keepLoss.Hours())) + " hours"
		description = fmt.Sprintf("%s records were lost since %s; they stay missing from the counts of their time.", group(lost), clock(rec.StartsAt))
	}
	rec.Annotations = Pairs{{"summary", summary}, {"description", description}}
}
