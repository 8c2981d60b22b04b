package web

import (
	"net/http"
	"slices"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api/answer"
)

// AlertList is the content of the page of alerts.
type AlertList struct {
	Status    string
	Incidents []Incident
	Next      string
	Later     bool
}

func (p *Pages) alerts(w http.ResponseWriter, r *http.Request) error {
	f, open, err := p.frame(r.Context(), "Alerts", "alerts")
	if err != nil {
		return err
	}
	values := r.URL.Query()
	content := &AlertList{Status: values.Get("status"), Later: values.Get("cursor") != ""}
	records := open
	switch content.Status {
	case "resolved", "all":
		q := answer.AlertQuery{Limit: 100, Cursor: values.Get("cursor")}
		if content.Status == "resolved" {
			q.State = new(alerts.Closed)
		}
		page, err := p.source.Alerts(r.Context(), q)
		if err != nil {
			return err
		}
		records = page.Alerts
		if page.NextCursor != nil {
			values.Set("cursor", *page.NextCursor)
			content.Next = "/alerts?" + values.Encode()
		}
	default:
		content.Status = "firing"
	}
	content.Incidents = incidents(records, f.Now)
	for i := range content.Incidents[:min(len(content.Incidents), shownLive)] {
		if err := p.readNow(r.Context(), &content.Incidents[i].Lead); err != nil {
			return err
		}
	}
	f.Refresh = !content.Later
	f.Content = content
	return p.show(w, r, http.StatusOK, "alerts", f)
}

// AlertPage is the content of one alert's page.
type AlertPage struct {
	Alert   Alert
	History []Alert // newest first
	Others  int     // alerts of the same incident that are open
}

func (p *Pages) alert(w http.ResponseWriter, r *http.Request) error {
	f, open, err := p.frame(r.Context(), "Alert", "alerts")
	if err != nil {
		return err
	}
	episode, err := p.source.Alert(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	content := &AlertPage{Alert: alertOf(episode.Record, f.Now)}
	if err := p.readNow(r.Context(), &content.Alert); err != nil {
		return err
	}
	for _, rec := range slices.Backward(episode.History) {
		content.History = append(content.History, alertOf(rec, f.Now))
	}
	for _, rec := range open {
		if rec.Incident == episode.Incident && rec.ID != episode.ID {
			content.Others++
		}
	}
	f.Title = "Alert on " + episode.SubjectKey
	f.Content = content
	return p.show(w, r, http.StatusOK, "alert", f)
}
