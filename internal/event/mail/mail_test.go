package mail_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sendwatch/internal/event"
	"sendwatch/internal/event/mail"
	"sendwatch/internal/event/provider/payload"
)

// read gives what a mail becomes: events in their normal form, "ignored", and the reason of a rejection.
func read(text, format string) []string {
	var out payload.Out
	out.Reset(time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC), 10*time.Minute)
	mail.Decode([]byte(text), format, &out)
	result := out.Result()
	var got []string
	for i := range result.Events {
		got = append(got, string(event.AppendJSON(nil, &result.Events[i])))
	}
	for range result.Ignored {
		got = append(got, "ignored")
	}
	if result.Rejected != nil {
		got = append(got, string(result.Rejected.Reason))
	}
	return got
}

func lines(l ...string) string { return strings.Join(l, "\n") }

// multipart is a mail of parts, each of which begins with its own header.
func multipart(header string, parts ...string) string {
	return header + "Content-Type: multipart/report; boundary=\"=_x\"\n\nfor people\n--=_x\n" + strings.Join(parts, "\n--=_x\n") + "\n--=_x--\n"
}

const (
	reportHeader = "Date: Thu, 5 Mar 2026 09:00:00 +0100\nMessage-ID: <r1@reporter.example>\nFrom: fbl@reporter.example\n"
	words        = "Content-Type: text/plain\n\nSee below.\n"
	original     = "From: News <n@News.Example.com>\nMessage-Id: <m1@example.com>\nDate: Wed, 4 Mar 2026 20:00:00 GMT\nX-Sendwatch-Tenant: acme\n" +
		"x-sendwatch-campaign: march\nX-SENDWATCH-STREAM: lists\nSubject: secret\n"
	aboutOriginal = `"message_id":"m1@example.com","tenant":"acme"`
)

func feedbackPart(fields ...string) string {
	return "Content-Type: message/feedback-report\n\n" + lines(fields...) + "\n"
}

func TestARF(t *testing.T) {
	const rest = `,"domain":"news.example.com","campaign":"march","stream":"lists"`
	const kind, sent = `,"complaint":{"kind":"abuse"}`, `,"sent_at":"2026-03-04T20:00:00Z"}`
	const begin = `{"type":"complaint","time":"2026-03-05T08:00:00Z","id":"r1@reporter.example"`
	rfc822 := "Content-Type: message/rfc822\n\n" + original + "\nbody\n"
	for _, c := range []struct{ name, mail, want string }{
		{"whole", multipart(reportHeader, words, feedbackPart("Feedback-Type: ABUSE", "Version: 1", "Source-IP: 192.0.2.7", "Original-Rcpt-To: <Bob@Example.net>", "Reported-Domain: other.example"), rfc822),
			begin + `,"recipient":"bob@example.net",` + aboutOriginal + `,"ip":"192.0.2.7"` + rest + kind + sent},
		{"folded fields, other kind", multipart(reportHeader, feedbackPart("feedback-type:", "\tfraud", "SOURCE-IP:", " 2001:DB8::1", "Original-Rcpt-To:", " <bob@example.net>"), rfc822),
			begin + `,"recipient":"bob@example.net",` + aboutOriginal + `,"ip":"2001:db8::1"` + rest + `,"complaint":{"kind":"fraud"}` + sent},
		{"several recipients", multipart(reportHeader, feedbackPart("Incidents: 7", "Original-Rcpt-To: a@example.net", "Original-Rcpt-To: b@example.net"), rfc822),
			begin + "," + aboutOriginal + rest + kind + sent},
		{"one recipient twice", multipart(reportHeader, feedbackPart("Original-Rcpt-To: a@example.net", "Original-Rcpt-To: <A@example.net>", "Original-Rcpt-To: undisclosed"), rfc822),
			begin + `,"recipient":"a@example.net",` + aboutOriginal + rest + kind + sent},
		{"opt-out", multipart(reportHeader, feedbackPart("Feedback-Type: Opt-Out", "Original-Rcpt-To: a@example.net", "Removal-Recipient: b@example.net"), rfc822),
			`{"type":"unsubscribe","time":"2026-03-05T08:00:00Z","id":"r1@reporter.example","recipient":"b@example.net",` + aboutOriginal + rest + sent},
		{"opt-out of nobody else", multipart(reportHeader, feedbackPart("Feedback-Type: opt-out", "Original-Rcpt-To: a@example.net", "Removal-Recipient: nobody"), rfc822),
			`{"type":"unsubscribe","time":"2026-03-05T08:00:00Z","id":"r1@reporter.example","recipient":"a@example.net",` + aboutOriginal + rest + sent},
		{"removal counts for opt-out only", multipart(reportHeader, feedbackPart("Removal-Recipient: b@example.net"), rfc822), begin + "," + aboutOriginal + rest + kind + sent},
		{"headers only", multipart(reportHeader, feedbackPart(), "Content-Type: text/rfc822-headers\n\n"+original), begin + "," + aboutOriginal + rest + kind + sent},
		{"other names of headers", multipart(reportHeader, feedbackPart(), "Content-Type: Text/RFC822-Header\n\n"+original), begin + "," + aboutOriginal + rest + kind + sent},
		{"third name of headers", multipart(reportHeader, feedbackPart(), "Content-Type: message/rfc822-headers\n\n"+original), begin + "," + aboutOriginal + rest + kind + sent},
		{"global", multipart(reportHeader, feedbackPart(), "Content-Type: message/global\n\n"+original), begin + "," + aboutOriginal + rest + kind + sent},
		{"encoded original", multipart(reportHeader, feedbackPart(), "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"+base64.StdEncoding.EncodeToString([]byte(original))), begin + "," + aboutOriginal + rest + kind + sent},
		{"encoded report", multipart(reportHeader, "Content-Type: message/feedback-report\nContent-Transfer-Encoding: quoted-printable\n\nFeedback-Type: vi=\nrus=20\n", rfc822), begin + "," + aboutOriginal + rest + `,"complaint":{"kind":"virus"}` + sent},
		{"first original counts", multipart(reportHeader, feedbackPart(), rfc822, "Content-Type: message/rfc822\n\nMessage-ID: <m2>\n"), begin + "," + aboutOriginal + rest + kind + sent},
		{"never closed", strings.TrimSuffix(multipart(reportHeader, feedbackPart(), rfc822), "--=_x--\n"), begin + "," + aboutOriginal + rest + kind + sent},
		{"deeper", multipart(reportHeader, "Content-Type: multipart/mixed; boundary=y\n\n--y\n"+feedbackPart()+"\n--y--\n", "Content-Type: multipart/mixed; boundary=z\n\n--z\n"+rfc822), begin + "," + aboutOriginal + rest + kind + sent},
		{"mbox", "From fbl@reporter.example Thu Mar  5 09:00:00 2026\n" + multipart(reportHeader, feedbackPart(), rfc822), begin + "," + aboutOriginal + rest + kind + sent},
		{"CRLF", strings.ReplaceAll(multipart(reportHeader, feedbackPart(), rfc822), "\n", "\r\n"), begin + "," + aboutOriginal + rest + kind + sent},
		{"no original", multipart(reportHeader, feedbackPart("Reported-Domain: Other.Example.", "Reported-Domain: x.example", "Arrival-Date: Wed, 4 Mar 2026 19:00:00 +0000")),
			begin + `,"domain":"other.example"` + kind + `,"sent_at":"2026-03-04T19:00:00Z"}`},
		{"date of arrival", multipart("Date: whenever\n", feedbackPart("Arrival-Date: Wed, 4 Mar 2026 19:00:00 +0000", "Received-Date: Wed, 4 Mar 2026 18:00:00 +0000")),
			`{"type":"complaint","time":"2026-03-04T19:00:00Z"` + kind + `,"sent_at":"2026-03-04T19:00:00Z"}`},
		{"date of receipt", multipart("", feedbackPart("Received-Date: Wed, 4 Mar 2026 18:00:00 +0000")),
			`{"type":"complaint","time":"2026-03-04T18:00:00Z"` + kind + `,"sent_at":"2026-03-04T18:00:00Z"}`},
		{"no date", multipart("From: a@b.example\n", feedbackPart(), rfc822), "no_time"},
		{"date of no mail", multipart("Date: 2026-03-05T08:00:00Z\n", feedbackPart(), rfc822), "bad_time"},
		{"date ahead", multipart("Date: Thu, 5 Mar 2027 09:00:00 +0100\n", feedbackPart()), "ahead"},
		{"not a JMRP, not a DSN", multipart(reportHeader, "Content-Type: message/delivery-status\n\nA: b\n\nAction: failed\n", feedbackPart(), "Content-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: a@example.net\n"), begin + kind + "}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, format := range []string{"auto", mail.ARF} {
				if diff := cmp.Diff([]string{c.want}, read(c.mail, format)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", format, diff)
				}
			}
			if diff := cmp.Diff([]string{"unknown_shape"}, read(c.mail, mail.DSN)); diff != "" {
				t.Errorf("as DSN (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJMRP(t *testing.T) {
	hotmail := "Content-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: <Bob@Example.net>\n" + original + "\nbody"
	want := `{"type":"complaint","time":"2026-03-05T08:00:00Z","id":"r1@reporter.example","recipient":"bob@example.net",` + aboutOriginal +
		`,"domain":"news.example.com","campaign":"march","stream":"lists","complaint":{"kind":"abuse"},"sent_at":"2026-03-04T20:00:00Z"}`
	for _, c := range []struct{ name, mail, want string }{
		{"whole", multipart(reportHeader, hotmail), want},
		{"behind another mail", multipart(reportHeader, "Content-Type: text/rfc822-headers\n\nMessage-ID: <m2>\n", hotmail), want},
		{"no date of the report", multipart("", hotmail), "no_time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, format := range []string{"auto", mail.ARF} {
				if diff := cmp.Diff([]string{c.want}, read(c.mail, format)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", format, diff)
				}
			}
		})
	}
}

func TestDSN(t *testing.T) {
	status := func(groups ...string) string {
		return multipart(reportHeader, words, "Content-Type: message/delivery-status\n\n"+strings.Join(groups, "\n"), "Content-Type: text/rfc822-headers\n\n"+original)
	}
	const message = "Reporting-MTA: dns; mx.example.net\nArrival-Date: Wed, 4 Mar 2026 21:00:00 +0000\n"
	const failed = "Final-Recipient: rfc822; bob@example.net\nAction: failed\n"
	event := func(typ, recipient, own string) string {
		if recipient != "" {
			recipient = `"recipient":"` + recipient + `",`
		}
		return `{"type":"` + typ + `","time":"2026-03-05T08:00:00Z","id":"r1@reporter.example",` + recipient + aboutOriginal +
			`,"domain":"news.example.com","campaign":"march","stream":"lists"` + own + `,"sent_at":"2026-03-04T20:00:00Z"}`
	}
	bounce := func(recipient, fields string) string {
		return event("bounce", recipient, `,"bounce":{"class":`+fields+`,"async":true}`)
	}
	for _, c := range []struct {
		name, mail string
		want       []string
	}{
		{"failed", status(message, failed+"Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.7.1 no\n"), []string{bounce("bob@example.net", `"hard","code":"5.1.1"`)}},
		{"comment and folding", status(message, failed+"Status: 5.0.0 (permanent failure)\nDiagnostic-Code: smtp; 550 no\n\t5.7.1 policy\n"), []string{bounce("bob@example.net", `"block","code":"5.7.1"`)}},
		{"reply only", status(message, failed+"Status: 5.0.0\nDiagnostic-Code: smtp; 552 full\n"), []string{bounce("bob@example.net", `"soft","code":"5.0.0"`)}},
		{"nothing said", status(message, failed), []string{bounce("bob@example.net", `"undetermined"`)}},
		{"PowerMTA's category", status(message, failed+"Status: 5.1.1\nX-PowerMTA-BounceCategory: quota-issues\n"), []string{bounce("bob@example.net", `"soft","category":"quota-issues","code":"5.1.1"`)}},
		{"PowerMTA's other", status(message, failed+"Status: 5.1.1\nX-PowerMTA-BounceCategory: other\n"), []string{bounce("bob@example.net", `"hard","category":"other","code":"5.1.1"`)}},
		{"delayed", status(message, "Final-Recipient: rfc822; bob@example.net\nACTION: Delayed (still trying)\nStatus: 4.4.1\n"), []string{event("deferral", "bob@example.net", "")}},
		{"good news", status(message, "Action: delivered\n", "Action: relayed\n", "Action: expanded\n", "Action: exploded\n"), []string{"ignored", "ignored", "ignored", "ignored"}},
		{"in order", status(message, failed, "Comment: skipped\n", "Final-Recipient: rfc822;ann@example.net\nAction: delayed\n", "Action: relayed\n", "Original-Recipient: rfc822;cid@example.net\nFinal-Recipient: rfc822;x@example.net\nAction: FAILED\n"),
			[]string{bounce("bob@example.net", `"undetermined"`), event("deferral", "ann@example.net", ""), bounce("cid@example.net", `"undetermined"`), "ignored"}},
		{"original recipient without address", status(message, failed+"Original-Recipient: unknown; bob\n"), []string{bounce("bob@example.net", `"undetermined"`)}},
		{"no address", status(message, "Final-Recipient: unknown; nair_s\nAction: failed\n"), []string{bounce("", `"undetermined"`)}},
		{"bracketed address", status(message, "Final-Recipient: RFC822;<Bob@example.net>\nAction: failed\n"), []string{bounce("bob@example.net", `"undetermined"`)}},
		{"last attempt", status(message, failed+"Last-Attempt-Date: Thu, 5 Mar 2026 07:30:00 +0000\n"), []string{strings.Replace(bounce("bob@example.net", `"undetermined"`), "08:00:00", "07:30:00", 1)}},
		{"unreadable last attempt", status(message, failed+"Last-Attempt-Date: recently\n"), []string{bounce("bob@example.net", `"undetermined"`)}},
		{"no group", status(message), []string{"ignored"}},
		{"no field", status(), []string{"ignored"}},
		{"no group about the message", status(failed), []string{bounce("bob@example.net", `"undetermined"`)}},
		{"a report as original", multipart(reportHeader, "Content-Type: message/delivery-status\n\n"+message+"\n"+failed, "Content-Type: message/rfc822\n\n"+original+strings.ReplaceAll(multipart("", feedbackPart()), "=_x", "=_y")), []string{bounce("bob@example.net", `"undetermined"`)}},
		{"arrival", multipart("", "Content-Type: message/delivery-status\n\n"+message+"\n"+failed), []string{`{"type":"bounce","time":"2026-03-04T21:00:00Z","recipient":"bob@example.net","bounce":{"class":"undetermined","async":true},"sent_at":"2026-03-04T21:00:00Z"}`}},
		{"no date, good news", multipart("", "Content-Type: message/delivery-status\n\nA: b\n\n"+failed+"\nAction: relayed\n"), []string{"ignored", "no_time"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, format := range []string{"auto", mail.DSN} {
				if diff := cmp.Diff(c.want, read(c.mail, format)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", format, diff)
				}
			}
			if diff := cmp.Diff([]string{"unknown_shape"}, read(c.mail, mail.ARF)); diff != "" {
				t.Errorf("as ARF (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNoReport(t *testing.T) {
	for name, text := range map[string]string{
		"words":          "Subject: Undelivered Mail\n\n<bob@example.net>: 550 5.1.1 unknown\n",
		"unsubscribe":    "To: leave@example.com\nSubject: unsubscribe\n\n",
		"forwarded mail": multipart(reportHeader, words, "Content-Type: message/rfc822\n\n"+original),
		"empty":          "",
	} {
		if diff := cmp.Diff([]string{"unknown_shape"}, read(text, "auto")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(multipart(reportHeader, feedbackPart("Feedback-Type: abuse"), "Content-Type: message/rfc822\n\n"+original))
	f.Add(multipart(reportHeader, "Content-Type: message/delivery-status\n\nA: b\n\nFinal-Recipient: rfc822; a@b\nAction: failed\nStatus: 5.1.1\n"))
	f.Add(multipart(reportHeader, "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\nX-HmXmrOriginalRecipient: a@b\n"))
	f.Fuzz(func(t *testing.T, text string) {
		got := read(text, "auto")
		if len(got) == 0 {
			t.Error("a mail becomes nothing, silently")
		}
		if again := read(text, "auto"); !cmp.Equal(got, again) {
			t.Errorf("%q, and then %q", got, again)
		}
	})
}
