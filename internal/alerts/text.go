package alerts

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/windows"
)

// record writes a transition down.
func (e *Evaluator) record(t *transition) Record {
	a := t.alert
	st := &a.status
	rec := Record{
		ID: st.ID, Seq: st.Seq, Incident: st.Incident, Change: t.change, Severity: st.Severity,
		Policy: a.ref.Policy, LimitName: a.ref.LimitName, Rate: a.ref.Rate, Window: a.ref.Window.Name, Limit: a.ref.Below.Float(),
		Subject: pairsOf(a.subject.labels), SubjectKey: a.subject.key,
		Observed: t.reading.Figures(), AtFire: st.AtFire.Figures(), Peak: st.Peak.Figures(),
		StartsAt: st.StartsAt.UTC(), EvaluatedAt: t.bounds.m.Now.UTC(), Definition: a.ref.Definition,
		Causes: []Cause{},
	}
	if t.change == Resolved {
		rec.Status = Closed
		end := rec.EvaluatedAt
		rec.EndsAt = &end
	}
	if a.ref.Policy == SystemPolicy {
		rec.Subject = lossSubject(a.subject.key)
		describeLoss(&rec)
	} else {
		rec.Causes = e.causes(a.subject, &a.ref, t.reading, t.bounds)
		describe(&rec, a, t.reading)
	}
	rec.Labels = labelsOf(&rec)
	return rec
}

func pairsOf(labels windows.Labels) Pairs {
	p := make(Pairs, len(labels))
	for i, l := range labels {
		p[i] = Pair{l.Dimension.String(), l.Value}
	}
	return p
}

// labelsOf are what Alertmanager groups and routes by.
func labelsOf(r *Record) Pairs {
	p := Pairs{{"alertname", alertName(r)}, {"severity", r.Severity.String()}}
	p = append(p, r.Subject...)
	p = append(p, Pair{"rate", r.Rate}, Pair{"window", r.Window}, Pair{"policy", r.Policy})
	if r.LimitName != "" {
		p = append(p, Pair{"limit_name", r.LimitName})
	}
	return p
}

func alertName(r *Record) string {
	if r.Policy == SystemPolicy {
		return "RecordsLost"
	}
	return strings.ToUpper(r.Rate[:1]) + r.Rate[1:] + "RateAboveLimit"
}

// rateWords are what a rate counts and what it is held against, in words.
func rateWords(rate string) (counted, against string) {
	switch rate {
	case windows.Bounce.String():
		return "bounces", "mails attempted"
	case windows.Complaint.String():
		return "complaints", "mails delivered"
	case windows.Unsubscribe.String():
		return "unsubscribes", "mails delivered"
	case windows.Suppressed.String():
		return "deliveries to people who had left or complained", "mails delivered"
	}
	return rate, "mails delivered"
}

// describe writes the annotations: what a person needs to know before opening anything.
func describe(rec *Record, a *alert, reading windows.Reading) {
	counted, against := rateWords(rec.Rate)
	who := "all mail"
	if rec.SubjectKey != windows.All {
		who = strings.ReplaceAll(rec.SubjectKey, ",", ", ")
	}
	judgedText := "has no data"
	if x, ok := reading.Judged(); ok {
		judgedText = "is " + percent(x)
	}
	limit, wants := "below "+percent(rec.Limit), "it below "+percent(rec.Limit)
	if rec.Limit == 0 {
		limit, wants = "none at all", "none at all"
	}
	title := strings.ToUpper(rec.Rate[:1]) + rec.Rate[1:]
	summary := fmt.Sprintf("%s rate of %s over %s %s; the limit is %s", title, who, rec.Window, judgedText, limit)
	if rec.Change == Resolved {
		summary = "Resolved: " + lowerFirst(summary)
	}

	var d strings.Builder
	fmt.Fprintf(&d, "%s %s against %s %s", group(reading.Numerator), counted, group(reading.Denominator), against)
	fmt.Fprintf(&d, " in the %s window %s to %s", rec.Window, clock(reading.From), clock(reading.To))
	if reading.Exposure > reading.Denominator {
		fmt.Fprintf(&d, ", judged on an exposure of %s", group(reading.Exposure))
	}
	if x, ok := reading.Judged(); ok {
		fmt.Fprintf(&d, ": %s", percent(x))
		if rec.Observed.Lower != nil && rec.Observed.Upper != nil {
			fmt.Fprintf(&d, " (bounds %s to %s)", percent(*rec.Observed.Lower), percent(*rec.Observed.Upper))
		}
	}
	fmt.Fprintf(&d, "; policy %s wants %s.", limitText(rec), wants)
	if c, ok := mainCause(rec.Causes, reading); ok && rec.Change != Resolved {
		fmt.Fprintf(&d, " Main cause: %s %s with %s of them (%s) on %s mails.", c.Dimension, c.Value, group(c.Numerator), percent(c.Share), group(c.Denominator))
	}
	if i := indexClass(rec.Causes); i >= 0 && rec.Change != Resolved {
		fmt.Fprintf(&d, " Most are of class %s (%s).", rec.Causes[i].Value, percent(rec.Causes[i].Share))
	}
	st := &a.status
	switch {
	case rec.Change != Resolved && st.InBreach:
		fmt.Fprintf(&d, " In breach since %s.", clock(st.Since))
	case rec.Change != Resolved:
		fmt.Fprintf(&d, " In breach from %s to %s, open until it has stayed below for the time set.", clock(st.Since), clock(st.LastBreach))
	case a.gone != "":
		fmt.Fprintf(&d, " Closed because %s; it had been open since %s.", a.gone, clock(st.StartsAt))
	default:
		fmt.Fprintf(&d, " Open from %s, last in breach %s, peak %s.", clock(st.StartsAt), clock(st.LastBreach), peakText(rec))
	}
	if rec.Status == Firing && rec.Severity == Warning {
		d.WriteString(" It may still be chance: a warning until the excess is beyond it.")
	}
	rec.Annotations = Pairs{{"summary", summary}, {"description", d.String()}}
}

func limitText(rec *Record) string {
	if rec.LimitName != "" {
		return rec.Policy + " (" + rec.LimitName + ")"
	}
	return rec.Policy
}

func peakText(rec *Record) string {
	if rec.Peak.Judged == nil {
		return "unknown"
	}
	return percent(*rec.Peak.Judged)
}

// indexClass finds the largest class of bounces among the causes, when it has more than half.
func indexClass(causes []Cause) int {
	for i, c := range causes {
		if c.Dimension == classCause {
			if c.Share > 0.5 {
				return i
			}
			return -1
		}
	}
	return -1
}

// percent writes a share for people: three significant digits at most.
func percent(x float64) string {
	text := strconv.FormatFloat(100*x, 'g', 3, 64)
	if strings.Contains(text, "e") { // 1e+03, 1e-07
		text = strconv.FormatFloat(100*x, 'f', -1, 64)
		if x >= 10 {
			text = strconv.FormatFloat(100*x, 'f', 0, 64)
		}
	}
	return text + "%"
}

// formatShare writes a share exactly, as the shortest decimal.
func formatShare(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// group writes a number with commas between thousands.
func group(n int64) string {
	text := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
