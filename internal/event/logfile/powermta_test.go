package logfile_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/event"
	"sendwatch/internal/event/logfile"
	"sendwatch/internal/event/provider/payload"
)

// read gives what the lines become: events in their normal form, "ignored", and reasons of rejections, in order.
func read(r logfile.Reader, lines ...string) []string {
	var out payload.Out
	var got []string
	for _, line := range lines {
		out.Reset(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC), 10*time.Minute)
		r.Read([]byte(line), &out)
		result := out.Result()
		for i := range result.Events {
			got = append(got, string(event.AppendJSON(nil, &result.Events[i])))
		}
		for range result.Ignored {
			got = append(got, "ignored")
		}
		if result.Rejected != nil {
			got = append(got, string(result.Rejected.Reason))
		}
	}
	return got
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

const pmtaHeader = "type,timeLogged,timeQueued,orig,rcpt,dsnStatus,dsnDiag,bounceCat,dlvSourceIp,repSourceIp,vmtaPool,jobId,feedbackType," +
	"header_From,header_Message-Id,header_X-Sendwatch-Tenant,header_X-Sendwatch-Campaign,header_X-Sendwatch-Stream"

func TestPowerMTATypes(t *testing.T) {
	const common = `"message_id":"m1","tenant":"acme","ip":"192.0.2.7","pool":"bulk","domain":"news.example.com","campaign":"march","stream":"lists"`
	row := func(typ string) string {
		return typ + ",2026-03-02 09:00:00+0100,1772438400,b@bounce.example.com,Bob@Example.net,5.1.1 (bad mailbox),smtp;550 no,bad-mailbox," +
			"192.0.2.7,192.0.2.8,bulk,job7,fraud,News <n@News.example.com.>,<m1>,acme,march,lists"
	}
	const sent = `,"sent_at":"2026-03-02T08:00:00Z"}`
	begin := func(typ string) string {
		return `{"type":"` + typ + `","time":"2026-03-02T08:00:00Z","recipient":"bob@example.net",` + common
	}
	delivery := begin("delivery") + sent
	bounce := begin("bounce") + `,"bounce":{"class":"hard","category":"bad-mailbox","code":"5.1.1"}` + sent
	complaint := strings.Replace(begin("complaint"), "192.0.2.7", "192.0.2.8", 1) + `,"complaint":{"kind":"fraud"}}`
	for typ, want := range map[string]string{
		"d": delivery, "delivery": delivery, "D": delivery, "b": bounce, "bounce": bounce, "Bounce": bounce,
		"rb": begin("bounce") + `,"bounce":{"class":"hard","category":"bad-mailbox","code":"5.1.1","async":true}}`,
		"t":  begin("deferral") + sent, "r": begin("send") + "}", "f": complaint,
		"tq": "ignored", "rs": "ignored", "z": "unknown_type", "": "unknown_type",
	} {
		t.Run(typ, func(t *testing.T) { check(t, read(new(logfile.PowerMTA), pmtaHeader, row(typ)), want) })
	}
}

func TestPowerMTAClasses(t *testing.T) {
	for _, c := range []struct{ category, status, diagnostic, want string }{
		{"bad-mailbox", "", "", `{"class":"hard","category":"bad-mailbox"}`},
		{"quota-issues", "5.1.1", "", `{"class":"soft","category":"quota-issues","code":"5.1.1"}`},
		{"spam-related", "", "smtp;550 5.7.1 no", `{"class":"block","category":"spam-related","code":"5.7.1"}`},
		{"bad-configuration", "", "", `{"class":"admin","category":"bad-configuration"}`},
		{"other", "5.0.0 (undefined)", "smtp;552 full", `{"class":"soft","category":"other","code":"5.0.0"}`},
		{"", "5.0.0", "smtp;550 5.2.2 full", `{"class":"soft","code":"5.2.2"}`},
		{"brand-new", "", "smtp;554 no", `{"class":"undetermined","category":"brand-new"}`},
		{"", "", "", `{"class":"undetermined"}`},
	} {
		got := read(new(logfile.PowerMTA), "type,timeLogged,bounceCat,dsnStatus,dsnDiag", "b,1772438400,"+c.category+","+c.status+","+c.diagnostic)
		check(t, got, `{"type":"bounce","time":"2026-03-02T08:00:00Z","bounce":`+c.want+`}`)
	}
}

func TestPowerMTAColumns(t *testing.T) {
	const delivery = `{"type":"delivery","time":"2026-03-02T08:00:00Z"`
	for _, c := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"any order, unknown ones", []string{"rcpt,x,timeLogged,type", "a@b.c,y,1772438400,d"}, []string{delivery + `,"recipient":"a@b.c"}`}},
		{"names of columns have a case", []string{"type,timelogged", "d,1772438400"}, []string{"no_time"}},
		{"names of headers have none", []string{"type,timeLogged,HEADER_FROM,header_message-ID", "d,1772438400,a@b.c,<x>"}, []string{delivery + `,"message_id":"x","domain":"b.c"}`}},
		{"first non-empty of two", []string{"type,timeLogged,jobId,jobId,jobId", "d,1772438400, ,x,y"}, []string{delivery + `,"campaign":"x"}`}},
		{"row ends early", []string{pmtaHeader, "d,1772438400"}, []string{delivery + "}"}},
		{"row goes on", []string{"type,timeLogged", "d,1772438400,x,y"}, []string{delivery + "}"}},
		{"header again, other columns", []string{"type,timeLogged,jobId", "d,1772438400,x", "type,jobId,timeLogged", "d,y,1772438400"}, []string{delivery + `,"campaign":"x"}`, delivery + `,"campaign":"y"}`}},
		{"header again, type not first", []string{"timeLogged,type", "1772438400,d", "timeLogged,type", "1772438400,d"}, []string{delivery + "}", delivery + "}"}},
		{"domain of orig", []string{"type,timeLogged,orig,header_From", "d,1772438400,<x@B.example>,no address"}, []string{delivery + `,"domain":"b.example"}`}},
		{"quotes", []string{"type,timeLogged,jobId,rcpt", `d,"1772438400","a ""b"", c",a@b.c`}, []string{delivery + `,"recipient":"a@b.c","campaign":"a \"b\", c"}`}},
		{"quotes inside a field", []string{"type,timeLogged,jobId", `d,1772438400,a "b"`}, []string{delivery + `,"campaign":"a \"b\""}`}},
		{"quote not closed", []string{"type,timeLogged,jobId", `d,1772438400,"a`, `d,1772438400,"a""`}, []string{"bad_payload", "bad_payload"}},
		{"quote closed too early", []string{"type,timeLogged,jobId", `d,1772438400,"a"b`}, []string{"bad_payload"}},
		{"opt-out", []string{"type,timeLogged,feedbackType", "f,1772438400,opt-out", "f,1772438400,"}, []string{`{"type":"unsubscribe","time":"2026-03-02T08:00:00Z"}`, `{"type":"complaint","time":"2026-03-02T08:00:00Z","complaint":{"kind":"abuse"}}`}},
		{"invalid UTF-8", []string{"type,timeLogged,jobId", "d,1772438400,a\xffb"}, []string{delivery + `,"campaign":"a` + "\ufffd" + `b"}`}},
		{"control character", []string{"type,timeLogged,vmtaPool", "d,1772438400,a\x01b"}, []string{"bad_value"}},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, read(new(logfile.PowerMTA), c.lines...), c.want...) })
	}
}

func TestPowerMTATimes(t *testing.T) {
	for text, want := range map[string]string{
		"2026-03-02 03:30:00-0430":  `{"type":"delivery","time":"2026-03-02T08:00:00Z"}`,
		"1772438400.25":             `{"type":"delivery","time":"2026-03-02T08:00:00.25Z"}`,
		"2026-03-02 12:20:00+0000":  "ahead",
		"":                          "no_time",
		"2026-03-02 08:00:00":       "bad_time",
		"2026-03-02T08:00:00+0000":  "bad_time",
		"2026-03-02T08:00:00Z":      "bad_time",
		"2026-02-30 08:00:00+0000":  "bad_time",
		"2026-03-02 08:00:00+00:00": "bad_time",
		"-5":                        "bad_time",
	} {
		check(t, read(new(logfile.PowerMTA), "type,timeLogged", "d,"+text), want)
	}
	check(t, read(new(logfile.PowerMTA), "type,timeLogged,timeQueued", "d,1772438400,whenever", "tq,,"), `{"type":"delivery","time":"2026-03-02T08:00:00Z"}`, "ignored")
}

func TestPowerMTAAllocatesLittle(t *testing.T) {
	p := new(logfile.PowerMTA)
	var out payload.Out
	now := time.Unix(1772439000, 0)
	p.Read([]byte(pmtaHeader), &out)
	row := []byte(`b,2026-03-02 08:00:00+0000,1772438400,b@x.example,bob@x.example,5.1.1,"smtp;550 ""no""",other,192.0.2.7,,bulk,j,,n@x.example,<m>,acme`)
	n := testing.AllocsPerRun(100, func() {
		out.Reset(now, 0)
		p.Read(row, &out)
	})
	if n > 1 { // the canonical form of the IP address
		t.Errorf("%v allocations", n)
	}
}

func FuzzPowerMTA(f *testing.F) {
	f.Add(pmtaHeader, `b,2026-03-02 08:00:00+0000,1772438400,b@x.example,"bob@x.example"`)
	f.Add("timeLogged,type", `1772438400,"d`)
	f.Fuzz(func(t *testing.T, header, row string) {
		for _, got := range read(new(logfile.PowerMTA), header, row, row) {
			if got == "" {
				t.Error("an outcome without a reason")
			}
		}
	})
}
