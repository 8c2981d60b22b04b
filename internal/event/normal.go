package event

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON writes e in its normal form, the one that decode prints: the keys of the native form in a fixed order, only
// those that have a value and belong to the type. Reading it again gives the same event.
func AppendJSON(dst []byte, e *Event) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, e.Type.String()...)
	dst = append(dst, '"')
	dst = appendTime(dst, "time", e.Time)
	dst = appendText(dst, "id", e.ID)
	dst = appendText(dst, "recipient", e.Recipient)
	dst = appendText(dst, "message_id", e.MessageID)
	dst = appendText(dst, "tenant", e.Tenant)
	dst = appendText(dst, "ip", e.IP)
	dst = appendText(dst, "pool", e.Pool)
	dst = appendText(dst, "domain", e.Domain)
	dst = appendText(dst, "campaign", e.Campaign)
	dst = appendText(dst, "stream", e.Stream)
	dst = appendText(dst, "provider", e.Provider)
	dst = appendOwn(dst, e)
	if e.Type != Send && e.Type != Drop && !e.SentAt.IsZero() {
		dst = appendTime(dst, "sent_at", e.SentAt)
	}
	return append(dst, '}')
}

// appendOwn writes what only the type of e has.
func appendOwn(dst []byte, e *Event) []byte {
	switch e.Type {
	case Bounce:
		dst = append(dst, `,"bounce":{"class":"`...)
		dst = append(dst, e.BounceClass.String()...)
		dst = append(dst, '"')
		dst = appendText(dst, "category", e.BounceCategory)
		dst = appendText(dst, "code", e.BounceCode)
		if e.BounceAsync {
			dst = append(dst, `,"async":true`...)
		}
		dst = append(dst, '}')
	case Complaint:
		dst = append(dst, `,"complaint":{"kind":"`...)
		dst = append(dst, e.ComplaintKind.String()...)
		dst = append(dst, `"}`...)
	case Unsubscribe:
		if e.UnsubscribeMethod != MethodUnknown {
			dst = append(dst, `,"unsubscribe":{"method":"`...)
			dst = append(dst, e.UnsubscribeMethod.String()...)
			dst = append(dst, `"}`...)
		}
	case OptIn:
		if e.OptInDouble {
			dst = append(dst, `,"optin":{"double":true}`...)
		}
	case Open, Click, Reply:
		if e.Machine {
			dst = append(dst, `,"machine":true`...)
		}
	}
	return dst
}

func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	dst = appendKey(dst, key)
	// The error tells of invalid UTF-8, which has been replaced.
	dst, _ = jsontext.AppendQuote(dst, value)
	return dst
}

func appendTime(dst []byte, key string, t time.Time) []byte {
	dst = append(appendKey(dst, key), '"')
	return append(AppendTime(dst, t), '"')
}

func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}
