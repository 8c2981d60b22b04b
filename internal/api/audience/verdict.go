package audience

import (
	"bytes"
	"errors"

	"sendwatch/internal/engagement"
)

// Verdict is what was found of one text of a list: how its recipient stands, or that it has none that counts.
type Verdict struct {
	Standing
	Invalid   bool // no address
	Duplicate bool // of one before
}

// words are what a line of verdicts may hold: first a state, "invalid" or "duplicate", then reasons not to write.
var errVerdict = errors.New("not a line of verdicts; are both sides of the same version?")

// Append appends the verdict as a line has it, without its end: "engaged", "unengaged unsubscribed complained", "unknown
// hard_bounced", "invalid", "duplicate".
func (v Verdict) Append(line []byte) []byte {
	switch {
	case v.Invalid:
		return append(line, "invalid"...)
	case v.Duplicate:
		return append(line, "duplicate"...)
	}
	line = append(line, v.State.String()...)
	if v.Unsubscribed {
		line = append(line, " unsubscribed"...)
	}
	if v.Complained {
		line = append(line, " complained"...)
	}
	if v.HardBounced {
		line = append(line, " hard_bounced"...)
	}
	return line
}

// ParseVerdict reads what Append wrote.
func ParseVerdict(line []byte) (Verdict, error) {
	var v Verdict
	first, rest, _ := bytes.Cut(line, []byte(" "))
	switch string(first) {
	case "engaged":
		v.State = engagement.Engaged
	case "new":
		v.State = engagement.New
	case "unengaged":
		v.State = engagement.Unengaged
	case "unknown":
		v.State = engagement.Unknown
	case "invalid":
		v.Invalid = true
	case "duplicate":
		v.Duplicate = true
	default:
		return v, errVerdict
	}
	for len(rest) > 0 {
		var reason []byte
		reason, rest, _ = bytes.Cut(rest, []byte(" "))
		switch string(reason) {
		case "unsubscribed":
			v.Unsubscribed = true
		case "complained":
			v.Complained = true
		case "hard_bounced":
			v.HardBounced = true
		default:
			return v, errVerdict
		}
	}
	return v, nil
}
