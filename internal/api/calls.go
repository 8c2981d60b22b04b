package api

import (
	"net/http"

	"sendwatch/internal/api/answer"
)

// rates answers GET /api/v1/rates in both its forms.
func (s *Server) rates(w http.ResponseWriter, r *http.Request) error {
	values := r.URL.Query()
	switch {
	case values.Has("subject") && values.Has("dimensions"):
		q := parseQuery(r, "subject", "dimensions", "window", "rate", "at", "verdict", "sort", "limit", "cursor")
		q.fail("subject, dimensions", "both are given; subject asks for one subject, dimensions for all subjects of a combination; use one")
		return q.err()
	case values.Has("dimensions"):
		return s.ranking(w, r)
	}
	q := parseQuery(r, "subject", "window", "rate", "at")
	subject := q.text("subject")
	if subject == "" {
		q.fail("subject", "missing; add subject=all or subject=tenant=acme for one subject, or dimensions=tenant for all of a combination")
	}
	filter, at := q.filter(), q.time("at")
	if err := q.err(); err != nil {
		return err
	}
	rates, err := s.source.SubjectRates(r.Context(), subject, at, filter)
	if err != nil {
		return err
	}
	return writeJSON(w, r, rates)
}

func (s *Server) ranking(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "dimensions", "window", "rate", "at", "verdict", "sort", "limit", "cursor")
	rank := answer.RankQuery{Filter: q.filter(), Verdicts: q.verdicts(), At: q.time("at"), Cursor: q.text("cursor"), Limit: q.limit()}
	if sort := q.text("sort"); sort != "" && sort != "worst" {
		q.fail("sort", "%s is not an order; use worst, or leave it out", answer.Quote(sort))
	}
	if err := q.err(); err != nil {
		return err
	}
	shape := s.source.Shape()
	combination, p := shape.Dimensions(q.text("dimensions"))
	if p != nil {
		return p
	}
	rank.Dimensions = combination
	page, err := s.source.Ranking(r.Context(), rank)
	if err != nil {
		return err
	}
	return writeJSON(w, r, page)
}

func (s *Server) counts(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "subject", "from", "to", "step")
	count := answer.CountQuery{Subject: q.required("subject", "all"), From: q.requiredTime("from"), To: q.requiredTime("to"), Step: q.step()}
	if err := q.err(); err != nil {
		return err
	}
	counts, err := s.source.SubjectCounts(r.Context(), count)
	if err != nil {
		return err
	}
	return writeJSON(w, r, counts)
}

func (s *Server) alerts(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "status", "subject", "limit", "cursor")
	query := answer.AlertQuery{State: q.state(), Subject: q.text("subject"), Cursor: q.text("cursor"), Limit: q.limit()}
	if err := q.err(); err != nil {
		return err
	}
	page, err := s.source.Alerts(r.Context(), query)
	if err != nil {
		return err
	}
	return writeJSON(w, r, page)
}

func (s *Server) alert(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	episode, err := s.source.Alert(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, r, episode)
}

func (s *Server) engagement(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "tenant", "at")
	tenant, at := q.required("tenant", "default"), q.time("at")
	if err := q.err(); err != nil {
		return err
	}
	e, err := s.source.TenantEngagement(r.Context(), tenant, at)
	if err != nil {
		return err
	}
	return writeJSON(w, r, e)
}

// maxLookUp bounds the body of a look-up: two short texts.
const maxLookUp = 16 << 10

func (s *Server) lookUp(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	var body struct {
		Tenant    string `json:"tenant"`
		Recipient string `json:"recipient"`
	}
	if err := readJSON(w, r, maxLookUp, &body); err != nil {
		return err
	}
	q := &query{}
	if body.Tenant == "" {
		q.fail("tenant", `missing in the body; send {"tenant":"…","recipient":"…"}; events without a tenant belong to "default"`)
	}
	if body.Recipient == "" {
		q.fail("recipient", `missing in the body; send {"tenant":"…","recipient":"…"}`)
	}
	if err := q.err(); err != nil {
		return err
	}
	recipient, err := s.source.LookUp(r.Context(), body.Tenant, body.Recipient)
	if err != nil {
		return err
	}
	return writeJSON(w, r, recipient)
}

// ips answers GET /api/v1/ips and /api/v1/ips/{ip}.
func (s *Server) ips(w http.ResponseWriter, r *http.Request) error {
	q := parseQuery(r, "at")
	at := q.time("at")
	if err := q.err(); err != nil {
		return err
	}
	var out any
	var err error
	if ip := r.PathValue("ip"); ip != "" {
		out, err = s.source.IP(r.Context(), ip, at)
	} else {
		out, err = s.source.IPs(r.Context(), at)
	}
	if err != nil {
		return err
	}
	return writeJSON(w, r, out)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) error {
	if err := parseQuery(r).err(); err != nil {
		return err
	}
	status, err := s.source.Status(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, r, status)
}
