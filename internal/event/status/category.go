package status

import (
	"strings"

	"sendwatch/internal/event"
)

// PowerMTAClass returns the class of a bounce as PowerMTA's accounting files and reports categorise it. It is false for the
// category "other" and unknown ones: then the codes have to tell.
func PowerMTAClass(category string) (event.BounceClass, bool) {
	var buf [32]byte
	switch string(lower(buf[:], strings.TrimSpace(category))) {
	case "bad-mailbox", "bad-domain", "inactive-mailbox":
		return event.Hard, true
	case "quota-issues", "message-expired", "no-answer-from-host", "bad-connection", "routing-errors", "protocol-errors":
		return event.Soft, true
	case "content-related", "policy-related", "spam-related", "virus-related", "invalid-sender", "relaying-issues":
		return event.Block, true
	case "bad-configuration":
		return event.Admin, true
	}
	return event.Undetermined, false
}
