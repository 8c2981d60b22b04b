package ingest

import (
	"cmp"
	"encoding/json"
	"net/url"
	"strings"
)

// fromMailgun turns a webhook of Mailgun from before 2018 into one of today's, as far as events are made of it. The fields are
// the sender's variables too, which may have the names of Mailgun's own; those come first, but for the signature's timestamp,
// which comes last.
//
// https://help.mailgun.com/hc/en-us/articles/14048832145051-Legacy-Webhooks
func fromMailgun(form url.Values) ([]byte, error) {
	headers := mailHeaders(form.Get("message-headers"))
	e := mailgunEvent{
		Event:     form.Get("event"),
		Timestamp: lastOf(form, "timestamp"),
		Recipient: form.Get("recipient"),
		Reason:    form.Get("reason"),
		Tags:      form["tag"],
		Variables: map[string]string{},
	}
	e.Domain.Name = form.Get("domain")
	e.Message.Headers = map[string]string{
		"message-id": cmp.Or(form.Get("Message-Id"), form.Get("message-id"), headers["message-id"]),
		"from":       headers["from"],
		"to":         headers["to"],
	}
	if id := form.Get("campaign-id"); id != "" {
		e.Campaigns = []mailgunCampaign{{id}}
	}
	// What failed for good was called dropped when Mailgun itself gave up, bounced when the receiving server said no.
	switch strings.ToLower(e.Event) {
	case "bounced", "dropped":
		e.Event, e.Severity = "failed", "permanent"
		e.Status = &mailgunStatus{Message: cmp.Or(form.Get("error"), form.Get("description"), form.Get("notification"))}
		if code := form.Get("code"); strings.Contains(code, ".") {
			e.Status.EnhancedCode = code
		} else {
			e.Status.Code = code
		}
	}
	e.addVariables(form, headers["x-mailgun-variables"])
	return json.Marshal(map[string]any{"event-data": e})
}

// mailgunEvent is what is read of an event of Mailgun.
type mailgunEvent struct {
	Event     string            `json:"event"`
	Timestamp string            `json:"timestamp"`
	Recipient string            `json:"recipient,omitempty"`
	Severity  string            `json:"severity,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Tags      []string          `json:"tags,omitempty"`
	Campaigns []mailgunCampaign `json:"campaigns,omitempty"`
	Status    *mailgunStatus    `json:"delivery-status,omitempty"`
	Variables map[string]string `json:"user-variables,omitempty"`
	Domain    struct {
		Name string `json:"name"`
	} `json:"domain"`
	Message struct {
		Headers map[string]string `json:"headers"`
	} `json:"message"`
}

type mailgunCampaign struct {
	ID string `json:"id"`
}

type mailgunStatus struct {
	Code         string `json:"code,omitempty"`
	EnhancedCode string `json:"enhanced-code,omitempty"`
	Message      string `json:"message,omitempty"`
}

// addVariables takes the labels, the only variables of the sender that are read: from the message's own header when the webhook
// has it, otherwise from the fields.
func (e *mailgunEvent) addVariables(form url.Values, header string) {
	var variables map[string]any
	if header != "" && json.Unmarshal([]byte(header), &variables) == nil {
		for _, name := range []string{"tenant", "campaign", "stream"} {
			if text, ok := variables[name].(string); ok {
				e.Variables[name] = text
			}
		}
		return
	}
	for _, name := range []string{"tenant", "campaign", "stream"} {
		if text := form.Get(name); text != "" {
			e.Variables[name] = text
		}
	}
}

// mailHeaders reads message-headers, a JSON list of names and values, with the names in lower case. Of several of a name the
// first counts.
func mailHeaders(text string) map[string]string {
	headers := map[string]string{}
	var list [][]string
	if json.Unmarshal([]byte(text), &list) != nil {
		return headers
	}
	for _, pair := range list {
		if len(pair) != 2 {
			continue
		}
		if name := strings.ToLower(pair[0]); headers[name] == "" {
			headers[name] = pair[1]
		}
	}
	return headers
}

func lastOf(form url.Values, name string) string {
	if values := form[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}
