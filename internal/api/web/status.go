package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Status is the content of the page on the service.
type Status struct {
	answer.Status
	Behind  int64 // records in all
	Outcome []Part
	Reasons []Part
}

// Part is a part of a whole.
type Part struct {
	Name  string
	N     int64
	Share float64 // of the whole, in per cent
}

func (p *Pages) status(w http.ResponseWriter, r *http.Request) error {
	status, err := p.source.Status(r.Context())
	if err != nil {
		return err
	}
	f := p.bare("Status", "status")
	f.Refresh = true
	if status.AsOf != nil {
		if f, _, err = p.frame(r.Context(), "Status", "status"); err != nil {
			return err
		}
	}
	content := &Status{Status: *status}
	for _, partition := range status.Partitions {
		content.Behind += partition.Lag
	}
	if e := status.Events; e != nil {
		rejected := e.Read - e.Counted - e.Duplicate - e.Late - e.Ignored
		for _, o := range []Part{{"counted", e.Counted, 0}, {"duplicate", e.Duplicate, 0}, {"late", e.Late, 0}, {"ignored", e.Ignored, 0}, {"rejected", rejected, 0}} {
			content.Outcome = append(content.Outcome, o.of(e.Read))
		}
		for reason, n := range e.Rejected {
			content.Reasons = append(content.Reasons, Part{reason, n, 0}.of(rejected))
		}
		slices.SortFunc(content.Reasons, func(a, b Part) int { return strings.Compare(a.Name, b.Name) })
		slices.SortStableFunc(content.Reasons, func(a, b Part) int { return int(min(1, max(-1, b.N-a.N))) })
	}
	f.Content = content
	return p.show(w, r, http.StatusOK, "status", f)
}

// text writes the share; what is little is not written as none, what is not all not as all.
func (p Part) text() string {
	switch {
	case p.N > 0 && p.Share < 0.01:
		return "< 0.01 %"
	case p.Share > 99.99 && p.Share < 100:
		return "> 99.99 %"
	}
	return share(p.Share / 100)
}

func (p Part) of(whole int64) Part {
	if whole > 0 {
		p.Share = float64(p.N) / float64(whole) * 100
	}
	return p
}

// Method is the content of the page that says how rates are computed.
type Method struct {
	Rows     []policy.Row
	Policies []string
}

func (p *Pages) method(w http.ResponseWriter, r *http.Request) error {
	f, _, err := p.frame(r.Context(), "How rates are computed", "method")
	if err != nil {
		return err
	}
	shape := p.source.Shape()
	content := &Method{Policies: shape.Policies}
	rates, err := p.source.SubjectRates(r.Context(), windows.All, time.Time{}, policy.Filter{})
	switch {
	case err == nil:
		content.Rows = rates.Rates
	case !notCounted(err):
		return err
	}
	f.Refresh = false
	f.Content = content
	return p.show(w, r, http.StatusOK, "method", f)
}
