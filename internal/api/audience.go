package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"sendwatch/internal/api/audience"
	"sendwatch/internal/api/problem"
)

const (
	// maxChecks audience checks run at a time: each may hold up to 130 MB for duplicates of a list of ten million.
	maxChecks = 1
	// checkWait is how long a check waits for its turn.
	checkWait = 20 * time.Second
	// bodyPause is the longest pause that a client may make within a list.
	bodyPause = 30 * time.Second
)

// checkAudience answers POST /api/v1/audience/check. The list is read as it comes; nothing is answered before its end.
func (s *Server) checkAudience(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "tenant")
	tenant := q.required("tenant", "default")
	if err := q.err(); err != nil {
		return err
	}
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil && r.Header.Get("Content-Type") != "" {
		return problem.New(http.StatusUnsupportedMediaType, "Content-Type: not a media type; use text/plain or text/csv")
	}
	if mediaType == "application/json" || mediaType == "multipart/form-data" {
		return problem.New(http.StatusUnsupportedMediaType, "Content-Type: %s is not a list; send one address a line as text/plain, or text/csv with a column email", mediaType)
	}
	turn := time.NewTimer(checkWait)
	defer turn.Stop()
	select {
	case s.checks <- struct{}{}:
		defer func() { <-s.checks }()
	case <-turn.C:
		return problem.New(http.StatusServiceUnavailable, "another list is being checked; try again when it is done").RetryAfter(checkWait)
	case <-r.Context().Done():
		return r.Context().Err()
	}
	m, err := s.source.Clock.Moment(r.Context())
	if err != nil {
		return err
	}
	body := &patientBody{r: r.Body, control: http.NewResponseController(w), pause: bodyPause}
	report, err := audience.Check(r.Context(), audience.List{Body: body, CSV: mediaType == "text/csv", Tenant: tenant, At: m.AsOf}, s.source.Recipients)
	switch {
	case errors.Is(err, audience.ErrNoColumn), errors.Is(err, audience.ErrBroken):
		return problem.New(http.StatusBadRequest, "%s", err)
	case body.failed:
		return problem.New(http.StatusBadRequest, "the list broke off, or paused for longer than %s; send it again", bodyPause)
	case err != nil:
		return err
	}
	_ = body.control.SetReadDeadline(time.Time{}) // the connection lives on; the server sets its own for the next request
	_ = body.control.SetWriteDeadline(time.Now().Add(s.o.Limits.Write))
	return writeJSON(w, r, report)
}

// patientBody lets a body take as long as it needs while it keeps coming: the server's own time-out is for whole requests.
type patientBody struct {
	r       io.Reader
	control *http.ResponseController
	pause   time.Duration
	failed  bool // other than by ending; read only after the last Read
}

func (b *patientBody) Read(p []byte) (int, error) {
	now := time.Now()
	// Not supported by test recorders, and then not needed.
	_ = b.control.SetReadDeadline(now.Add(b.pause))
	_ = b.control.SetWriteDeadline(now.Add(2 * b.pause)) // the answer must not find the request's deadline passed
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = true
	}
	return n, err
}
