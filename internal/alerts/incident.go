package alerts

import "sendwatch/internal/windows"

// scope is what the alerts of one incident have in common (contract 5).
type scope struct {
	policy, rate string
	tenant       string // of subjects with a tenant
	subject      string // the subject key, of those without
}

// incident is a run of alerts of one scope of which at least one is open at any time. It is not stored by itself: every open
// alert carries its id.
type incident struct {
	id   string
	open int
}

func scopeOf(ref *Ref, s *subject) scope {
	sc := scope{policy: ref.Policy, rate: ref.Rate}
	for _, l := range s.labels {
		if l.Dimension == windows.Tenant {
			sc.tenant = l.Value
			return sc
		}
	}
	sc.subject = s.key
	return sc
}

// assignIncidents closes what resolved, then gives every alert that fired the incident of its scope: the one that is open, or
// a new one named after the first of them in order.
func (e *Evaluator) assignIncidents(found []transition) {
	for _, t := range found {
		if t.change == Resolved {
			e.leaveIncident(t.alert)
		}
	}
	for _, t := range found {
		if t.change == Fired {
			t.alert.status.Incident = e.joinIncident(t.alert, t.alert.status.ID)
		}
	}
}

// joinIncident adds an open alert to the incident of its scope, which it opens under the given id when there is none.
func (e *Evaluator) joinIncident(a *alert, id string) string {
	sc := scopeOf(&a.ref, a.subject)
	in := e.incidents[sc]
	if in == nil {
		in = &incident{id: id}
		e.incidents[sc] = in
	}
	in.open++
	return in.id
}

func (e *Evaluator) leaveIncident(a *alert) {
	sc := scopeOf(&a.ref, a.subject)
	in := e.incidents[sc]
	if in == nil {
		return
	}
	if in.open--; in.open <= 0 {
		delete(e.incidents, sc)
	}
}
