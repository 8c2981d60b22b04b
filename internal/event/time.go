package event

import "time"

// Bounds of the times that the normal form can write: the years 0 to 9999.
const (
	maxSeconds = 253402300799 // 9999-12-31T23:59:59Z
	minSeconds = -62167219200 // 0000-01-01T00:00:00Z
)

// ParseTime reads a time as payloads write it: RFC 3339 with any offset, or a number since 1970 whose size tells its unit
// (seconds below 1e11, milliseconds below 1e14, microseconds below 1e17, else nanoseconds) with fraction and exponent as
// in JSON. Digits are read exactly, what is finer than a nanosecond is cut off. It is false for everything else: other
// texts, negative numbers, and times that fall outside the years 0 to 9999. The result is in UTC.
func ParseTime(s string) (time.Time, bool) {
	if len(s) > 4 && s[4] == '-' {
		if t, ok := parseRFC3339(s); ok {
			return t, true
		}
	}
	return parseNumber(s)
}

// AppendTime writes t as the normal form does: RFC 3339 in UTC, up to nine fraction digits, no trailing zeros.
func AppendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, time.RFC3339Nano)
}

// parseRFC3339 exists because time.Parse allocates a zone for every offset and takes forms that RFC 3339 does not have.
func parseRFC3339(s string) (time.Time, bool) {
	const shape = "2006-01-02T15:04:05"
	if len(s) < len(shape)+1 || s[7] != '-' || s[10] != 'T' && s[10] != 't' || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	hour, ok4 := digits(s[11:13])
	minute, ok5 := digits(s[14:16])
	second, ok6 := digits(s[17:19])
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6) || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, false
	}
	nanos, rest, ok := parseFraction(s[len(shape):])
	if !ok {
		return time.Time{}, false
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Day() != day { // time.Date carries the 31st of April into May
		return time.Time{}, false
	}
	t = t.Add(-offset)
	return t, t.Unix() >= minSeconds && t.Unix() <= maxSeconds
}

// parseFraction reads ".123" at the start of s, if it is there, in nanoseconds.
func parseFraction(s string) (nanos int, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	scale, i := 100_000_000, 1
	for ; i < len(s) && isDigit(s[i]); i++ {
		nanos += int(s[i]-'0') * scale
		scale /= 10
	}
	return nanos, s[i:], i > 1
}

func parseOffset(s string) (time.Duration, bool) {
	if s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) != len("+00:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hours, ok1 := digits(s[1:3])
	minutes, ok2 := digits(s[4:6])
	if !ok1 || !ok2 || hours > 23 || minutes > 59 {
		return 0, false
	}
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if s[0] == '-' {
		d = -d
	}
	return d, true
}

// parseNumber reads a JSON number exactly. Its value is 0.D × 10^point, where D are its digits without leading zeros; the
// unit and the nanoseconds follow from the position of the point alone, so no digit passes through floating point.
func parseNumber(s string) (time.Time, bool) {
	n, ok := scanNumber(s)
	if !ok {
		return time.Time{}, false
	}
	if n.point == 0 && n.digits == "" {
		return time.Unix(0, 0).UTC(), true // zero, also as -0
	}
	if n.negative {
		return time.Time{}, false
	}
	shift := 0 // powers of ten from the unit to nanoseconds
	switch {
	case n.point <= 11:
		shift = 9
	case n.point <= 14:
		shift = 6
	case n.point <= 17:
		shift = 3
	}
	whole := n.point + shift // digits of the time in nanoseconds
	if whole > len("253402300799")+9 {
		return time.Time{}, false
	}
	var seconds, nanos int64
	next := n.digits
	for left := whole; left > 0; left-- {
		d := int64(0)
		if next != "" && next[0] == '.' {
			next = next[1:]
		}
		if next != "" {
			d, next = int64(next[0]-'0'), next[1:]
		}
		if left > 9 {
			seconds = seconds*10 + d
		} else {
			nanos = nanos*10 + d
		}
	}
	return time.Unix(seconds, nanos).UTC(), seconds <= maxSeconds
}

type number struct {
	negative bool
	digits   string // from the first digit that is not zero, with the point where it was written; "" for zero
	point    int    // how many digits stand before the point, the exponent applied; negative for leading zeros behind it
}

// scanNumber checks s against the grammar of JSON numbers and takes it apart.
func scanNumber(s string) (n number, ok bool) {
	if s != "" && s[0] == '-' {
		n.negative, s = true, s[1:]
	}
	integer := countDigits(s)
	if integer == 0 || integer > 1 && s[0] == '0' {
		return n, false
	}
	end := integer
	if end < len(s) && s[end] == '.' {
		fraction := countDigits(s[end+1:])
		if fraction == 0 {
			return n, false
		}
		end += 1 + fraction
	}
	exponent, ok := scanExponent(s[end:])
	if !ok {
		return n, false
	}
	for i := range end {
		if s[i] != '0' && s[i] != '.' {
			n.digits = s[i:end]
			n.point = integer - i + exponent
			if i > integer {
				n.point++ // the point itself was passed
			}
			break
		}
	}
	return n, true
}

// scanExponent reads "", "e5", "E-5". It stops counting where no digit of a payload could make up for it any more.
func scanExponent(s string) (exponent int, ok bool) {
	if s == "" {
		return 0, true
	}
	if s[0] != 'e' && s[0] != 'E' {
		return 0, false
	}
	s = s[1:]
	negative := s != "" && s[0] == '-'
	if negative || s != "" && s[0] == '+' {
		s = s[1:]
	}
	if s == "" || countDigits(s) != len(s) {
		return 0, false
	}
	const enough = 1 << 40
	for i := range len(s) {
		exponent = min(exponent*10+int(s[i]-'0'), enough)
	}
	if negative {
		exponent = -exponent
	}
	return exponent, true
}

func countDigits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

// digits reads a text of digits only, at most four of them.
func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
