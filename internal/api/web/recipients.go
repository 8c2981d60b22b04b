package web

import (
	"net/http"
	"time"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/windows"
)

// Recipients is the content of the page on a tenant's recipients.
type Recipients struct {
	Tenants    []Choice
	Tenant     string
	Engagement *answer.Engagement
	States     []Part // of the known recipients
	Bars       []Bar  // the same side by side
	Deliveries []Part // of thirty days, by the state of their recipient
	Mailed     []Bar  // the same side by side
	Recency    []Part // of the known recipients, each including the ones before
	Weeks      []Strip
	Mix        *Stack // of deliveries, by day
	Delivered  []Strip
}

// mixDays is how many days the mix of deliveries is shown for.
const mixDays = 90

// listedTenants is how many tenants can be chosen from; others are reached by their name in the URL.
const listedTenants = 200

func (p *Pages) recipients(w http.ResponseWriter, r *http.Request) error {
	f, _, err := p.frame(r.Context(), "Recipients", "recipients")
	if err != nil {
		return err
	}
	f.Refresh = false // counts of recipients are no matter of seconds
	shape := p.source.Shape()
	content := &Recipients{Tenant: r.URL.Query().Get("tenant")}
	if c, ok := shape.Combination([]windows.Dimension{windows.Tenant}); ok {
		keys, _, err := p.source.Readers.Rates.Subjects(r.Context(), c, "", listedTenants)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if labels, ok := windows.ParseSubject(key); ok {
				tenant := windows.Labels(labels).Get(windows.Tenant)
				if content.Tenant == "" {
					content.Tenant = tenant
				}
				content.Tenants = append(content.Tenants, Choice{tenant, tenant, tenant == content.Tenant})
			}
		}
	}
	if content.Tenant != "" {
		if err := p.tenant(r, f, content); err != nil {
			return err
		}
		f.Title = "Recipients of " + content.Tenant
	}
	f.Content = content
	return p.show(w, r, http.StatusOK, "recipients", f)
}

func (p *Pages) tenant(r *http.Request, f *Frame, content *Recipients) error {
	e, err := p.source.TenantEngagement(r.Context(), content.Tenant, time.Time{})
	if err != nil {
		return err
	}
	content.Engagement = e
	n := e.Recipients
	content.States = []Part{Part{"engaged", n.Engaged, 0}.of(n.Known), Part{"new", n.New, 0}.of(n.Known), Part{"unengaged", n.Unengaged, 0}.of(n.Known)}
	content.Bars = sideBySide(content.States)
	d := e.Delivered
	known := d.Engaged + d.New + d.Unengaged
	content.Deliveries = []Part{Part{"engaged", d.Engaged, 0}.of(known), Part{"new", d.New, 0}.of(known), Part{"unengaged", d.Unengaged, 0}.of(known)}
	content.Mailed = sideBySide(content.Deliveries)
	content.Weeks = []Strip{weeks(e)}
	content.Recency = []Part{Part{"within 30 days", n.Engaged30d, 0}.of(n.Known), Part{"within 90 days", n.Engaged90d, 0}.of(n.Known),
		Part{"since " + e.Since, n.Engaged, 0}.of(n.Known), Part{"known at all", n.Known, 0}.of(n.Known)}
	key := string(windows.Combination{windows.Tenant}.AppendSubject(nil, content.Tenant))
	a, long := days(f.AsOf, 30), days(f.AsOf, mixDays)
	counts, err := p.source.SubjectCounts(r.Context(), answer.CountQuery{Subject: key, From: long.from, To: long.from.Add(time.Duration(long.n) * long.step), Step: windows.Day})
	if err == nil {
		content.Mix = long.mix(counts.Buckets)
		content.Delivered = a.strips(counts.Buckets, []counterOf{
			{"To engaged", "engaged", func(t *answer.Tally) int64 { return t.DeliveredEngaged }},
			{"To new", "new", func(t *answer.Tally) int64 { return t.DeliveredNew }},
			{"To unengaged", "unengaged", func(t *answer.Tally) int64 { return t.DeliveredUnengaged }},
			{"After an unsubscribe or complaint", "suppressed", func(t *answer.Tally) int64 { return t.DeliveredSuppressed }},
		})
	} else if !notCounted(err) {
		return err
	}
	return nil
}

func sideBySide(parts []Part) []Bar {
	var bars []Bar
	x := 0.0
	for _, p := range parts {
		bars = append(bars, Bar{X: round(x), W: round(p.Share), H: 22, Label: p.Name})
		x += p.Share
	}
	return bars
}

// weeks draws the engaged recipients by the week of their newest interaction, the last one on the right.
func weeks(e *answer.Engagement) Strip {
	strip := Strip{Name: "Engaged, by the week of their newest interaction", Class: "engaged"}
	for _, w := range e.Recency {
		strip.Total += w.Recipients
		strip.Max = max(strip.Max, w.Recipients)
	}
	width, month := 100/float64(len(e.Recency)), ""
	for i := range e.Recency {
		w := e.Recency[len(e.Recency)-1-i]
		x := float64(i) * width
		if first, err := time.Parse(time.DateOnly, w.To); err == nil && first.Format("Jan") != month {
			month = first.Format("Jan")
			strip.Ticks = append(strip.Ticks, Tick{X: round(x), Text: month})
		}
		if w.Recipients > 0 {
			h := max(1, float64(w.Recipients)/float64(strip.Max)*(stripHeight-2))
			strip.Bars = append(strip.Bars, Bar{X: round(x + width*0.1), Y: round(stripHeight - h), W: round(width * 0.8), H: round(h),
				Label: w.From + " to " + w.To + ": " + group(w.Recipients)})
		}
	}
	thin(strip.Ticks)
	return strip
}
