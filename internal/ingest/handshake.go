package ingest

import (
	"net/http"

	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/ingest/verify"
)

const formatACS = "acs"

// validationCode finds the code by which Azure Event Grid asks whether a webhook is wanted, before it sends any event of Azure
// Communication Services.
//
// https://learn.microsoft.com/en-us/azure/event-grid/end-point-validation-event-grid-events-schema
func validationCode(format string, payload []byte) (string, bool) {
	if format != formatACS {
		return "", false
	}
	var tree jsonvalue.Tree
	v, err := tree.Parse(payload)
	if err != nil {
		return "", false
	}
	if v.IsArray() {
		v = v.First()
	}
	if v.Get("eventType").Exact() != "Microsoft.EventGrid.SubscriptionValidationEvent" {
		return "", false
	}
	code := v.Get("data", "validationCode").Exact()
	return code, code != ""
}

// allow answers the same question as CloudEvents ask it, with an OPTIONS request.
//
// https://learn.microsoft.com/en-us/azure/event-grid/webhook-event-delivery
func (s *Server) allow(w http.ResponseWriter, r *http.Request, src *source) (Outcome, error) {
	if err := src.verifier.Begin(&verify.Request{Header: r.Header, Token: r.PathValue("token")}); err != nil {
		return "", err
	}
	h := w.Header()
	h.Set("Allow", "POST")
	outcome := Nothing
	if origin := r.Header.Get("WebHook-Request-Origin"); origin != "" && src.format == formatACS {
		h.Set("WebHook-Allowed-Origin", origin)
		h.Set("WebHook-Allowed-Rate", "*")
		outcome = Confirmed
	}
	w.WriteHeader(http.StatusOK)
	return outcome, nil
}
