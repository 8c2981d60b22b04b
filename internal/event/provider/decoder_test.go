package provider_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/event/provider"
	"sendwatch/internal/event/provider/providertest"

	"pgregory.net/rapid"
)

const (
	open       = `{"type":"open","time":1772439304}`
	opened     = `{"type":"open","time":"2026-03-02T08:15:04Z"}`
	click      = `{"type":"click","time":1772439304}`
	clicked    = `{"type":"click","time":"2026-03-02T08:15:04Z"}`
	sendGrid   = `{"event":"open","sg_event_id":"e1","timestamp":1772439304,"email":"ann@example.org"}`
	fromGrid   = `{"type":"open","time":"2026-03-02T08:15:04Z","id":"e1","recipient":"ann@example.org"}`
	sesSend    = `{"eventType":"Send","mail":{"timestamp":"2026-03-02T08:15:04Z"}}`
	fromSES    = `{"type":"send","time":"2026-03-02T08:15:04Z"}`
	cloudEvent = `{"specversion":"1.0","type":"x","source":"/x","id":"ce-1","time":"2026-03-02T08:15:04Z","data":%s}`
)

func decoder(t testing.TB, format string, o provider.Options) *provider.Decoder {
	t.Helper()
	d, err := provider.NewDecoder(format, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func lines(l ...string) string { return strings.Join(l, "\n") }

func TestRecords(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	in := func(data string) string { return fmt.Sprintf(cloudEvent, data) }
	base64Of := func(text string) string {
		return strings.Replace(in(`"`+base64.StdEncoding.EncodeToString([]byte(text))+`"`), `"data"`, `"data_base64"`, 1)
	}
	ceID := func(line string) string { return strings.Replace(line, `Z"`, `Z","id":"ce-1"`, 1) }
	d := decoder(t, provider.Auto, provider.Options{MaxAhead: 10 * time.Minute, MaxBytes: 1 << 20})
	for name, c := range map[string]struct{ value, want string }{
		// records
		"tombstone":             {"", "ignored"},
		"only a BOM":            {"\ufeff", "ignored"},
		"a BOM":                 {"\ufeff" + open, opened},
		"white space around":    {" \r\n\t" + open + "\n \t", opened},
		"only white space":      {" \n", "rejected: not_json"},
		"something behind":      {open + "x", "rejected: not_json"},
		"another one behind":    {open + "\n" + open, "rejected: not_json"},
		"a trailing comma":      {`{"type":"open","time":1772439304,}`, "rejected: not_json"},
		"cut off":               {open[:len(open)-1], "rejected: not_json"},
		"a text":                {`"open"`, "rejected: unknown_shape"},
		"a number":              {`7`, "rejected: unknown_shape"},
		"null":                  {`null`, "rejected: unknown_shape"},
		"words":                 {`hello`, "rejected: not_json"},
		"form encoded":          {`mandrill_events=%5B%5D`, "rejected: not_json"},
		"an empty object":       {`{}`, "rejected: unknown_shape"},
		"unknown":               {`{"a":1}`, "rejected: unknown_shape"},
		"unknown type":          {`{"type":"opened","time":1772439304}`, "rejected: unknown_type"},
		"no time":               {`{"type":"open"}`, "rejected: no_time"},
		"bad time":              {`{"type":"open","time":"now"}`, "rejected: bad_time"},
		"ahead":                 {`{"type":"open","time":"2026-06-01T12:10:01Z"}`, "rejected: ahead"},
		"hardly ahead":          {`{"type":"open","time":"2026-06-01T12:10:00Z"}`, `{"type":"open","time":"2026-06-01T12:10:00Z"}`},
		"old":                   {`{"type":"open","time":1}`, `{"type":"open","time":"1970-01-01T00:00:01Z"}`},
		"long tenant":           {`{"type":"open","time":1772439304,"tenant":"` + strings.Repeat("a", 201) + `"}`, "rejected: bad_value"},
		"tenant of 200":         {`{"type":"open","time":1772439304,"tenant":"` + strings.Repeat("a", 200) + `"}`, strings.Replace(opened, `Z"`, `Z","tenant":"`+strings.Repeat("a", 200)+`"`, 1)},
		"control character":     {`{"type":"open","time":1772439304,"stream":"a\nb"}`, "rejected: bad_value"},
		"control in a bad byte": {"{\"type\":\"open\",\"time\":1772439304,\"id\":\"a\x01b\"}", "rejected: not_json"},
		"deep enough":           {`{"type":"open","time":1772439304,"x":` + deep(999) + `}`, opened},
		"too deep":              {`{"type":"open","time":1772439304,"x":` + deep(1000) + `}`, "rejected: not_json"},
		"large, not deep":       {`{"type":"open","time":1772439304,"x":["` + strings.Repeat("[", 5000) + `"]}`, opened},
		"too large":             {`{"type":"open","time":1772439304,"x":"` + strings.Repeat("x", 1<<20) + `"}`, "rejected: too_large"},
		"native in other words": {`{"type":"open","time":1772439304,"source":"aws.ses","detail":1,"event":"open","data":{},"Type":"Notification"}`, opened},
		"marked by another":     {`{"type":"open","time":1772439304,"results":[]}`, "ignored"},

		// batches
		"empty batch":       {` [ ] `, "ignored"},
		"batch":             {"[" + open + "," + sendGrid + " , " + sesSend + "]", lines(opened, fromGrid, fromSES)},
		"bad element":       {"[" + open + `,{"a":1},` + click + "]", lines(opened, clicked, "rejected: unknown_shape")},
		"not objects":       {"[1," + open + `,null,"x"]`, lines(opened, "rejected: unknown_shape")},
		"array in array":    {"[" + open + ",[" + open + "]," + click + "]", lines(opened, clicked, "rejected: unknown_shape")},
		"batch is not json": {"[" + open + "," + click + ",]", "rejected: not_json"},
		"behind a batch":    {"[" + open + "] x", "rejected: not_json"},
		"batch of bad time": {"[" + open + `,{"type":"open","time":"x"},` + click + "]", lines(opened, clicked, "rejected: bad_time")},
		"batch, too deep":   {"[" + open + `,{"type":"open","time":1772439304,"x":` + deep(999) + `}]`, "rejected: not_json"},
		"batch, deep":       {"[" + open + `,{"type":"open","time":1772439304,"x":` + deep(998) + `}]`, lines(opened, opened)},
		"escapes in a batch": {`[{"event":"open","sg_event_id":"\u0061","timestamp":1772439304},{"event":"open","sg_event_id":"\u0062","timestamp":1772439304}]`,
			lines(`{"type":"open","time":"2026-03-02T08:15:04Z","id":"a"}`, `{"type":"open","time":"2026-03-02T08:15:04Z","id":"b"}`)},

		// CloudEvents
		"native in a CloudEvent":     {in(open), ceID(opened)},
		"without a time of its own":  {in(`{"type":"open"}`), ceID(opened)},
		"with an empty time":         {in(`{"type":"open","time":" ","id":null}`), ceID(opened)},
		"with a bad time":            {in(`{"type":"open","time":"soon"}`), "rejected: bad_time"},
		"with an id":                 {in(`{"type":"open","id":"n"}`), strings.Replace(opened, `Z"`, `Z","id":"n"`, 1)},
		"without any time":           {strings.Replace(in(`{"type":"open"}`), `"time"`, `"thyme"`, 1), "rejected: no_time"},
		"a list gets nothing":        {in("[" + open + `,{"type":"open"},7,` + click + "]"), lines(opened, clicked, "rejected: no_time")},
		"an empty list":              {in("[]"), "ignored"},
		"list in list":               {in("[[" + open + "]]"), "rejected: unknown_shape"},
		"json in a text":             {in(`"{\"type\":\"open\"}"`), ceID(opened)},
		"list in a text":             {in(`"[` + strings.ReplaceAll(open, `"`, `\"`) + `]"`), opened},
		"text in a text":             {in(`"\"x\""`), "rejected: unknown_shape"},
		"no json in a text":          {in(`"open"`), "rejected: bad_payload"},
		"base64":                     {base64Of(open), ceID(opened)},
		"base64 of no json":          {base64Of("open"), "rejected: bad_payload"},
		"no base64":                  {strings.Replace(in(`"%"`), `"data"`, `"data_base64"`, 1), "rejected: bad_payload"},
		"no data":                    {in("null"), "rejected: bad_payload"},
		"a number as data":           {in("7"), "rejected: unknown_shape"},
		"sendgrid in a CloudEvent":   {in(sendGrid), fromGrid},
		"unknown in a CloudEvent":    {in(`{"a":1}`), "rejected: unknown_shape"},
		"CloudEvent in a CloudEvent": {in(in(open)), "rejected: unknown_shape"},
		"CloudEvents in one":         {in("[" + in(open) + "," + open + "]"), lines(opened, "rejected: unknown_shape")},
		"native and marked":          {in(`{"type":"open","results":[]}`), "ignored"},
		"CloudEvent named delivery":  {strings.Replace(in(`{"a":1}`), `"x"`, `"delivery"`, 1), "rejected: unknown_shape"},
		"CloudEvents in a batch":     {"[" + in(open) + "," + in(click) + "]", lines(ceID(opened), ceID(clicked))},
	} {
		r := d.Decode([]byte(c.value), providertest.Now())
		if got := providertest.Outcome(r); got != c.want {
			t.Errorf("%s: %.200s\n got %s (%v)\nwant %s", name, c.value, got, r.Rejected, c.want)
		}
	}
}

func TestLimitsCanBeOff(t *testing.T) {
	d := decoder(t, provider.Auto, provider.Options{})
	value := []byte(`{"type":"open","time":"9999-01-01T00:00:00Z","x":"` + strings.Repeat("x", 2<<20) + `"}`)
	if r := d.Decode(value, providertest.Now()); len(r.Events) != 1 {
		t.Error(r.Rejected)
	}
}

func TestNewDecoder(t *testing.T) {
	for _, name := range provider.Names() {
		decoder(t, name, provider.Options{})
	}
	for name, want := range map[string]string{"powermta": "files only", "sendgird": "not known", "": "not known", "Auto": "not known"} {
		if _, err := provider.NewDecoder(name, provider.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", name, err, want)
		}
	}
}

func TestOneFormatAlone(t *testing.T) {
	native, grid := decoder(t, "native", provider.Options{}), decoder(t, "sendgrid", provider.Options{})
	in := func(data string) string { return fmt.Sprintf(cloudEvent, data) }
	for _, c := range []struct {
		d           *provider.Decoder
		value, want string
	}{
		{native, open, opened},
		{native, "[" + open + "," + sendGrid + "]", lines(opened, "rejected: unknown_shape")},
		{native, in(sendGrid), "rejected: unknown_shape"},
		{native, `{"type":"open","time":1772439304,"detail":{}}`, opened},
		{grid, open, "rejected: unknown_shape"},
		{grid, in(open), "rejected: unknown_shape"},
		{grid, in(sendGrid), fromGrid},
		{grid, in("[" + open + "," + sendGrid + "]"), lines(fromGrid, "rejected: unknown_shape")},
		{grid, `{"Type":"SubscriptionConfirmation","Message":"x"}`, "rejected: unknown_shape"},
		{grid, "From: ann@example.org\n\n", "rejected: unknown_shape"},
		{grid, "", "ignored"},
		{grid, "[]", "ignored"},
	} {
		if got := providertest.Outcome(c.d.Decode([]byte(c.value), providertest.Now())); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.value, got, c.want)
		}
	}
}

// TestRecognition says which format each row of the table of tests leads to, by the format that takes a payload whose
// event nobody knows.
func TestRecognition(t *testing.T) {
	for payload, want := range map[string]string{
		`{"sg_event_id":"x","event":"x","msys":{}}`:                                     "sendgrid",
		`{"sg_event_id":7,"event":"x","time":"x"}`:                                      "mailjet",
		`{"Type":"Notification","Message":"x","specversion":"1"}`:                       "ses",
		`{"Records":[{"Sns":{}}],"results":[]}`:                                         "ses",
		`{"Records":[{"Sns":{}},{}],"results":[7]}`:                                     "sparkpost",
		`{"source":"aws.ses","detail":{"eventType":"x"}}`:                               "ses",
		`{"notificationType":"x","mail":{},"msys":{}}`:                                  "ses",
		`{"eventType":"x","mail":"x","msys":{"a":1}}`:                                   "sparkpost",
		`{"results":[7],"items":[]}`:                                                    "sparkpost",
		`{"event-data":{},"mandrill_events":[]}`:                                        "mailgun",
		`{"items":[7],"events":[]}`:                                                     "mailgun",
		`{"RecordType":"x","type":"activity.x","data":{}}`:                              "postmark",
		`{"mandrill_events":"x","events":[]}`:                                           "mandrill",
		`{"events":[7],"RecordType":"x"}`:                                               "mailtrap",
		`{"eventType":"Microsoft.x","data":{},"type":"email.x"}`:                        "acs",
		`{"type":"activity.x","data":{}}`:                                               "mailersend",
		`{"type":"sender_identity.verified","data":{}}`:                                 "mailersend",
		`{"type":"email.x","data":{},"time":1}`:                                         "resend",
		`{"type":"domain.created","data":{}}`:                                           "resend",
		`{"type":"Delivery","time":1,"event":"x"}`:                                      "kumomta",
		`{"job_id":"x","type":"bounced","event":"x","time":1}`:                          "haraka",
		`{"event":"x","uuid":"x","payload":{},"msg":{}}`:                                "postal",
		`{"event":"x","msg":{},"timestamp":1,"email":"x"}`:                              "mandrill",
		`{"type":"blacklist","action":"add","event":"x","time":1}`:                      "mandrill",
		`{"event":"x","timestamp":1,"email":"a@b.c","time":1}`:                          "sendgrid",
		`{"event":"x","time":1,"email":"a@b.c"}`:                                        "mailjet",
		`{"event":"x","email":"a@b.c"}`:                                                 "brevo",
		`{"event":"x","email":"","timestamp":1}`:                                        "mailgun",
		`{"event":"x","email":null,"timestamp":1}`:                                      "mailgun",
		`{"type":"open","time":"x","event":"x","timestamp":1,"email":"a@b.c","msg":{}}`: "native",
		`{"type":"open","time":"","event":"x","timestamp":1,"email":"a@b.c"}`:           "sendgrid",
		`{"type":"open","time":"x","data":{},"payload":{},"uuid":"x","event":"x"}`:      "native",
	} {
		var takers []string
		for _, name := range provider.Names() {
			r := decoder(t, name, provider.Options{}).Decode([]byte(payload), providertest.Now())
			if r.Rejected == nil || r.Rejected.Reason != event.UnknownShape {
				takers = append(takers, name)
			}
		}
		if !slices.Equal(takers, []string{provider.Auto, want}) {
			t.Errorf("%s\ntaken by %v, want auto and %s", payload, takers, want)
		}
	}
}

// TestFastAndSlowWayAgree holds the pass that reads native events without a tree against the table of tests: a key that
// means nothing but has an odd place makes no difference, whatever else there is.
func TestFastAndSlowWayAgree(t *testing.T) {
	fast, slow := decoder(t, provider.Auto, provider.Options{}), decoder(t, provider.Auto, provider.Options{})
	keys := []string{"type", "time", "id", "event", "sg_event_id", "Type", "Message", "Records", "source", "detail", "specversion",
		"eventType", "notificationType", "mail", "msys", "results", "event-data", "items", "mandrill_events", "events", "RecordType",
		"data", "tenant", "bounce"}
	values := []string{`"open"`, `"bounce"`, `1772439304`, `"x"`, `""`, `null`, `{}`, `[]`, `"Notification"`, `"aws.ses"`, `"Received"`,
		`[{"Sns":{}}]`, `{"class":"hard"}`, `"email.x"`, `"Microsoft.x"`}
	rapid.Check(t, func(t *rapid.T) {
		var members []string
		for range rapid.IntRange(0, 7).Draw(t, "members") {
			members = append(members, `"`+rapid.SampledFrom(keys).Draw(t, "key")+`":`+rapid.SampledFrom(values).Draw(t, "value"))
		}
		object := "{" + strings.Join(members, ",") + "}"
		// Large values are left to the slow way.
		padded := strings.TrimSuffix("{"+strings.Join(append([]string{`"pad":["` + strings.Repeat("x", 2000) + `"]`}, members...), ","), ",") + "}"
		got := providertest.Outcome(fast.Decode([]byte(object), providertest.Now()))
		want := providertest.Outcome(slow.Decode([]byte(padded), providertest.Now()))
		if got != want {
			t.Fatalf("%s\nfast %s\nslow %s", object, got, want)
		}
	})
}

func TestNativeAllocatesNothing(t *testing.T) {
	d := decoder(t, provider.Auto, provider.Options{MaxAhead: 10 * time.Minute, MaxBytes: 1 << 20})
	single := []byte(`{"type":"bounce","time":"2026-03-02T09:15:04.5+01:00","id":"x\u0079","recipient":"A@Example.org","tenant":"acme",` +
		`"ip":"2001:DB8::1","bounce":{"class":"Hard","code":"5.1.1"},"sent_at":1772439304.5,"x":{"y":[1]}}`)
	for name, value := range map[string][]byte{"single": single, "batch": fmt.Appendf(nil, "[%s,%s]", single, single)} {
		if got := testing.AllocsPerRun(100, func() {
			if r := d.Decode(value, providertest.Now()); r.Rejected != nil {
				t.Fatal(r.Rejected)
			}
		}); got != 0 {
			t.Errorf("%s: %v allocations a record, want none", name, got)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	native := `{"type":"delivery","time":"2026-03-02T08:15:04.123Z","id":"0102019c-7a51-4f60-9f4e-1c1a5f1d0001","recipient":"user123456@example.org",` +
		`"message_id":"0102019made00001-00000001@mta1","tenant":"tenant-17","ip":"203.0.113.17","pool":"bulk","domain":"news.shop.example.com",` +
		`"campaign":"spring-sale","stream":"news"}`
	for _, c := range []struct{ name, format, value string }{
		{"native_by_name", "native", native}, {"native", provider.Auto, native}, // the difference is what recognising costs
		{"sendgrid", provider.Auto, sendGrid}, {"ses", provider.Auto, sesSend},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := decoder(b, c.format, provider.Options{MaxAhead: 10 * time.Minute, MaxBytes: 1 << 20})
			text, now := []byte(c.value), providertest.Now()
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if r := d.Decode(text, now); len(r.Events) != 1 {
					b.Fatal(r.Rejected)
				}
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	in := func(data string) string { return fmt.Sprintf(cloudEvent, data) }
	providertest.Fuzz(f, "native", open, "["+open+","+sendGrid+"]", in(open), in("["+sesSend+"]"), in(`"`+strings.ReplaceAll(open, `"`, `\"`)+`"`),
		`{"type":"bounce","time":"1772439304.5","recipient":"A <A@b.c>","bounce":{"class":"hard"}}`, "From x\nSubject: y\n\n")
}
