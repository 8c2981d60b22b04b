package acs_test

import (
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/providertest"
)

const (
	reportName     = "Microsoft.Communication.EmailDeliveryReportReceived"
	engagementName = "Microsoft.Communication.EmailEngagementTrackingReportReceived"
	attempt        = `"deliveryAttemptTimeStamp":"2026-03-02T08:15:04.1234567+00:00"`
	action         = `"userActionTimeStamp":"2026-03-02T09:00:00Z"`
	path           = "/subscriptions/s1/resourceGroups/g/providers/Microsoft.Communication/CommunicationServices/Shop-Mail"
)

func grid(name, data string) string {
	return `{"id":"i1","topic":"` + path + `","eventType":"` + name + `","eventTime":"2026-03-02T10:00:00Z","data":{` + data + `}}`
}

func status(name, more string) string { return grid(reportName, `"status":"`+name+`",`+attempt+more) }

func want(typ, when, fields string) string {
	return `{"type":"` + typ + `","time":"` + when + `","id":"i1"` + fields + `}`
}

func TestEvents(t *testing.T) {
	const at, tenant = "2026-03-02T08:15:04.1234567Z", `,"tenant":"Shop-Mail"`
	bounce := func(fields string) string { return want("bounce", at, tenant+`,"bounce":{"class":`+fields+`}`) }
	providertest.Exercise(t, "acs", []providertest.Case{
		{"delivered", status("Delivered", `,"recipient":"Ann@example.org","messageId":"m1","sender":"n@Shop.example.com"`),
			want("delivery", at, `,"recipient":"ann@example.org","message_id":"m1"`+tenant+`,"domain":"shop.example.com"`)},
		{"bounced", status("Bounced", `,"deliveryStatusDetails":{"statusMessage":"550 5.2.2 full"}`), bounce(`"hard","category":"Bounced","code":"5.2.2"`)},
		{"failed", status("Failed", `,"deliveryStatusDetails":{"statusMessage":"552 5.0.0 full"}`), bounce(`"soft","category":"Failed","code":"5.0.0"`)},
		{"failed, no word why", status("failed", ``), bounce(`"undetermined","category":"failed"`)},
		{"filtered", status("FilteredSpam", ``), bounce(`"block","category":"FilteredSpam"`)},
		{"quarantined", status("Quarantined", ``), bounce(`"block","category":"Quarantined"`)},
		{"suppressed", status("Suppressed", ``), want("drop", at, tenant)},
		{"expanded", status("Expanded", ``), "ignored"},
		{"out for delivery", grid(reportName, `"status":"OutForDelivery"`), "ignored"},
		{"unknown status", status("Exploded", ``), "rejected: unknown_type"},
		{"no status", grid(reportName, attempt), "rejected: unknown_type"},
		{"view", grid(engagementName, `"engagementType":"view",`+action), want("open", "2026-03-02T09:00:00Z", tenant)},
		{"click", grid(engagementName, `"engagementType":"Click",`+action), want("click", "2026-03-02T09:00:00Z", tenant)},
		{"unknown engagement", grid(engagementName, `"engagementType":"stare",`+action), "rejected: unknown_type"},
		{"no case", grid("Microsoft.communication.emaildeliveryreportreceived", `"status":"delivered",`+attempt), want("delivery", at, tenant)},
		{"other name", grid("Microsoft.EventGrid.SubscriptionValidationEvent", ``), "ignored"},
		{"time of the envelope", grid(reportName, `"status":"Delivered"`), want("delivery", "2026-03-02T10:00:00Z", tenant)},
		{"no time", `{"eventType":"` + reportName + `","data":{"status":"Delivered"}}`, "rejected: no_time"},
		{"no path of the service", `{"id":"i1","topic":"/subscriptions/s1/x","eventType":"` + reportName + `","data":{"status":"Delivered",` + attempt + `}}`, want("delivery", at, "")},
		{"path ends in a slash", `{"id":"i1","topic":"/x/communicationservices/y/","eventType":"` + reportName + `","data":{"status":"Delivered",` + attempt + `}}`, want("delivery", at, `,"tenant":"y"`)},
		{"path without a name", `{"id":"i1","topic":"/x/communicationservices/","eventType":"` + reportName + `","data":{"status":"Delivered",` + attempt + `}}`, want("delivery", at, "")},
	})
}

func TestCloudEvents(t *testing.T) {
	d, err := provider.NewDecoder("acs", provider.Options{MaxAhead: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	cloudEvent := func(typ, data string) string {
		return `{"specversion":"1.0","id":"i1","type":"` + typ + `","source":"` + path + `","time":"2026-03-02T10:00:00Z","data":` + data + `}`
	}
	const tenant = `,"tenant":"Shop-Mail"`
	delivery := want("delivery", "2026-03-02T08:15:04.1234567Z", tenant)
	for _, c := range []struct{ name, value, want string }{
		{"delivery", cloudEvent(reportName, `{"status":"Delivered",`+attempt+`}`), delivery},
		{"engagement", cloudEvent(engagementName, `{"engagementType":"view",`+action+`}`), want("open", "2026-03-02T09:00:00Z", tenant)},
		{"time of the envelope", cloudEvent(reportName, `{"status":"Delivered"}`), want("delivery", "2026-03-02T10:00:00Z", tenant)},
		{"other name", cloudEvent("Microsoft.Storage.BlobCreated", `{"x":1}`), "ignored"},
		{"wrapped delivery", cloudEvent("com.dapr.event.sent", `{"status":"Delivered",`+attempt+`}`), delivery},
		{"wrapped engagement", cloudEvent("com.dapr.event.sent", `{"engagementType":"click",`+action+`}`), want("click", "2026-03-02T09:00:00Z", tenant)},
		{"wrapped in a text", cloudEvent("com.dapr.event.sent", `"{\"status\":\"Delivered\",\"deliveryAttemptTimeStamp\":\"2026-03-02T08:15:04.1234567Z\"}"`), delivery},
		{"wrapped schema of Event Grid", cloudEvent("com.dapr.event.sent", status("Delivered", ``)), delivery},
		{"a list", cloudEvent(reportName, `[]`), "rejected: " + string(event.UnknownType)},
	} {
		if got := providertest.Outcome(d.Decode([]byte(c.value), providertest.Now())); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "acs", status("Failed", `,"deliveryStatusDetails":{"statusMessage":"550"}`), grid(engagementName, `"engagementType":"view"`))
}
