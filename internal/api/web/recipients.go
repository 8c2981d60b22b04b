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
	Recency    []Part // of the known recipients, each including the ones before
	Bars       []Bar  // the same side by side
	Delivered  []Strip
}

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
	x := 0.0
	for _, s := range content.States {
		content.Bars = append(content.Bars, Bar{X: round(x), W: round(s.Share), H: 22, Label: s.Name})
		x += s.Share
	}
	content.Recency = []Part{Part{"within 30 days", n.Engaged30d, 0}.of(n.Known), Part{"within 90 days", n.Engaged90d, 0}.of(n.Known),
		Part{"since " + e.Since, n.Engaged, 0}.of(n.Known), Part{"known at all", n.Known, 0}.of(n.Known)}
	key := string(windows.Combination{windows.Tenant}.AppendSubject(nil, content.Tenant))
	a := days(f.AsOf, 30)
	counts, err := p.source.SubjectCounts(r.Context(), answer.CountQuery{Subject: key, From: a.from, To: a.from.Add(time.Duration(a.n) * a.step), Step: windows.Day})
	if err == nil {
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
