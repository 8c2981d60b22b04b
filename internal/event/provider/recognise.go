package provider

import (
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/ses"
)

// recognise finds the format of an object: the first test that fits decides. It returns "" when none does. Names are
// compared exactly.
func recognise(v jsonvalue.Value) string {
	if format := recogniseMarked(v); format != "" {
		return format
	}
	if isNative(v) && v.Get("time").IsPresent() {
		return formatNative
	}
	return recogniseByFields(v)
}

// recogniseMarked knows the formats that have a mark of their own. They come before the native form, which has none. Keys
// that it looks for have to be in isForeign too.
func recogniseMarked(v jsonvalue.Value) string {
	has := func(key string) jsonvalue.Value { return v.Get(key) }
	typ, eventType := has("type").Exact(), has("eventType").Exact()
	switch {
	case has("sg_event_id").IsString() && has("event").IsString():
		return formatSendGrid
	case isSNS(has("Type").Exact()) && has("Message").IsString(),
		isLambda(has("Records")),
		has("source").Exact() == "aws.ses" && has("detail").IsObject():
		return formatSES
	case has("specversion").IsString() && has("type").IsString() && has("source").IsString() && has("id").IsString():
		return formatCloudEvents
	case ses.Is(v):
		return formatSES
	case has("msys").IsObject() || has("results").IsArray():
		return formatSparkPost
	case has("event-data").IsObject() || has("items").IsArray():
		return formatMailgun
	case has("mandrill_events").IsArray() || has("mandrill_events").IsString():
		return formatMandrill
	case has("events").IsArray():
		return formatMailtrap
	case has("RecordType").IsString():
		return formatPostmark
	case strings.HasPrefix(eventType, "Microsoft.") && has("data").IsObject():
		return formatACS
	case isMailerSend(typ) && has("data").IsObject():
		return formatMailerSend
	case isResend(typ) && has("data").IsObject():
		return formatResend
	case isKumoMTA(typ):
		return formatKumoMTA
	}
	return ""
}

// isForeign reports whether a key may mark an object of another format although its type is a native one: those that
// recogniseMarked looks for before it looks at type.
func isForeign(key string) bool {
	switch key {
	case "sg_event_id", "Type", "Records", "detail", "specversion", "eventType", "notificationType", "msys", "results",
		"event-data", "items", "mandrill_events", "events", "RecordType":
		return true
	}
	return false
}

// recogniseByFields knows the formats by which fields stand together.
func recogniseByFields(v jsonvalue.Value) string {
	has := func(key string) jsonvalue.Value { return v.Get(key) }
	typ, named := has("type").Exact(), has("event").IsString()
	switch {
	case has("job_id").IsString() && (typ == "delivered" || typ == "bounced" || typ == "deferred"):
		return formatHaraka
	case named && has("uuid").IsString() && has("payload").IsObject():
		return formatPostal
	case named && has("msg").IsObject(), (typ == "blacklist" || typ == "whitelist") && has("action").IsPresent():
		return formatMandrill
	case named && has("timestamp").IsPresent() && has("email").IsPresent():
		return formatSendGrid
	case named && has("time").IsPresent():
		return formatMailjet
	case named && has("email").IsPresent():
		return formatBrevo
	case named && has("timestamp").IsPresent():
		return formatMailgun
	}
	return ""
}

func isNative(v jsonvalue.Value) bool {
	_, ok := event.ParseType(v.Get("type").Exact())
	return ok
}

func isSNS(typ string) bool {
	return typ == "Notification" || typ == "SubscriptionConfirmation" || typ == "UnsubscribeConfirmation"
}

func isLambda(records jsonvalue.Value) bool {
	for r := range records.Elements() {
		if !r.Get("Sns").IsObject() {
			return false
		}
	}
	return records.IsArray()
}

func isMailerSend(typ string) bool {
	return hasPrefix(typ, "activity.", "sender_identity.", "maintenance.", "inbound_forward.", "email_single.", "bulk_email.")
}

func isResend(typ string) bool {
	return hasPrefix(typ, "email.", "domain.", "contact.", "suppression.")
}

func hasPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func isKumoMTA(typ string) bool {
	switch typ {
	case "Reception", "Delivery", "TransientFailure", "Delayed", "Bounce", "OOB", "Expiration", "AdminBounce", "Rejection",
		"Feedback", "AdminRebind", "XferIn", "XferOut", "DeferredInjectionRebind":
		return true
	}
	return false
}
