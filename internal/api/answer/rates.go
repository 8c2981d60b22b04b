package answer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sendwatch/internal/api/problem"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Rates is the answer of GET /api/v1/rates.
type Rates struct {
	AsOf       time.Time    `json:"as_of"`
	Stale      bool         `json:"stale"`
	LagSeconds float64      `json:"lag_seconds"`
	Rates      []policy.Row `json:"rates"`
}

// RatePage is the same for the subjects of a combination.
type RatePage struct {
	Rates
	NextCursor *string `json:"next_cursor"`
	// Truncated says that there are more subjects than a ranking holds: those that are least bad are left out.
	Truncated bool `json:"truncated,omitempty"`
}

// SubjectRates answers for one subject; at is zero for now.
func (s *Source) SubjectRates(ctx context.Context, subject string, at time.Time, f policy.Filter) (*Rates, error) {
	shape := s.Shape()
	key, p := shape.Subject(subject)
	if p == nil {
		p = shape.Window(f.Window)
	}
	if p != nil {
		return nil, p
	}
	m, kept, err := s.moment(ctx, at)
	if err != nil {
		return nil, err
	}
	rows, err := s.Readers.Rates.Rows(ctx, key, m.AsOf, kept, f)
	if err != nil {
		return nil, explain(err, &shape, m.AsOf, kept)
	}
	return ratesAt(m, rows), nil
}

func ratesAt(m Moment, rows []policy.Row) *Rates {
	if rows == nil {
		rows = []policy.Row{}
	}
	return &Rates{AsOf: m.AsOf.UTC(), Stale: m.Stale, LagSeconds: m.Lag.Seconds(), Rates: rows}
}

// explain turns "no longer kept" into a problem that says which windows could still be asked for.
func explain(err error, shape *Shape, at time.Time, kept windows.Kept) error {
	if !errors.Is(err, windows.ErrNotKept) {
		return err
	}
	var lost, held []string
	for _, w := range shape.Windows {
		if w.Span(at).First < kept.Oldest[w.Step] {
			lost = append(lost, w.Name)
		} else {
			held = append(held, w.Name)
		}
	}
	hint := "ask for a later time"
	if len(held) > 0 {
		hint = fmt.Sprintf("ask for a later time, or for one of the windows that are still kept with window= (%s)", strings.Join(held, ", "))
	}
	return problem.New(http.StatusBadRequest, "at: the buckets of the window %s are no longer kept at %s; %s",
		strings.Join(lost, ", "), at.UTC().Format(time.RFC3339), hint)
}
