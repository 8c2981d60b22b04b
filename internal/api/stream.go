package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/problem"
)

const (
	maxStreams    = 256 // clients of the stream at a time
	streamPage    = 100 // records read from the log at a time: all that is held for a client
	streamTick    = 500 * time.Millisecond
	heartbeat     = 15 * time.Second // below the idle time-outs of usual proxies
	streamPause   = 10 * time.Second // a client that takes nothing for so long is let go; it resumes where it was
	streamRetryMS = 2000
)

// stream answers GET /api/v1/alerts/stream. A client holds a position in the log and no queue: a slow one delays only
// itself and costs no more memory than a fast one. Without Last-Event-ID it begins with the next record; with one, after
// that record, or with the oldest record kept when the log no longer has it.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return problem.New(http.StatusServiceUnavailable, "%d clients read the stream already; close some, or follow the alert topic", maxStreams).RetryAfter(30 * time.Second)
	}
	c := &streamClient{w: w, control: http.NewResponseController(w), log: s.source.Log}
	if err := c.locate(r); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx
	if r.Method == http.MethodHead {
		return nil
	}
	s.o.Meter.StreamOpened(1)
	defer s.o.Meter.StreamOpened(-1)
	_ = c.control.SetReadDeadline(time.Time{})
	_ = c.send("retry: %d\n: %s\n\n", streamRetryMS, c.greeting)
	tick, beat := time.NewTicker(s.o.StreamTick), time.NewTicker(s.o.Heartbeat)
	defer tick.Stop()
	defer beat.Stop()
	for {
		if err := c.forward(r); err != nil {
			return errStreamEnded // the status is sent; a client resumes by itself
		}
		select {
		case <-r.Context().Done():
			return errStreamEnded
		case <-s.closing:
			return errStreamEnded
		case <-tick.C:
		case <-beat.C:
			if err := c.send(": heartbeat\n\n"); err != nil {
				return errStreamEnded
			}
		}
	}
}

// errStreamEnded ends a handler whose answer has begun.
var errStreamEnded = errors.New("the stream has ended")

type streamClient struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	log      answer.AlertLog
	position answer.LogPosition
	greeting string
}

// locate finds where the client's stream begins.
func (c *streamClient) locate(r *http.Request) (err error) {
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		c.greeting = "the stream begins with the next record"
		c.position, err = c.log.Now(r.Context())
		return err
	}
	i := strings.LastIndexByte(last, '/')
	seq, parseErr := strconv.ParseInt(last[i+1:], 10, 64)
	if i <= 0 || parseErr != nil || seq < 1 || len(last) > 200 {
		return problem.New(http.StatusBadRequest, "Last-Event-ID: not one of ours; pass the id: of the last event as it was, <alert id>/<seq>, or leave it out")
	}
	position, found, err := c.log.Resume(r.Context(), last)
	c.position, c.greeting = position, "resumed after the last event"
	if !found {
		c.greeting = "the last event is no longer kept; the stream begins with the oldest record there is"
	}
	return err
}

// forward sends what the log has after the client's position.
func (c *streamClient) forward(r *http.Request) error {
	for {
		entries, next, err := c.log.After(r.Context(), c.position, streamPage)
		if errors.Is(err, answer.ErrUnavailable) {
			return nil // heartbeats go on; the next tick tries again
		}
		if err != nil {
			return err
		}
		for i := range entries {
			if err := c.send("id: %s\ndata: %s\n\n", entries[i].Record.Token(), entries[i].Encoded); err != nil {
				return err
			}
		}
		if c.position = next; len(entries) < streamPage {
			return nil
		}
	}
}

func (c *streamClient) send(format string, args ...any) error {
	_ = c.control.SetWriteDeadline(time.Now().Add(streamPause)) // not supported by test recorders
	if _, err := fmt.Fprintf(c.w, format, args...); err != nil {
		return err
	}
	return c.control.Flush()
}
