package haraka_test

import (
	"testing"

	"sendwatch/internal/event/provider/providertest"
)

func payload(name, fields string) string {
	return `{"type":"` + name + `","job_id":"j1","time":"2026-03-02T08:15:04Z"` + fields + `}`
}

func want(typ, fields string) string {
	return `{"type":"` + typ + `","time":"2026-03-02T08:15:04Z"` + fields + `}`
}

func TestEvents(t *testing.T) {
	bounce := func(fields string) string { return want("bounce", `,"message_id":"j1","bounce":{"class":`+fields+`}`) }
	providertest.Exercise(t, "haraka", []providertest.Case{
		{"delivered", payload("delivered", ""), want("delivery", `,"message_id":"j1"`)},
		{"deferred", payload("deferred", `,"dsn_status":"4.7.1"`), want("deferral", `,"message_id":"j1"`)},
		{"bounced", payload("bounced", `,"dsn_status":"5.0.0","undelivered_reason":"550 5.1.1 unknown"`), bounce(`"hard","code":"5.1.1"`)},
		{"bounced, reply only", payload("bounced", `,"undelivered_reason":"552 full"`), bounce(`"soft"`)},
		{"bounced, no word why", payload("bounced", ``), bounce(`"undetermined"`)},
		{"no time", `{"type":"delivered","job_id":"j1","queue_time":"2026-03-02T08:15:04Z"}`, "rejected: no_time"},
		{"unreadable time", `{"type":"delivered","job_id":"j1","time":"now"}`, "rejected: bad_time"},
		{"all fields", payload("delivered", `,"queue_time":"2026-03-02T08:15:00Z","recipient":"Ann@example.org","from":"n@News.example.com","subject":"secret","hostname":"h"`),
			want("delivery", `,"recipient":"ann@example.org","message_id":"j1","domain":"news.example.com","sent_at":"2026-03-02T08:15:00Z"`)},
	})
}

func FuzzDecode(f *testing.F) {
	providertest.Fuzz(f, "haraka", payload("bounced", `,"dsn_status":"5.0.0","undelivered_reason":"550 5.1.1"`))
}
