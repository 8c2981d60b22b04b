package config

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"sendwatch/internal/event"
	"sendwatch/internal/policytest"
	"sendwatch/internal/windows"
)

// steps reads the events of a test.
func (v value) steps(start time.Time) []policytest.Step {
	v.allowed = "a list of {at: AFTER, every: DURATION, count: NUMBER, type: TYPE, tenant: NAME, …}"
	var list []policytest.Step
	total := 0
	v.list(func(_ int, e value) {
		s := e.step(start)
		total += s.Count
		list = append(list, s)
	})
	if total > maxTestEvents {
		v.wrong(strconv.Itoa(total) + " events, of which a test may have " + strconv.Itoa(maxTestEvents))
	}
	return list
}

// stepKeys are the keys of a step, in the order of the reference.
func stepKeys() []string {
	return []string{"at", "every", "count", "over", "type", "tenant", "ip", "pool", "domain", "campaign", "stream", "provider", "recipient", "id",
		"message_id", "class", "category", "code", "async", "kind", "method", "double", "machine"}
}

func (v value) step(start time.Time) policytest.Step {
	s := policytest.Step{Count: 1}
	e := &s.Event
	before := len(v.r.problems)
	var over time.Duration
	given := map[string]value{}
	read := map[string]func(value){
		"at":    func(v value) { v.allowed = "when after the start, such as 15m, or a time"; s.At = v.after(start) },
		"every": func(v value) { v.allowed = durationAllowed; s.Every, _ = v.duration(0, century) },
		"over":  func(v value) { v.allowed = durationAllowed; over, _ = v.duration(0, century) },
		"count": func(v value) {
			v.allowed = "a number of events from 1 to " + strconv.Itoa(maxTestEvents)
			s.Count, _ = v.integer(1, maxTestEvents)
		},
		"type":   enum(&e.Type, event.ParseType, "delivery, bounce, complaint, unsubscribe, open, click, reply, optin, send, deferral or drop"),
		"class":  enum(&e.BounceClass, event.ParseBounceClass, "hard, soft, block, admin or undetermined"),
		"kind":   enum(&e.ComplaintKind, event.ParseComplaintKind, "abuse, fraud, virus, other, not-spam or auth-failure"),
		"method": enum(&e.UnsubscribeMethod, event.ParseUnsubscribeMethod, "one-click, link, mailto or manual"),
		"async":  truth(&e.BounceAsync), "double": truth(&e.OptInDouble), "machine": truth(&e.Machine),
	}
	for key, to := range map[string]*string{
		"tenant": &e.Tenant, "ip": &e.IP, "pool": &e.Pool, "domain": &e.Domain, "campaign": &e.Campaign, "stream": &e.Stream, "provider": &e.Provider,
		"recipient": &e.Recipient, "id": &e.ID, "message_id": &e.MessageID, "category": &e.BounceCategory, "code": &e.BounceCode,
	} {
		read[key] = func(v value) { v.allowed = anyText + "; {n} in it is the number of the event"; *to, _ = v.onePath() }
	}
	for key, f := range read {
		read[key] = func(v value) { given[key] = v; f(v) }
	}
	if !v.mapping(read, stepKeys()) || len(v.r.problems) > before {
		return s
	}
	v.pace(&s, over, given)
	v.fits(&s, given)
	return s
}

// pace finds what is missing of every, count and over, of which two say the third.
func (v value) pace(s *policytest.Step, over time.Duration, given map[string]value) {
	_, every := given["every"]
	_, count := given["count"]
	_, spread := given["over"]
	switch {
	case every && count && spread:
		v.allowed = "two of every, count and over, of which the third follows"
		v.wrong("given all three of them")
	case spread && count:
		s.Every = over / time.Duration(s.Count)
	case spread && every && s.Every > 0:
		if n := over / s.Every; n >= 1 && n <= maxTestEvents {
			s.Count = int(n)
			return
		}
		v.allowed = "from 1 to " + strconv.Itoa(maxTestEvents) + " events"
		v.wrong("every " + s.Every.String() + " over " + over.String())
	case spread || every && !count:
		v.allowed = "two of every, count and over, of which the third follows"
		v.wrong("without count")
	}
}

// fits checks what a step's keys say together.
func (v value) fits(s *policytest.Step, given map[string]value) {
	if _, ok := given["type"]; !ok {
		v.allowed = "type, and what belongs to it"
		v.wrong("without type")
		return
	}
	typ := s.Event.Type
	for key, types := range map[string][]event.Type{
		"class": {event.Bounce}, "category": {event.Bounce}, "code": {event.Bounce}, "async": {event.Bounce}, "kind": {event.Complaint},
		"method": {event.Unsubscribe}, "double": {event.OptIn}, "machine": {event.Open, event.Click, event.Reply},
	} {
		if one, ok := given[key]; ok && !slices.Contains(types, typ) {
			one.allowed = "on events of the type"
			for i, t := range types {
				if one.allowed += " "; i > 0 {
					one.allowed += "or "
				}
				one.allowed += t.String()
			}
			one.wrong("given for " + typ.String())
		}
	}
	e := &s.Event
	if one, ok := given["recipient"]; ok {
		if e.Recipient = event.Address(e.Recipient); e.Recipient == "" {
			one.allowed = "a mailbox, such as ann{n}@example.com"
			one.wrong("none")
		}
	}
	if one, ok := given["ip"]; ok && !strings.Contains(e.IP, "{n}") {
		if ip := event.IP(e.IP); ip != "" {
			e.IP = ip
		} else {
			one.allowed = "an IP address"
			one.wrong(strconv.Quote(e.IP))
		}
	}
	e.Domain = event.Domain(e.Domain)
	if rejection := e.Check(time.Time{}, 0); rejection != nil {
		v.allowed = "what an event may have"
		v.wrong("an event with " + rejection.Detail)
	}
}

// enum reads a name of an enumeration.
func enum[T any](to *T, parse func(string) (T, bool), allowed string) func(value) {
	return func(v value) {
		v.allowed = allowed
		s, ok := v.scalar()
		if !ok {
			return
		}
		if *to, ok = parse(s); !ok {
			v.wrong(strconv.Quote(s))
		}
	}
}

func truth(to *bool) func(value) {
	return func(v value) { v.allowed = trueFalse; *to, _ = v.boolean() }
}

// asked reads one of the texts that expectations and filters ask for, and refuses what no record could ever have.
func (v value) asked(field string, s *policytest.Suite) string {
	text, ok := v.onePath()
	if !ok {
		return ""
	}
	good := true
	switch field {
	case "subject":
		v.allowed = "the key of a subject that is counted, such as tenant=acme, or all"
		good = counted(text, s.Subjects)
	default:
		known := s.Known(field)
		v.allowed = strings.Join(known, ", ")
		good = slices.Contains(known, text)
	}
	if !good {
		v.wrong(strconv.Quote(text))
	}
	return text
}

// counted tells whether a subject key is of one of the combinations, in their order.
func counted(key string, combinations []windows.Combination) bool {
	labels, ok := windows.ParseSubject(key)
	return ok && slices.ContainsFunc(combinations, func(c windows.Combination) bool {
		return slices.EqualFunc(c, labels, func(d windows.Dimension, l windows.Label) bool { return d == l.Dimension })
	})
}

// filter reads which records a test looks at.
func (v value) filter(s *policytest.Suite) policytest.Filter {
	var f policytest.Filter
	read := map[string]func(value){}
	names := policytest.FieldNames()
	for i, to := range []*[]string{&f.Change, &f.Severity, &f.Policy, &f.Limit, &f.Rate, &f.Window, &f.Subject} {
		read[names[i]] = func(v value) {
			v.allowed = "a value, or a list of them"
			if v.node.Kind != yaml.SequenceNode {
				*to = []string{v.asked(names[i], s)}
				return
			}
			*to = []string{}
			v.list(func(_ int, e value) { *to = append(*to, e.asked(names[i], s)) })
		}
	}
	v.allowed = "a mapping with the keys " + strings.Join(names[:], ", ")
	v.mapping(read, names[:])
	return f
}

// expectation reads an alert record that has to come.
func (v value) expectation(s *policytest.Suite, start time.Time) policytest.Expectation {
	x := policytest.Expectation{Line: v.node.Line, Change: "fired"}
	names := policytest.FieldNames()
	read := map[string]func(value){"at": func(v value) { x.At = v.span(start) }}
	for i, to := range []*string{&x.Change, &x.Severity, &x.Policy, &x.Limit, &x.Rate, &x.Window, &x.Subject} {
		read[names[i]] = func(v value) { *to = v.asked(names[i], s) }
	}
	v.mapping(read, append([]string{"at"}, names[:]...))
	return x
}
