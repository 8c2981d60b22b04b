package status_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"sendwatch/internal/event"
	"sendwatch/internal/event/status"
)

func TestFind(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"5.1.1":                                  "5.1.1",
		"550-5.1.1 The account":                  "5.1.1",
		"#5.1.1":                                 "5.1.1",
		"smtp;550 5.1.1":                         "5.1.1",
		"smtp; 550 5.7.26 This mail is":          "5.7.26",
		"(17.99.99.99)":                          "",
		"v5.1.1":                                 "",
		"5.1.1v":                                 "",
		"_5.1.1":                                 "",
		"a@5.1.1":                                "",
		"5.1.1@host":                             "",
		"ends the sentence with 5.1.1.":          "5.1.1",
		"ends with dots 5.1.1...":                "5.1.1",
		"5.1.1.The":                              "",
		".5.1.1":                                 "",
		"3.1.1 1.1.1 6.0.0":                      "",
		"2.1.5 ok":                               "2.1.5",
		"5.1234.1":                               "",
		"5.1.1234":                               "",
		"5.123.456":                              "5.123.456",
		"5..1":                                   "",
		"5.1":                                    "",
		"5.1.":                                   "",
		"55.1.1":                                 "",
		"421 from 10.0.0.1: 4.7.0 try again":     "4.7.0",
		"é5.1.1é":                                "5.1.1",
		"5.1.1:5.2.2":                            "5.1.1",
		"x5.1.1 5.2.2":                           "5.2.2",
		"5.0.0 5.1.1":                            "5.0.0",
		"550 5.1.1_user 5.2.2/5.3.3":             "5.2.2",
		"<bob@192.0.2.5> 550-5.4.1":              "5.4.1",
		"mx.example.org (5.7.1) said: 554-5.7.0": "5.7.1",
	} {
		if got := status.Find(text); got != want {
			t.Errorf("Find(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestCode(t *testing.T) {
	for _, c := range []struct {
		sources []string
		want    string
	}{
		{nil, ""},
		{[]string{"", "no code"}, ""},
		{[]string{"5.1.1", "5.2.2"}, "5.1.1"},
		{[]string{"5.0.0", "5.2.2"}, "5.2.2"},
		{[]string{"", "4.0.0", "5.0.0"}, "4.0.0"},
		{[]string{"5.0.0", "550 unknown"}, "5.0.0"},
		{[]string{"5.0.0 5.1.1"}, "5.0.0"},
		{[]string{"5.10.0", "5.1.1"}, "5.10.0"},
		{[]string{"550", "550 5.1.10 x"}, "5.1.10"},
	} {
		if got := status.Code(c.sources...); got != c.want {
			t.Errorf("Code(%q) = %q, want %q", c.sources, got, c.want)
		}
	}
}

func TestReply(t *testing.T) {
	for _, c := range []struct {
		sources []string
		want    string
	}{
		{nil, ""},
		{[]string{"550"}, "550"},
		{[]string{"250", "451"}, "451"},
		{[]string{"250 then 550"}, "550"},
		{[]string{"550-5.1.1 The"}, "550"},
		{[]string{"smtp;552 full"}, "552"},
		{[]string{"SMTP550"}, ""},
		{[]string{"5500", "0550", "55"}, ""},
		{[]string{"421."}, "421"},
		{[]string{"550.1"}, ""},
		{[]string{"", "none", "a (554) b"}, "554"},
		{[]string{"user550@example.com 452"}, "452"},
	} {
		if got := status.Reply(c.sources...); got != c.want {
			t.Errorf("Reply(%q) = %q, want %q", c.sources, got, c.want)
		}
	}
}

func TestClass(t *testing.T) {
	for _, c := range []struct {
		code, reply string
		want        event.BounceClass
	}{
		{"4.2.2", "550", event.Soft},
		{"4.7.1", "", event.Soft},
		{"4.0.0", "", event.Soft},
		{"5.1.7", "", event.Block},
		{"5.1.8", "550", event.Block},
		{"5.1.1", "", event.Hard},
		{"5.1.0", "", event.Hard},
		{"5.1.78", "", event.Hard},
		{"5.2.1", "", event.Hard},
		{"5.2.2", "550", event.Soft},
		{"5.2.11", "", event.Soft},
		{"5.3.4", "", event.Soft},
		{"5.4.1", "", event.Hard},
		{"5.4.4", "", event.Hard},
		{"5.4.7", "550", event.Soft},
		{"5.6.1", "", event.Block},
		{"5.7.26", "550", event.Block},
		{"5.5.1", "", event.Undetermined},
		{"5.5.1", "550", event.Hard},
		{"5.0.0", "421", event.Soft},
		{"5.0.0", "552", event.Soft},
		{"5.10.1", "", event.Undetermined},
		{"5.71.1", "554", event.Undetermined},
		{"2.0.0", "551", event.Hard},
		{"2.1.1", "", event.Undetermined},
		{"", "450", event.Soft},
		{"", "499", event.Soft},
		{"", "550", event.Hard},
		{"", "551", event.Hard},
		{"", "553", event.Hard},
		{"", "521", event.Hard},
		{"", "556", event.Hard},
		{"", "552", event.Soft},
		{"", "554", event.Undetermined},
		{"", "", event.Undetermined},
		{"", "4x0", event.Undetermined},
		{"garbage", "550", event.Hard},
	} {
		if got := status.Class(c.code, c.reply); got != c.want {
			t.Errorf("Class(%q, %q) = %v, want %v", c.code, c.reply, got, c.want)
		}
	}
}

func TestKind(t *testing.T) {
	for text, want := range map[string]event.ComplaintKind{
		"": event.Abuse, "  ": event.Abuse, "abuse": event.Abuse, "ABUSE": event.Abuse, " Fraud ": event.Fraud, "virus": event.Virus,
		"other": event.Other, "Not-Spam": event.NotSpam, "auth-failure": event.AuthFailure, "miscategorized": event.Other,
		"a feedback type longer than any that is known": event.Other, "undetermined": event.Other,
	} {
		if got, optOut := status.Kind(text); got != want || optOut {
			t.Errorf("Kind(%q) = %v, %v, want %v, false", text, got, optOut, want)
		}
	}
	for _, text := range []string{"opt-out", "Opt-Out", " OPT-OUT "} {
		if got, optOut := status.Kind(text); got != event.Other || !optOut {
			t.Errorf("Kind(%q) = %v, %v, want other, true", text, got, optOut)
		}
	}
}

func TestMailboxProvider(t *testing.T) {
	for want, texts := range map[string][]string{
		"gmail":   {"gmail", "Google", "Google Workspace", "G Suite", "GSuite", " GMAIL "},
		"outlook": {"Outlook", "hotmail", "Microsoft", "MSN", "live", "Office365", "Office 365", "Microsoft 365"},
		"yahoo":   {"yahoo", "Yahoo!", "AOL", "Verizon Media"},
		"apple":   {"apple", "iCloud"},
		"":        {"", "gmail.com", "other", "a mailbox provider longer than any that is known"},
	} {
		for _, text := range texts {
			if got := status.MailboxProvider(text); got != want {
				t.Errorf("MailboxProvider(%q) = %q, want %q", text, got, want)
			}
		}
	}
}

func TestPowerMTAClass(t *testing.T) {
	for want, categories := range map[event.BounceClass][]string{
		event.Hard:  {"bad-mailbox", "bad-domain", "inactive-mailbox", " Bad-Mailbox "},
		event.Soft:  {"quota-issues", "message-expired", "no-answer-from-host", "bad-connection", "routing-errors", "protocol-errors"},
		event.Block: {"content-related", "policy-related", "spam-related", "virus-related", "invalid-sender", "relaying-issues"},
		event.Admin: {"bad-configuration"},
	} {
		for _, category := range categories {
			if got, ok := status.PowerMTAClass(category); got != want || !ok {
				t.Errorf("PowerMTAClass(%q) = %v, %v, want %v", category, got, ok, want)
			}
		}
	}
	for _, category := range []string{"other", "", "success", "a category that nobody has ever heard of"} {
		if got, ok := status.PowerMTAClass(category); ok {
			t.Errorf("PowerMTAClass(%q) = %v, want that the codes tell", category, got)
		}
	}
}

// model is the definition of a token and a code in the words of regular expressions: slow, and easy to compare with the
// text that defines them.
type model struct{ run, code, reply *regexp.Regexp }

func newModel() model {
	return model{regexp.MustCompile(`[0-9.]+`), regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}$`), regexp.MustCompile(`^[45][0-9]{2}$`)}
}

func (m model) first(form *regexp.Regexp, text string) string {
	const near = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_@"
	for _, at := range m.run.FindAllStringIndex(text, -1) {
		if at[0] > 0 && strings.IndexByte(near, text[at[0]-1]) >= 0 || at[1] < len(text) && strings.IndexByte(near, text[at[1]]) >= 0 {
			continue
		}
		if token := strings.TrimRight(text[at[0]:at[1]], "."); form.MatchString(token) {
			return token
		}
	}
	return ""
}

// TestAgainstModel compares the scanner with the definition on texts made of the pieces that matter.
func TestAgainstModel(t *testing.T) {
	m := newModel()
	piece := rapid.SampledFrom([]string{"5", "4", "2", "1", "55", "550", "421", "1234", ".", "..", "5.1.1", "5.0.0", " ", "-", "_", "@", "a", "Z", "é", "#", "\n"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(piece).Draw(t, "text"), "")
		if got, want := status.Find(text), m.first(m.code, text); got != want {
			t.Fatalf("Find(%q) = %q, want %q", text, got, want)
		}
		if got, want := status.Reply(text), m.first(m.reply, text); got != want {
			t.Fatalf("Reply(%q) = %q, want %q", text, got, want)
		}
	})
}

// TestCodePrefers checks the order of sources: a code that says something wins over one that does not, and each of them
// over a later one of its sort.
func TestCodePrefers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sources := rapid.SliceOf(rapid.SampledFrom([]string{"", "x", "5.0.0", "4.0.0", "5.1.1", "550 4.2.2 full", "5.0.1"})).Draw(t, "sources")
		vague, want := "", ""
		for _, s := range sources {
			code := status.Find(s)
			if code == "" {
				continue
			}
			if strings.HasSuffix(code, ".0.0") {
				if vague == "" {
					vague = code
				}
			} else if want == "" {
				want = code
			}
		}
		if want == "" {
			want = vague
		}
		if got := status.Code(sources...); got != want {
			t.Fatalf("Code(%q) = %q, want %q", sources, got, want)
		}
	})
}

func TestAllocatesNothing(t *testing.T) {
	first, second := "550 5.0.0 "+strings.Repeat("x", 50), "smtp;550-5.1.1 no such user"
	n := testing.AllocsPerRun(100, func() {
		status.Class(status.Code(first, second), status.Reply(first, second))
		status.Kind("Not-Spam")
		status.MailboxProvider("Google Workspace")
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzStatus(f *testing.F) {
	f.Add("550-5.1.1 The account", "smtp; 452 4.2.2")
	f.Add("(17.99.99.99)", "5.1.1@a")
	m := newModel()
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := status.Find(a), m.first(m.code, a); got != want {
			t.Errorf("Find(%q) = %q, want %q", a, got, want)
		}
		if code := status.Code(a, b); code != "" && !m.code.MatchString(code) {
			t.Errorf("Code(%q, %q) = %q, no status code", a, b, code)
		}
		reply := status.Reply(a, b)
		if reply != "" && !m.reply.MatchString(reply) {
			t.Errorf("Reply(%q, %q) = %q, no reply code", a, b, reply)
		}
		if c := status.Class(a, b); c == event.Admin {
			t.Errorf("Class(%q, %q) = %v: codes never tell that", a, b, c)
		}
		status.Kind(a)
		status.MailboxProvider(a)
	})
}

func BenchmarkCode(b *testing.B) {
	text := "smtp; 550-5.1.1 The email account that you tried to reach does not exist."
	for b.Loop() {
		status.Class(status.Code("5.0.0", text), status.Reply(text))
	}
}
