package ingest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"sendwatch/internal/api/problem"
	"sendwatch/internal/ingest/verify"
)

// Outcome is what became of a request: a small closed set, fit for a metric label. The reasons of verify belong to it too.
type Outcome string

// The outcomes.
const (
	Published Outcome = "published" // all of it is in Kafka
	Nothing   Outcome = "nothing"   // there was no mail event in it
	Confirmed Outcome = "confirmed" // it confirmed a subscription
	Unknown   Outcome = "unknown"   // of no source
	Malformed Outcome = "malformed" // could not be read
	TooLarge  Outcome = "too_large"
	Busy      Outcome = "busy" // no turn within the time for it
	Away      Outcome = "away" // Kafka did not take it
	Failed    Outcome = "failed"
)

// refusal is a problem and the outcome that it stands for.
type refusal struct {
	*problem.Problem
	outcome Outcome
}

func refuse(outcome Outcome, status int, format string, args ...any) *refusal {
	return &refusal{problem.New(status, format, args...), outcome}
}

// again says that the same may be sent once more, after a while.
func again(outcome Outcome, after time.Duration, format string, args ...any) *refusal {
	r := refuse(outcome, http.StatusServiceUnavailable, format, args...)
	r.RetryAfter(after)
	return r
}

// handler answers a request of a source and says what became of it. With an error it has written nothing.
type handler func(w http.ResponseWriter, r *http.Request, src *source) (Outcome, error)

// answering finds the source, measures, and turns errors into problems.
func (s *Server) answering(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		src, ok := s.sources[r.PathValue("source")]
		if !ok {
			s.o.Meter.request("other", Unknown, 0)
			problem.Write(w, r, problem.New(http.StatusNotFound, "there is no source of this name; see ingest.sources in the receiver's configuration"))
			return
		}
		began := time.Now()
		outcome, err := h(w, r, src)
		if err != nil {
			outcome = s.fail(w, r, src, err)
		}
		s.o.Meter.request(src.name, outcome, time.Since(began))
	}
}

// fail answers with what went wrong.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, src *source, err error) Outcome {
	var refused *refusal
	var unverified *verify.Error
	switch {
	case errors.As(err, &refused):
	case errors.As(err, &unverified):
		refused = ofVerifier(unverified)
		if src.kind == verify.Basic {
			w.Header().Set("WWW-Authenticate", `Basic realm="sendwatch ingest", charset="UTF-8"`)
		}
	default:
		s.o.Log.Error("a request failed", zap.String("source", src.name), zap.Error(err))
		refused = refuse(Failed, http.StatusInternalServerError, "a fault of the receiver; its log says more")
	}
	// Strangers can cause these at any rate: the metrics count them, the log tells of them now and then.
	if n, tell := src.told.now(s.o.Now()); tell {
		s.o.Log.Warn("a webhook was not taken", zap.String("source", src.name), zap.String("outcome", string(refused.outcome)),
			zap.Int("status", refused.Status), zap.Error(err), zap.Int("untold", n))
	}
	problem.Write(w, r, refused.Problem)
	return refused.outcome
}

// ofVerifier says 401 rather than 403 wherever a secret may be wrong here: Postmark never tries again after a 403.
func ofVerifier(e *verify.Error) *refusal {
	switch e.Reason {
	case verify.Unavailable:
		return again(Outcome(e.Reason), 30*time.Second, "%s", e.Detail)
	case verify.NotAllowed:
		return refuse(Outcome(e.Reason), http.StatusForbidden, "%s", e.Detail)
	}
	return refuse(Outcome(e.Reason), http.StatusUnauthorized, "%s", e.Detail)
}

// receive takes a webhook. The order is that of what it costs: the head, the body, the signature, Kafka.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, src *source) (Outcome, error) {
	request := verify.Request{Header: r.Header, Token: r.PathValue("token")}
	if err := src.verifier.Begin(&request); err != nil {
		return "", err
	}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return "", refuse(Malformed, http.StatusUnsupportedMediaType, "Content-Encoding: send the body as it is")
	}
	body, release, err := s.read(w, r)
	defer release()
	if err != nil {
		return "", err
	}
	request.Body = body
	if request.Form, err = parseForm(r.Header.Get("Content-Type"), body); err != nil {
		return "", err
	}
	vouched, err := src.verifier.Verify(r.Context(), &request, s.o.Now())
	if err != nil {
		return "", err
	}
	if vouched.Confirm != nil {
		return s.confirm(w, r, src, vouched)
	}
	payload := vouched.Payload
	if request.Form != nil && payload != nil {
		if payload, err = fromForm(src.format, request.Form); err != nil {
			return "", err
		}
	}
	if len(bytes.TrimSpace(payload)) == 0 {
		return Nothing, answer(w, http.StatusOK, map[string]int{"events": 0})
	}
	if code, ok := validationCode(src.format, payload); ok {
		return Confirmed, answer(w, http.StatusOK, map[string]string{"validationResponse": code})
	}
	outcome, err := s.publish(r.Context(), w, src, payload)
	if err == nil && vouched.Acknowledged != nil {
		vouched.Acknowledged()
	}
	return outcome, err
}

// publish cuts a payload into records and writes them.
func (s *Server) publish(ctx context.Context, w http.ResponseWriter, src *source, payload []byte) (Outcome, error) {
	cut := src.cutter.cut(payload, s.o.Now())
	for i := range cut.records {
		if n := len(cut.records[i].Value); n > s.o.MaxRecord {
			return "", refuse(TooLarge, http.StatusRequestEntityTooLarge,
				"a record of %d bytes would be rejected: at most %d are allowed (events.max_bytes); send smaller batches", n, s.o.MaxRecord)
		}
	}
	if len(cut.records) == 0 {
		s.o.Meter.cut(src.name, cut)
		return Nothing, answer(w, http.StatusOK, map[string]int{"events": 0})
	}
	if err := s.publisher.publish(ctx, cut.records); err != nil {
		return "", err
	}
	s.o.Meter.cut(src.name, cut)
	if cut.rejected != nil {
		if n, tell := src.toldRejected.now(s.o.Now()); tell {
			s.o.Log.Warn("a webhook was published, but will be rejected when it is read", zap.String("source", src.name),
				zap.String("reason", string(cut.rejected.Reason)), zap.String("detail", cut.rejected.Detail), zap.Int("untold", n))
		}
	}
	return Published, answer(w, http.StatusOK, map[string]int{"events": cut.events})
}

// chunk is by how much a body grows while it is read.
const chunk = 64 << 10

// read reads a body. Its bytes are taken from what all bodies together may hold as they come, so that nobody has a share of it by
// only announcing them. release gives them back; it is never nil.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	var held int64
	release = func() { s.bytes.Release(held) }
	tooLarge := refuse(TooLarge, http.StatusRequestEntityTooLarge, "the body is larger than %d bytes (ingest.max_bytes); send smaller batches", s.o.MaxBody)
	if r.ContentLength > int64(s.o.MaxBody) {
		return nil, release, tooLarge
	}
	from := http.MaxBytesReader(w, r.Body, int64(s.o.MaxBody))
	var buffer bytes.Buffer
	for {
		if err := s.hold(r.Context(), chunk); err != nil {
			return nil, release, err
		}
		held += chunk
		switch _, err := io.CopyN(&buffer, from, chunk); {
		case errors.Is(err, io.EOF):
			return buffer.Bytes(), release, nil
		case err != nil:
			if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
				return nil, release, tooLarge
			}
			return nil, release, refuse(Malformed, http.StatusBadRequest, "the body broke off after %d bytes", buffer.Len())
		}
	}
}

func (s *Server) hold(ctx context.Context, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, s.o.Limits.Wait)
	defer cancel()
	if s.bytes.Acquire(ctx, n) != nil {
		return again(Busy, 5*time.Second, "too many webhooks at once; send it again shortly")
	}
	return nil
}

// confirm confirms a subscription of Amazon SNS.
func (s *Server) confirm(w http.ResponseWriter, r *http.Request, src *source, vouched verify.Vouched) (Outcome, error) {
	ctx, cancel := context.WithTimeout(r.Context(), s.o.Limits.Fetch)
	defer cancel()
	if _, err := s.o.Fetch(ctx, vouched.Confirm); err != nil {
		s.o.Log.Warn("a subscription could not be confirmed", zap.String("source", src.name), zap.String("topic_arn", vouched.Confirm.Query().Get("TopicArn")), zap.Error(err))
		return "", again(Outcome(verify.Unavailable), 30*time.Second, "the subscription could not be confirmed; send it again shortly")
	}
	s.o.Log.Info("a subscription was confirmed", zap.String("source", src.name), zap.String("topic_arn", vouched.Confirm.Query().Get("TopicArn")))
	return Confirmed, answer(w, http.StatusOK, map[string]bool{"confirmed": true})
}

// exists answers whoever looks whether a webhook's URL is there before sending to it, as Mandrill does.
func (s *Server) exists(w http.ResponseWriter, _ *http.Request, _ *source) (Outcome, error) {
	w.WriteHeader(http.StatusOK)
	return Nothing, nil
}

// answer writes a small JSON object. Mailgun takes nothing but 200 for success.
func answer(w http.ResponseWriter, status int, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the provider has gone: it will send again
	return nil
}
