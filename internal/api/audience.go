package api

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/audience"
	"sendwatch/internal/api/problem"
)

const (
	// maxChecks audience checks run at a time: each may hold 100 MB for a list of ten million.
	maxChecks = 1
	// checkWait is how long a check waits for its turn.
	checkWait = 20 * time.Second
	// bodyPause is the longest pause that a client may make within a list.
	bodyPause = 30 * time.Second
)

// checkAudience answers POST /api/v1/audience/check. The list is read as it comes. Without lines=true nothing is answered before
// its end; with it, a line is answered for each text of the list as soon as it is known, and the report as the last line.
func (s *Server) checkAudience(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "tenant", "lines")
	tenant := q.required("tenant", "default")
	if lines := q.text("lines"); lines != "" && lines != "true" && lines != "false" {
		q.fail("lines", "%s is neither true nor false", answer.Quote(lines))
	}
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
	list := audience.List{Body: body, CSV: mediaType == "text/csv", Tenant: tenant, At: m.AsOf}
	var lines *verdictLines
	if q.text("lines") == "true" {
		lines = newVerdictLines(w, body)
		list.Verdicts = lines
	}
	report, err := audience.Check(r.Context(), list, s.source.Recipients)
	switch {
	case errors.Is(err, audience.ErrNoColumn), errors.Is(err, audience.ErrBroken):
		err = problem.New(http.StatusBadRequest, "%s", err)
	case body.failed:
		err = problem.New(http.StatusBadRequest, "the list broke off, or paused for longer than %s; send it again", bodyPause)
	}
	if lines != nil {
		return s.endLines(r, lines, &report, err)
	}
	if err != nil {
		return err
	}
	_ = body.control.SetReadDeadline(time.Time{}) // the connection lives on; the server sets its own for the next request
	_ = body.control.SetWriteDeadline(time.Now().Add(s.o.Limits.Write))
	return writeJSON(w, r, report)
}

// verdictLines writes verdicts as the answer's body while the request's is still being read.
type verdictLines struct {
	*bufio.Writer
	w     http.ResponseWriter
	body  *patientBody
	begun bool // something has been sent
}

func newVerdictLines(w http.ResponseWriter, body *patientBody) *verdictLines {
	_ = body.control.EnableFullDuplex() // HTTP/2 and test recorders are so without being asked
	l := &verdictLines{w: w, body: body}
	l.Writer = bufio.NewWriterSize(sender{l}, 64<<10)
	return l
}

type sender struct{ l *verdictLines }

func (s sender) Write(p []byte) (int, error) {
	if l := s.l; !l.begun {
		l.begun = true
		l.w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		l.w.Header().Set("Cache-Control", "no-store")
	}
	_ = s.l.body.control.SetWriteDeadline(time.Now().Add(2 * s.l.body.pause))
	return s.l.w.Write(p)
}

// endLines sends the last line: the report, or the problem that ended the check. A problem before the first line is an answer as
// everywhere.
func (s *Server) endLines(r *http.Request, lines *verdictLines, report *audience.Report, err error) error {
	if err != nil && !lines.begun {
		return err
	}
	var last any = report
	if err != nil {
		p, told := problemOf(err)
		if !told {
			s.o.Log.Error("a request failed", zap.String("route", r.Pattern), zap.Error(err))
		}
		last = p
	}
	_ = json.NewEncoder(lines).Encode(last)
	_ = lines.Flush() // the client has gone: nobody is left to tell
	return nil
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
