package event

// Reason is why a record or an element of it was rejected: a small closed set, fit for a metric label, the status totals
// and the dead-letter header.
type Reason string

// The reasons for a rejection.
const (
	NotJSON      Reason = "not_json"      // neither JSON nor a mail, or something after the JSON value
	UnknownShape Reason = "unknown_shape" // JSON of no known form
	UnknownType  Reason = "unknown_type"  // an event name that no table knows
	NoTime       Reason = "no_time"       // absent
	BadTime      Reason = "bad_time"      // unreadable
	AheadOfClock Reason = "ahead"         // further ahead of the clock than events.max_ahead
	TooLarge     Reason = "too_large"     // larger than events.max_bytes
	BadValue     Reason = "bad_value"     // a dimension over 200 bytes or with control characters
	BadPayload   Reason = "bad_payload"   // of a known form, but broken inside
)

// Rejection says what was found and what was expected, naming the field. It never carries an address.
type Rejection struct {
	Reason Reason
	Detail string
}

func (r *Rejection) Error() string { return string(r.Reason) + ": " + r.Detail }

// Result is what one record became. Order of Events is the order of the payload.
type Result struct {
	// Events are valid until the next call of the decoder that made them.
	Events []Event
	// Ignored counts known elements that are no mail events.
	Ignored int
	// Rejected is the first mistake, nil when there is none. A bad element rejects the record; the good ones before and
	// after it are in Events all the same.
	Rejected *Rejection
}
