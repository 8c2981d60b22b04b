package answer

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api/problem"
)

// AlertPage is the answer of GET /api/v1/alerts: each the newest record of its episode.
type AlertPage struct {
	Alerts     []alerts.Record `json:"alerts"`
	NextCursor *string         `json:"next_cursor"`
}

// Episode is the answer of GET /api/v1/alerts/{id}: the newest record, with all of them.
type Episode struct {
	alerts.Record
	History []alerts.Record `json:"history"`
}

// Alerts answers with a page of alerts.
func (s *Source) Alerts(ctx context.Context, q AlertQuery) (*AlertPage, error) {
	// Alerts about the service itself are of a partition, not of a subject that is counted.
	if q.Subject != "" && !strings.HasPrefix(q.Subject, "topic=") {
		shape := s.Shape()
		key, p := shape.Subject(q.Subject)
		if p != nil {
			return nil, p
		}
		q.Subject = key
	}
	records, next, err := s.Readers.Alerts.Alerts(ctx, q)
	if errors.Is(err, ErrBadCursor) {
		return nil, problem.New(http.StatusBadRequest, "cursor: not one of ours, or no longer valid; pass next_cursor of the page before as it was, or leave it out to start anew")
	}
	if err != nil {
		return nil, err
	}
	if records == nil {
		records = []alerts.Record{}
	}
	page := &AlertPage{Alerts: records}
	if next != "" {
		page.NextCursor = &next
	}
	return page, nil
}

// Alert answers with one episode.
func (s *Source) Alert(ctx context.Context, id string) (*Episode, error) {
	history, err := s.Readers.Alerts.Alert(ctx, id)
	if err == nil && len(history) == 0 {
		return nil, problem.New(http.StatusNotFound, "there is no alert with the id %s; ids are those of GET /api/v1/alerts, and resolved alerts are forgotten after a time", Quote(id))
	}
	if err != nil {
		return nil, err
	}
	return &Episode{Record: history[len(history)-1], History: history}, nil
}
