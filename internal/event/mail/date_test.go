package mail

import (
	netmail "net/mail"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDate(t *testing.T) {
	for text, want := range map[string]string{
		"Thu, 5 Mar 2026 08:15:04 +0000":                                            "2026-03-05T08:15:04Z",
		"5 Mar 2026 08:15:04 -0430":                                                 "2026-03-05T12:45:04Z",
		"Xyz, 05 mAR 2026 08:15 +0000":                                              "2026-03-05T08:15:00Z",
		"Mon,5 Mar 2026 08:15:04":                                                   "2026-03-05T08:15:04Z",
		"Thu, 5 Mar 2026 08:15:04 (a (nested \\) one)) +0100":                       "2026-03-05T07:15:04Z",
		"(c) Thu (c) , (c) 5 (c) Mar (c) 2026 (c) 08 (c) : (c) 15 : 04 (c) GMT (c)": "2026-03-05T08:15:04Z",
		"Thu, 5 Mar 2026 08:15:04 +0000 (UTC)":                                      "2026-03-05T08:15:04Z",
		"Thu, 5 Mar 2026 08:15:04 (never closed":                                    "2026-03-05T08:15:04Z",
		"5 Mar 26 08:15:04 UT":                                                      "2026-03-05T08:15:04Z",
		"5 Mar 49 08:15:04 UT":                                                      "2049-03-05T08:15:04Z",
		"5 Mar 50 08:15:04 UT":                                                      "1950-03-05T08:15:04Z",
		"5 Mar 99 08:15:04 UT":                                                      "1999-03-05T08:15:04Z",
		"5 Mar 00 08:15:04 UT":                                                      "2000-03-05T08:15:04Z",
		"5 Mar 126 08:15:04 UT":                                                     "2026-03-05T08:15:04Z",
		"5 Mar 2026 08:15:04 GMT":                                                   "2026-03-05T08:15:04Z",
		"5 Mar 2026 08:15:04 EST":                                                   "2026-03-05T13:15:04Z",
		"5 Mar 2026 08:15:04 EDT":                                                   "2026-03-05T12:15:04Z",
		"5 Mar 2026 08:15:04 cst":                                                   "2026-03-05T14:15:04Z",
		"5 Mar 2026 08:15:04 CDT":                                                   "2026-03-05T13:15:04Z",
		"5 Mar 2026 08:15:04 MST":                                                   "2026-03-05T15:15:04Z",
		"5 Mar 2026 08:15:04 MDT":                                                   "2026-03-05T14:15:04Z",
		"5 Mar 2026 08:15:04 PST":                                                   "2026-03-05T16:15:04Z",
		"5 Mar 2026 08:15:04 PDT":                                                   "2026-03-05T15:15:04Z",
		"5 Mar 2026 08:15:04 JST":                                                   "2026-03-05T08:15:04Z",
		"5 Mar 2026 08:15:04 CET":                                                   "2026-03-05T08:15:04Z",
		"5 Mar 2026 08:15:04 A":                                                     "2026-03-05T08:15:04Z",
		"5 Mar 2026 08:15:04 -0000":                                                 "2026-03-05T08:15:04Z",
		"31 Dec 2025 23:59:60 +0000":                                                "2026-01-01T00:00:00Z",
		"29 Feb 2024 00:00:00 +0000":                                                "2024-02-29T00:00:00Z",
		"29 Feb 2026 00:00:00 +0000":                                                "",
		"31 Apr 2026 00:00:00 +0000":                                                "",
		"0 Mar 2026 00:00:00 +0000":                                                 "",
		"5 Mar 2026":                                                                "",
		"5 Mär 2026 08:15:04":                                                       "",
		"5 March 2026 08:15:04":                                                     "",
		"Thu 5 Mar 2026 08:15:04":                                                   "",
		"5 Mar 2026 24:00:00":                                                       "",
		"5 Mar 2026 08:60:00":                                                       "",
		"5 Mar 2026 08:15:61":                                                       "",
		"5 Mar 2026 08:15:04 +0160":                                                 "",
		"5 Mar 2026 08:15:04 +01":                                                   "",
		"5 Mar 2026 08:15:04 +01:00":                                                "",
		"5 Mar 2026 08:15:04 +0100 CET":                                             "",
		"5 Mar 2 08:15:04":                                                          "",
		"5 Mar 12026 08:15:04":                                                      "",
		"2026-03-05T08:15:04Z":                                                      "",
		"1772698504":                                                                "",
		"1 Jan 0000 00:00:00 +0100":                                                 "",
		"31 Dec 9999 23:59:59 -0100":                                                "",
		"":                                                                          "",
		"((((":                                                                      "",
	} {
		got := ""
		if at, ok := parseDate(text); ok {
			got = at.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("parseDate(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestParseDateAgrees compares with net/mail, where that is right: on dates with a numeric zone.
func TestParseDateAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", 60*rapid.IntRange(-14*60, 14*60).Draw(t, "zone"))
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0).In(zone)
		text := at.Format(rapid.SampledFrom([]string{time.RFC1123Z, "2 Jan 2006 15:04:05 -0700", "Mon, 2 Jan 06 15:04 -0700", "Mon, _2 Jan 2006 15:04:05 -0700 (MST)"}).Draw(t, "layout"))
		want, err := netmail.ParseDate(text)
		if err != nil {
			t.Skip(err)
		}
		if strings.Contains(text, " 06 ") || want.Year() >= 2050 || want.Year() < 1970 {
			t.Skip("two digits mean another century to Go")
		}
		if got, ok := parseDate(text); !ok || !got.Equal(want) {
			t.Fatalf("parseDate(%q) = %v, %v, want %v", text, got, ok, want)
		}
	})
}

func FuzzParseDate(f *testing.F) {
	f.Add("Thu, 5 Mar 2026 08:15:04 +0000 (UTC)")
	f.Add("(c(c)\\) 5 Mar 99 8:15 EDT")
	f.Fuzz(func(t *testing.T, text string) {
		if at, ok := parseDate(text); ok && (at.Location() != time.UTC || at.Year() < 0 || at.Year() > 9999) {
			t.Errorf("parseDate(%q) = %v", text, at)
		}
	})
}
