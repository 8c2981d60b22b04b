package alerts

import (
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"sendwatch/internal/windows"
)

// Saved is one alert as it is stored: all that an evaluator needs to go on with it.
type Saved struct {
	Ref     Ref    `json:"ref"`
	Subject string `json:"subject"`
	Status  Status `json:"status"`
	Lost    int64  `json:"lost,omitempty"` // of system alerts: up to where losses have been told
	Gone    string `json:"gone,omitempty"` // why no rule stands behind it, when that is not the configuration's doing
}

// Key names the one alert that can be open.
func (s *Saved) Key() string { return s.Ref.key(s.Subject) }

// Saved returns all alerts that there is something to remember of, by key. Together with the clock of the last evaluation it
// is the whole state beside the counts.
func (e *Evaluator) Saved() map[string]Saved {
	all := make(map[string]Saved, len(e.alerts))
	for key := range e.alerts {
		all[key] = *e.saved(key)
	}
	for k := range e.losses {
		ref := lossRef()
		if s := e.saved(ref.key(k.subject())); s != nil {
			all[s.Key()] = *s
		}
	}
	return all
}

// Changed returns the alerts whose stored form is out of date since the last call, by key: nil = to be removed.
func (e *Evaluator) Changed() map[string]*Saved {
	all := make(map[string]*Saved, len(e.changed))
	for key := range e.changed {
		all[key] = e.saved(key)
	}
	clear(e.changed)
	e.urgent = false
	return all
}

// Urgent tells whether what Changed would return has to be stored before anything else is done. Otherwise it can wait a moment:
// the stored peak of an alert is out of date.
func (e *Evaluator) Urgent() bool { return e.urgent }

func (e *Evaluator) saved(key string) *Saved {
	if a := e.alerts[key]; a != nil {
		s := Saved{Ref: a.ref, Subject: a.subject.key, Status: a.status}
		if a.ref.Policy == SystemPolicy {
			k, _ := parseLossSubject(a.subject.key)
			s.Lost = e.lossOf(k).told
		}
		if a.orphan {
			s.Gone = a.gone
		}
		return &s
	}
	for k, l := range e.losses {
		if ref := lossRef(); l.told > 0 && ref.key(k.subject()) == key {
			return &Saved{Ref: ref, Subject: k.subject(), Lost: l.told}
		}
	}
	return nil
}

// Restore gives a new evaluator the alerts that another one saved, and the clock of that one's last evaluation.
func (e *Evaluator) Restore(all []Saved, last time.Time) {
	e.last.Now = last
	e.judgeAll, e.nextDue = true, time.Time{}
	for i := range all {
		e.restore(&all[i])
	}
}

func (e *Evaluator) restore(s *Saved) {
	a := &alert{key: s.Key(), ref: s.Ref, gone: s.Gone, orphan: s.Gone != ""}
	if s.Ref.Policy == SystemPolicy {
		k, ok := parseLossSubject(s.Subject)
		if !ok {
			return
		}
		l := e.lossOf(k)
		l.told, l.now = s.Lost, s.Lost
		if s.Status.Phase == Idle {
			return
		}
		l.alert = a
		a.subject = &subject{key: s.Subject}
	} else if a.subject = e.subject(s.Subject); a.subject == nil || s.Status.Phase == Idle {
		return
	}
	a.status = s.Status
	e.alerts[a.key] = a
	a.subject.alerts = append(a.subject.alerts, a)
	e.bind(a)
	if a.status.Phase == Open {
		e.joinIncident(a, a.status.Incident)
	}
}

// Adopt takes over what the alert topic says of an episode that the state does not know as far: its newest record. The caller
// adopts before it evaluates, and only records with a seq above the highest that the state has of their episode.
//
// An episode that the state does not know goes on, or was closed by that record. When the state has another episode open for
// the same alert, which takes two faults at once, the one that began first goes on and the other one is closed at the next
// evaluation on fresh data.
func (e *Evaluator) Adopt(rec *Record) {
	if rec.EvaluatedAt.After(e.last.Now) {
		e.last.Now = rec.EvaluatedAt
	}
	ref := e.refOf(rec)
	key := ref.key(rec.SubjectKey)
	open := e.alerts[key]
	if open != nil && open.status.Phase == Pending {
		e.update(open, Status{})
		open = nil
	}
	mine := open != nil && open.status.ID == rec.ID
	if rec.Status == Closed {
		if mine {
			e.drop(open)
		}
		return
	}
	s := Saved{Ref: ref, Subject: rec.SubjectKey, Status: statusOf(rec)}
	switch {
	case mine:
		since := open.status.Since
		if open.status.LastBreach.After(s.Status.LastBreach) {
			s.Status.LastBreach = open.status.LastBreach
		}
		s.Status.Since = since
		e.drop(open)
	case open != nil && !rec.StartsAt.Before(open.status.StartsAt):
		orphan(&s, open.status.ID)
	case open != nil:
		other := *e.saved(key)
		e.drop(open)
		orphan(&other, rec.ID)
		e.restore(&other)
		e.outdated(other.Key())
	}
	if s.Ref.Policy == SystemPolicy {
		if k, ok := parseLossSubject(s.Subject); ok {
			s.Lost = e.lossOf(k).told
		}
	}
	e.restore(&s)
	e.outdated(s.Key())
	e.judgeAll = true
}

// orphan turns an episode into one that will be closed in favour of another one.
func orphan(s *Saved, other string) {
	s.Ref.LimitID += " superseded " + s.Status.ID
	s.Gone = "the alert goes on as episode " + other
}

// drop forgets an alert without telling.
func (e *Evaluator) drop(a *alert) {
	if a.status.Phase == Open {
		e.leaveIncident(a)
	}
	if k, ok := parseLossSubject(a.subject.key); ok && a.ref.Policy == SystemPolicy {
		e.lossOf(k).alert = nil
	}
	e.update(a, Status{})
}

// statusOf is the status of an open alert as far as its newest record tells.
func statusOf(rec *Record) Status {
	at := rec.EvaluatedAt
	return Status{
		Phase: Open, InBreach: true, Since: rec.StartsAt, LastBreach: at,
		ID: rec.ID, Incident: rec.Incident, Seq: rec.Seq, Severity: rec.Severity, StartsAt: rec.StartsAt, LastRecord: at,
		AtFire: rec.AtFire.Reading(), Peak: rec.Peak.Reading(),
	}
}

// refOf finds which limit a record is about: the one that gives its id, else one made from the record, which no rule stands
// behind.
func (e *Evaluator) refOf(rec *Record) Ref {
	if rec.Policy == SystemPolicy {
		return lossRef()
	}
	for _, key := range slices.Sorted(maps.Keys(e.byKey)) {
		ref := e.byKey[key].ref
		if ref.Policy == rec.Policy && ref.Window.Name == rec.Window && ref.episodeID(rec.SubjectKey, rec.StartsAt) == rec.ID {
			return ref
		}
	}
	ref := Ref{
		Policy: rec.Policy, LimitID: "of episode " + rec.ID, LimitName: rec.LimitName, Rate: rec.Rate, Definition: rec.Definition,
		Window: windows.Window{Name: rec.Window}, Below: ratioOf(rec.Limit),
	}
	for _, r := range e.rules {
		if r.ref.Window.Name == rec.Window {
			ref.Window = r.ref.Window
		}
	}
	ref.Formula.Rate, _ = windows.ParseRate(rec.Rate)
	return ref
}

// ratioOf is the share that a record's limit was written from.
func ratioOf(limit float64) windows.Ratio {
	r, err := windows.ParseRatio(formatShare(limit))
	if err != nil {
		return windows.Ratio{A: 0, B: 1}
	}
	return r
}

// PartitionOf says which of n evaluation partitions a subject belongs to: by its tenant, so that an incident is one
// partition's affair, or by its key when it has none. System alerts belong to partition 0.
func PartitionOf(subjectKey string, n int) int {
	if n <= 1 {
		return 0
	}
	labels, ok := windows.ParseSubject(subjectKey)
	if !ok {
		return 0
	}
	by := subjectKey
	for _, l := range labels {
		if l.Dimension == windows.Tenant {
			by = "tenant=" + l.Value
		}
	}
	h := fnv.New64a()
	h.Write([]byte(by))
	return int(h.Sum64() % uint64(n))
}
