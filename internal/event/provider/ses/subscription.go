package ses

import (
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
)

// preferences are what a contact of a list wants to get. Statuses are by topic, in lower case.
type preferences struct {
	nothing bool
	topics  map[string]string
}

func readPreferences(v jsonvalue.Value) preferences {
	p := preferences{nothing: v.Get("unsubscribeAll").IsTrue(), topics: map[string]string{}}
	for topic := range v.Get("topicSubscriptionStatus").Elements() {
		p.topics[topic.Get("topicName").Text()] = strings.ToLower(topic.Get("subscriptionStatus").Text())
	}
	return p
}

// subscription reads a change of preferences. Who left anything has unsubscribed, whatever else was chosen with it.
func subscription(v jsonvalue.Value, around envelope, out *payload.Out) {
	about := v.Get("subscription")
	before, after := readPreferences(about.Get("oldTopicPreferences")), readPreferences(about.Get("newTopicPreferences"))
	recipients := payload.AddressesOf(v.Get("mail", "destination"))
	switch {
	case after.nothing && !before.nothing, becameAny(before, after, "optout"):
		if e, ok := start(v, around, event.Unsubscribe, "subscription", out); ok {
			e.UnsubscribeMethod = method(about.Get("source").Text())
			out.One(e, recipients)
		}
	case before.nothing && !after.nothing, becameAny(before, after, "optin"):
		one(v, around, event.OptIn, "subscription", recipients, out)
	default:
		out.Ignore()
	}
}

func becameAny(before, after preferences, status string) bool {
	for topic, s := range after.topics {
		if s == status && before.topics[topic] != status {
			return true
		}
	}
	return false
}

func method(source string) event.UnsubscribeMethod {
	switch strings.ToLower(source) {
	case "unsubscribeheader":
		return event.OneClick
	case "unsubscribelink":
		return event.Link
	}
	return event.MethodUnknown
}
