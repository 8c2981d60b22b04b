package mail

import (
	"strings"
	"time"
)

// parseDate reads the date of a mail header as RFC 5322 and its obsolete forms have it, in UTC: the day name is optional
// and not checked, the seconds are optional, comments are dropped, years may have two or three digits, and zones a name.
// A name that RFC 5322 does not know counts as UTC, as does no zone at all.
//
// net/mail.ParseDate is not used: to Go, most zone names are an offset of zero, "EDT" too.
func parseDate(text string) (time.Time, bool) {
	d := dateScanner{rest: text}
	if d.word() != "" && !d.punctuation(',') {
		return time.Time{}, false
	}
	day, ok1 := d.number(1, 2)
	month, ok2 := monthOf(d.word())
	year, ok3 := d.year()
	hour, ok4 := d.number(1, 2)
	ok5 := d.punctuation(':')
	minute, ok6 := d.number(1, 2)
	second, ok7 := 0, true
	if d.punctuation(':') {
		second, ok7 = d.number(1, 2)
	}
	offset, ok8 := d.zone()
	ok := ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7 && ok8 && d.isAtEnd()
	if !ok || hour > 23 || minute > 59 || second > 60 { // 60 is a leap second
		return time.Time{}, false
	}
	t := time.Date(year, month, day, hour, minute, 0, 0, time.UTC)
	if t.Day() != day { // time.Date carries the 31st of April into May
		return time.Time{}, false
	}
	t = t.Add(time.Duration(second)*time.Second - offset)
	return t, 0 <= t.Year() && t.Year() <= 9999
}

// dateScanner gives the tokens of a date. Each method takes what it names, or nothing; white space and comments before it
// are skipped.
type dateScanner struct{ rest string }

func (d *dateScanner) skip() {
	for {
		d.rest = strings.TrimLeft(d.rest, " \t\r\n")
		if !strings.HasPrefix(d.rest, "(") {
			return
		}
		d.rest = d.rest[commentLength(d.rest):]
	}
}

// commentLength returns how long the comment at the start of s is. Comments nest; one that is never closed runs to the end.
func commentLength(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

func (d *dateScanner) isAtEnd() bool {
	d.skip()
	return d.rest == ""
}

func (d *dateScanner) punctuation(c byte) bool {
	d.skip()
	if d.rest == "" || d.rest[0] != c {
		return false
	}
	d.rest = d.rest[1:]
	return true
}

func (d *dateScanner) word() string {
	return d.run(func(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' })
}

func (d *dateScanner) run(accepts func(byte) bool) string {
	d.skip()
	n := 0
	for n < len(d.rest) && accepts(d.rest[n]) {
		n++
	}
	token := d.rest[:n]
	d.rest = d.rest[n:]
	return token
}

// number takes digits, at least and at most so many.
func (d *dateScanner) number(least, most int) (int, bool) {
	n, digits := d.digits()
	return n, least <= digits && digits <= most
}

func (d *dateScanner) digits() (n, digits int) {
	token := d.run(func(c byte) bool { return '0' <= c && c <= '9' })
	if len(token) > 4 {
		return 0, len(token)
	}
	for _, c := range []byte(token) {
		n = n*10 + int(c-'0')
	}
	return n, len(token)
}

func (d *dateScanner) year() (int, bool) {
	n, digits := d.digits()
	switch {
	case digits == 2 && n < 50:
		n += 2000
	case digits == 2 || digits == 3:
		n += 1900
	}
	return n, 2 <= digits && digits <= 4
}

// zone takes an offset, a name, or nothing.
func (d *dateScanner) zone() (time.Duration, bool) {
	sign := time.Duration(1)
	switch {
	case d.punctuation('+'):
	case d.punctuation('-'):
		sign = -1
	default:
		return zoneOffset(d.word()), true
	}
	n, ok := d.number(4, 4)
	offset := time.Duration(n/100)*time.Hour + time.Duration(n%100)*time.Minute
	return sign * offset, ok && n%100 < 60
}

func zoneOffset(name string) time.Duration {
	switch strings.ToUpper(name) {
	case "EDT":
		return -4 * time.Hour
	case "EST", "CDT":
		return -5 * time.Hour
	case "CST", "MDT":
		return -6 * time.Hour
	case "MST", "PDT":
		return -7 * time.Hour
	case "PST":
		return -8 * time.Hour
	}
	return 0
}

func monthOf(name string) (time.Month, bool) {
	for m := time.January; m <= time.December; m++ {
		if strings.EqualFold(name, m.String()[:3]) {
			return m, true
		}
	}
	return 0, false
}
