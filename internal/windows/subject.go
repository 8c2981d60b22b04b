package windows

import (
	"strings"

	"sendwatch/internal/event"
)

// Dimension is a property of events by which they are counted apart.
type Dimension uint8

// The dimensions.
const (
	Tenant Dimension = iota
	IP
	Pool
	Domain
	Campaign
	Stream
	Provider
	NumDimensions int = iota
)

var dimensionNames = [NumDimensions]string{"tenant", "ip", "pool", "domain", "campaign", "stream", "provider"}

// String returns the name that configuration and subject keys use.
func (d Dimension) String() string { return dimensionNames[d] }

// ParseDimension finds a dimension by its name.
func ParseDimension(s string) (Dimension, bool) {
	for i, n := range dimensionNames {
		if n == s {
			return Dimension(i), true
		}
	}
	return 0, false
}

// Of returns the event's own value, "" when absent; what counting assumes (default tenant, derived provider) is the
// caller's to fill in.
func (d Dimension) Of(e *event.Event) string {
	switch d {
	case Tenant:
		return e.Tenant
	case IP:
		return e.IP
	case Pool:
		return e.Pool
	case Domain:
		return e.Domain
	case Campaign:
		return e.Campaign
	case Stream:
		return e.Stream
	case Provider:
		return e.Provider
	}
	return ""
}

// Combination is a set of dimensions, in configured order; an event that has all of them belongs to one subject of it.
// The empty combination has the single subject "all".
type Combination []Dimension

// String joins the names with commas: "tenant,provider"; "" for the empty one.
func (c Combination) String() string {
	names := make([]string, len(c))
	for i, d := range c {
		names[i] = d.String()
	}
	return strings.Join(names, ",")
}

// DefaultCombinations are the subjects of the default configuration.
func DefaultCombinations() []Combination {
	return []Combination{{}, {Tenant}, {IP}, {Tenant, IP}, {Tenant, Provider}, {Tenant, Campaign}}
}

// All is the key of the subject that every event belongs to.
const All = "all"

// AppendSubject appends the key of the subject with these values, one a dimension: "tenant=acme,provider=gmail", "all" for
// the empty combination. In values, '%', ',', '=' and bytes outside printable ASCII (space counts as printable) are
// percent-encoded with upper-case digits.
func (c Combination) AppendSubject(dst []byte, values ...string) []byte {
	if len(c) == 0 {
		return append(dst, All...)
	}
	for i, d := range c {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, dimensionNames[d]...)
		dst = append(dst, '=')
		for j := 0; j < len(values[i]); j++ {
			b := values[i][j]
			if b < ' ' || b > '~' || b == '%' || b == ',' || b == '=' {
				const hex = "0123456789ABCDEF"
				dst = append(dst, '%', hex[b>>4], hex[b&15])
				continue
			}
			dst = append(dst, b)
		}
	}
	return dst
}

// Label is one dimension's value in a subject.
type Label struct {
	Dimension Dimension
	Value     string
}

// ParseSubject reads a subject key back into its dimensions and values, in the order of the key; none for "all". It is
// false for what AppendSubject never writes.
func ParseSubject(key string) ([]Label, bool) {
	if key == All {
		return nil, true
	}
	var labels []Label
	for part := range strings.SplitSeq(key, ",") {
		name, raw, ok := strings.Cut(part, "=")
		if !ok {
			return nil, false
		}
		d, ok := ParseDimension(name)
		if !ok {
			return nil, false
		}
		value, ok := unescape(raw)
		if !ok || value == "" {
			return nil, false
		}
		for _, l := range labels {
			if l.Dimension == d {
				return nil, false
			}
		}
		labels = append(labels, Label{d, value})
	}
	return labels, true
}

func unescape(s string) (string, bool) {
	if strings.Contains(s, "=") {
		return "", false
	}
	if !strings.Contains(s, "%") {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		hi, ok1 := unhex(s[i+1])
		lo, ok2 := unhex(s[i+2])
		if !ok1 || !ok2 {
			return "", false
		}
		out = append(out, hi<<4|lo)
		i += 2
	}
	return string(out), true
}

func unhex(b byte) (byte, bool) {
	switch {
	case b >= '0' && b <= '9':
		return b - '0', true
	case b >= 'A' && b <= 'F':
		return b - 'A' + 10, true
	case b >= 'a' && b <= 'f':
		return b - 'a' + 10, true
	}
	return 0, false
}
