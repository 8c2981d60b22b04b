package api

import (
	_ "embed" // the API's description
	"errors"
	"net/http"

	"sendwatch/internal/api/problem"
)

//go:embed openapi.yaml
var openAPI []byte

func (s *Server) openapi(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "max-age=300")
	return writeBody(w, r, "application/yaml", openAPI)
}

// healthy says that the process answers; it asks nobody else, so that a Redis or Kafka that is away restarts nothing.
func (s *Server) healthy(w http.ResponseWriter, r *http.Request) error {
	return writeBody(w, r, "text/plain; charset=utf-8", []byte("Healthy.\n"))
}

// ready says whether the service does its work; the detail says why not.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	err := errors.New("the service is stopping")
	if !s.stopping() {
		err = s.o.Ready(r.Context())
	}
	if err != nil {
		return problem.New(http.StatusServiceUnavailable, "not ready: %s", err)
	}
	return writeBody(w, r, "text/plain; charset=utf-8", []byte("Ready.\n"))
}

// reload takes the configuration file anew. A wrong one is wholly unused, and the answer says what is wrong.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) error {
	err := s.o.Reload(r.Context())
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return p
	}
	if err != nil {
		return problem.New(http.StatusUnprocessableEntity, "nothing was changed: %s", err)
	}
	return writeBody(w, r, "text/plain; charset=utf-8", []byte("Reloaded.\n"))
}
