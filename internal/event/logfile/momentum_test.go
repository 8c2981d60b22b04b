package logfile_test

import (
	"strings"
	"testing"

	"sendwatch/internal/event/logfile"
)

// Fields of invented lines, by their offsets:            0          1  2  3  4 5   6             7    8            9  10 11   12   13 14 15
const (
	lineR = "1772438400@m1@x@x@R@Bob@Example.net@news@Mail.example.com@y@25@smtp@bulk@b1"
	lineD = "1772438400123456@m1@x@x@D@example.net@25@bulk@b1@0@1.5@192.0.2.25"
	lineT = "1772438400@m1@x@x@T@example.net@3@bulk@b1"
	lineP = "1772438400@m1@x@x@P@example.net@31@bulk"
	lineB = "1772438400@m1@x@x@B@bob@example.net@news@mail.example.com@bulk@b1@5@10@25@192.0.2.25@550 5.1.1 <bob@example.net> no"
	lineF = "1772438400@m1@F@bob@example.net@b1@bulk@Fraud@reporter.example@acme"
)

const stamp = `"time":"2026-03-02T08:00:00Z"`

func TestMomentumKinds(t *testing.T) {
	const deferral = `{"type":"deferral",` + stamp + `,"message_id":"m1","pool":"bulk"}`
	for _, c := range []struct{ name, line, want string }{
		{"R", lineR, `{"type":"send",` + stamp + `,"recipient":"bob@example.net","message_id":"m1","pool":"bulk","domain":"mail.example.com"}`},
		{"R from another node", strings.Replace(lineR, "smtp", "xfer", 1), "ignored"},
		{"R made here", strings.Replace(lineR, "smtp", "internal", 1), "ignored"},
		{"R up to the last named", strings.TrimSuffix(lineR, "@b1"), `{"type":"send",` + stamp + `,"recipient":"bob@example.net","message_id":"m1","pool":"bulk","domain":"mail.example.com"}`},
		{"R too short", strings.TrimSuffix(lineR, "@bulk@b1"), "bad_payload"},
		{"R without recipient", strings.Replace(lineR, "Bob", "", 1), `{"type":"send",` + stamp + `,"message_id":"m1","pool":"bulk","domain":"mail.example.com"}`},
		{"D", lineD, `{"type":"delivery","time":"2026-03-02T08:00:00.123456Z","message_id":"m1","pool":"bulk"}`},
		{"D too short", "1772438400@m1@x@x@D@example.net@25", "bad_payload"},
		{"T of the mainlog", lineT, deferral},
		{"T of the bouncelog", strings.Replace(lineT, "@3@", "@example.net@", 1), "ignored"},
		{"T too short to tell", "1772438400@m1@x@x@T@example.net", "bad_payload"},
		{"T of the mainlog, too short", "1772438400@m1@x@x@T@example.net@3", "bad_payload"},
		{"P", lineP, "ignored"},
		{"P, short and without a time", "x@@@@P", "ignored"},
		{"B", lineB, `{"type":"bounce",` + stamp + `,"recipient":"bob@example.net","message_id":"m1","pool":"bulk","domain":"mail.example.com","bounce":{"class":"hard","category":"10","code":"5.1.1"}}`},
		{"B, out of band", strings.Replace(lineB, "@5@10@", "@21@22@", 1), `{"type":"bounce",` + stamp + `,"recipient":"bob@example.net","message_id":"m1","pool":"bulk","domain":"mail.example.com","bounce":{"class":"soft","category":"22","code":"5.1.1","async":true}}`},
		{"B, automatic reply", strings.Replace(lineB, "@10@", "@60@", 1), "ignored"},
		{"B, subscribe", strings.Replace(lineB, "@10@", "@80@", 1), `{"type":"optin",` + stamp + `,"recipient":"bob@example.net","message_id":"m1","pool":"bulk","domain":"mail.example.com"}`},
		{"B, unsubscribe", strings.Replace(lineB, "@10@", "@90@", 1), `{"type":"unsubscribe",` + stamp + `,"recipient":"bob@example.net","message_id":"m1","pool":"bulk","domain":"mail.example.com","unsubscribe":{"method":"mailto"}}`},
		{"B, reason with an address only", strings.Replace(lineB, "550 5.1.1 <bob@example.net> no", "5.2.2@x 5.3.3", 1), `{"type":"bounce",` + stamp + `,"recipient":"bob@example.net","message_id":"m1","pool":"bulk","domain":"mail.example.com","bounce":{"class":"hard","category":"10","code":"5.3.3"}}`},
		{"B too short", lineB[:strings.LastIndex(lineB, "@550")], "bad_payload"},
		{"F", lineF, `{"type":"complaint",` + stamp + `,"recipient":"bob@example.net","message_id":"m1","pool":"bulk","complaint":{"kind":"fraud"}}`},
		{"F, opt-out", strings.Replace(lineF, "Fraud", "opt-out", 1), `{"type":"unsubscribe",` + stamp + `,"recipient":"bob@example.net","message_id":"m1","pool":"bulk"}`},
		{"F too short", "1772438400@m1@F@bob@example.net@b1@bulk", "bad_payload"},
		{"X", "1772438400@@@@X@y", "ignored"},
		{"M", "1772438400@@@@M", "ignored"},
		{"M1", "1772438400@@@@M1", "ignored"},
		{"unknown kind", "1772438400@m1@x@x@Q@y", "unknown_type"},
		{"no kind", "1772438400@m1", "unknown_type"},
		{"no time", strings.Replace(lineD, "1772438400123456", "", 1), "no_time"},
		{"time of other size", strings.Replace(lineD, "1772438400123456", "1772438400123", 1), "bad_time"},
		{"no number as time", strings.Replace(lineD, "1772438400123456", "-772438400", 1), "bad_time"},
		{"time ahead", strings.Replace(lineD, "1772438400123456", "1772999999", 1), "ahead"},
	} {
		t.Run(c.name, func(t *testing.T) { check(t, read(new(logfile.Momentum), c.line), c.want) })
	}
}

func TestMomentumBounces(t *testing.T) {
	m := new(logfile.Momentum)
	read(m, lineR, lineP, lineD, lineP)
	if p, b := m.Bounces(); p != 2 || b != 0 {
		t.Errorf("Bounces = %d, %d, want 2, 0", p, b)
	}
	read(m, lineB)
	if p, b := m.Bounces(); p != 2 || b != 1 {
		t.Errorf("Bounces = %d, %d, want 2, 1", p, b)
	}
}

func FuzzMomentum(f *testing.F) {
	for _, line := range []string{lineR, lineD, lineT, lineP, lineB, lineF, "", "@@@@@@@@@@@@@@@@@@@@@@"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if got := read(new(logfile.Momentum), line); len(got) != 1 || got[0] == "" {
			t.Errorf("%q becomes %q, want one outcome", line, got)
		}
	})
}
