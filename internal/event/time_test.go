package event_test

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"sendwatch/internal/event"

	"pgregory.net/rapid"
)

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		// RFC 3339, any offset, any number of digits
		"2026-03-02T08:15:04Z":              "2026-03-02T08:15:04Z",
		"2026-03-02T08:15:04.500Z":          "2026-03-02T08:15:04.5Z",
		"2026-03-02T08:15:04.123456789Z":    "2026-03-02T08:15:04.123456789Z",
		"2026-03-02T08:15:04.1234567899Z":   "2026-03-02T08:15:04.123456789Z",
		"2026-03-02T08:15:04.0000001+01:00": "2026-03-02T07:15:04.0000001Z",
		"2026-03-02T00:15:04-09:30":         "2026-03-02T09:45:04Z",
		"2026-03-02t08:15:04z":              "2026-03-02T08:15:04Z",
		"2024-02-29T00:00:00Z":              "2024-02-29T00:00:00Z",
		"0001-01-01T00:00:00Z":              "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999Z":          "9999-12-31T23:59:59.999Z",
		"2023-02-29T00:00:00Z":              "",
		"2026-04-31T00:00:00Z":              "",
		"2026-13-01T00:00:00Z":              "",
		"2026-03-02T24:00:00Z":              "",
		"2026-03-02T08:60:00Z":              "",
		"2026-03-02T08:15:60Z":              "",
		"2026-03-02T08:15:04.Z":             "",
		"2026-03-02T08:15:04,5Z":            "",
		"2026-03-02T08:15:04":               "",
		"2026-03-02 08:15:04Z":              "",
		"2026-03-02T08:15:04+0100":          "",
		"2026-03-02T08:15:04+24:00":         "",
		"2026-03-02T08:15:04Z ":             "",
		"9999-12-31T23:59:59-00:01":         "",
		"0000-01-01T00:00:00+00:01":         "",
		"Mon, 02 Mar 2026 08:15:04 +0000":   "",
		// numbers: the size tells the unit
		"0":                     "1970-01-01T00:00:00Z",
		"-0":                    "1970-01-01T00:00:00Z",
		"1772439304":            "2026-03-02T08:15:04Z",
		"1772439304.5":          "2026-03-02T08:15:04.5Z",
		"1772439304123":         "2026-03-02T08:15:04.123Z",
		"1772439304123456":      "2026-03-02T08:15:04.123456Z",
		"1772439304123456789":   "2026-03-02T08:15:04.123456789Z",
		"99999999999":           "5138-11-16T09:46:39Z",
		"100000000000":          "1973-03-03T09:46:40Z",
		"99999999999.999999999": "5138-11-16T09:46:39.999999999Z",
		"99999999999999":        "5138-11-16T09:46:39.999Z",
		"100000000000000":       "1973-03-03T09:46:40Z",
		"99999999999999999":     "5138-11-16T09:46:39.999999Z",
		"100000000000000000":    "1973-03-03T09:46:40Z",
		// exact, cut and not rounded
		"1772439304.1234567899":            "2026-03-02T08:15:04.123456789Z",
		"1772439304123.4567899":            "2026-03-02T08:15:04.123456789Z",
		"1772439304123456789.9":            "2026-03-02T08:15:04.123456789Z",
		"0.0000000019":                     "1970-01-01T00:00:00.000000001Z",
		"0.0000000009":                     "1970-01-01T00:00:00Z",
		"1.772439304123456789e9":           "2026-03-02T08:15:04.123456789Z",
		"1.772439304123456789E+9":          "2026-03-02T08:15:04.123456789Z",
		"17724393041234567890000e-13":      "2026-03-02T08:15:04.123456789Z",
		"0.00000000017724393041234567e+19": "2026-03-02T08:15:04.1234567Z",
		"1e-400":                           "1970-01-01T00:00:00Z",
		"0e999999999999999999999":          "1970-01-01T00:00:00Z",
		"253402300799000000000":            "9999-12-31T23:59:59Z",
		"253402300800000000000":            "",
		"1e22":                             "",
		"1e999999999999999999999":          "",
		"-1":                               "",
		"-1e-400":                          "",
		"+1":                               "",
		"01":                               "",
		"1.":                               "",
		".5":                               "",
		"1e":                               "",
		"1e+":                              "",
		"0x10":                             "",
		"1_000":                            "",
		"":                                 "",
		" 1":                               "",
		"NaN":                              "",
		"1.0e-5000000000000000000000":      "1970-01-01T00:00:00Z",
	} {
		got, ok := event.ParseTime(text)
		switch {
		case ok != (want != ""):
			t.Errorf("ParseTime(%q) readable = %t, want %q", text, ok, want)
		case ok && string(event.AppendTime(nil, got)) != want:
			t.Errorf("ParseTime(%q) = %s, want %s", text, event.AppendTime(nil, got), want)
		case ok && got.Location() != time.UTC:
			t.Errorf("ParseTime(%q) is in %s, want UTC", text, got.Location())
		}
	}
}

// TestParseTimeAgainstRationals compares the reading of numbers with the definition, in exact arithmetic.
func TestParseTimeAgainstRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprint(rapid.Uint64().Draw(t, "integer") >> rapid.IntRange(0, 63).Draw(t, "smaller"))
		if rapid.Bool().Draw(t, "fraction") {
			text += "." + rapid.StringMatching(`[0-9]{1,22}`).Draw(t, "digits")
		}
		if rapid.Bool().Draw(t, "exponent") {
			text += fmt.Sprintf("e%d", rapid.IntRange(-25, 25).Draw(t, "power"))
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q is no number", text)
		}
		unit := int64(1e9)
		for _, limit := range []string{"100000000000", "100000000000000", "100000000000000000"} {
			l, _ := new(big.Rat).SetString(limit)
			if exact.Cmp(l) >= 0 {
				unit /= 1000
			}
		}
		exact.Mul(exact, new(big.Rat).SetInt64(unit))
		nanos := new(big.Int).Quo(exact.Num(), exact.Denom())
		seconds, rest := new(big.Int).QuoRem(nanos, big.NewInt(1e9), new(big.Int))
		readable := seconds.Cmp(big.NewInt(253402300799)) <= 0

		got, ok := event.ParseTime(text)
		if ok != readable {
			t.Fatalf("ParseTime(%q) readable = %t, want %t", text, ok, readable)
		}
		if want := time.Unix(seconds.Int64(), rest.Int64()); ok && !got.Equal(want) {
			t.Fatalf("ParseTime(%q) = %s, want %s", text, got, want.UTC())
		}
	})
}

// TestParseTimeReadsWhatTimeWrites covers all offsets and fractions.
func TestParseTimeReadsWhatTimeWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-23*60-59, 23*60+59).Draw(t, "offset")*60)
		want := time.Unix(rapid.Int64Range(-62167132800, 253402214400).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
		text := want.In(zone).Format(time.RFC3339Nano)
		got, ok := event.ParseTime(text)
		if !ok || !got.Equal(want) {
			t.Fatalf("ParseTime(%q) = %s, %t", text, got, ok)
		}
		again, ok := event.ParseTime(string(event.AppendTime(nil, got)))
		if !ok || !again.Equal(want) {
			t.Fatalf("%s does not survive being written", text)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-03-02T08:15:04.5+01:00", "1772439304.5", "17e8", "-1", "0.1e-9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := event.ParseTime(s)
		if !ok {
			return
		}
		text := string(event.AppendTime(nil, got))
		if again, ok := event.ParseTime(text); !ok || !again.Equal(got) || strings.ContainsAny(text, "+ ") {
			t.Fatalf("%q became %q, which does not read as the same", s, text)
		}
	})
}
