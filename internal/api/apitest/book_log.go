package apitest

import (
	"context"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api/answer"
)

// recordLog lets a Book be an answer.AlertLog beside its clock, which is called Now too.
type recordLog struct{ b *Book }

var _ answer.AlertLog = recordLog{}

// Now is the end of the log.
func (l recordLog) Now(ctx context.Context) (answer.LogPosition, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	return answer.LogPosition{int64(len(l.b.log))}, l.b.open(ctx)
}

// Resume finds a record.
func (l recordLog) Resume(ctx context.Context, token string) (answer.LogPosition, bool, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	for i := range l.b.log {
		if l.b.log[i].Token() == token {
			return answer.LogPosition{int64(i + 1)}, true, l.b.open(ctx)
		}
	}
	return answer.LogPosition{0}, false, l.b.open(ctx)
}

// After reads on.
func (l recordLog) After(ctx context.Context, p answer.LogPosition, limit int) ([]alerts.Entry, answer.LogPosition, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	if err := l.b.open(ctx); err != nil {
		return nil, nil, err
	}
	var out []alerts.Entry
	for i := p[0]; i < min(p[0]+int64(limit), int64(len(l.b.log))); i++ {
		out = append(out, alerts.Entry{Record: l.b.log[i], Encoded: l.b.log[i].Encode()})
	}
	return out, answer.LogPosition{p[0] + int64(len(out))}, nil
}
