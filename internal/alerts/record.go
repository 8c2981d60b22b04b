package alerts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"sendwatch/internal/windows"
)

// Record is one change of one alert, in the form that the alert topic, the HTTP API and audit share. Encode writes it.
type Record struct {
	ID          string          `json:"id"`       // of the episode: the same from fired to resolved
	Seq         int64           `json:"seq"`      // from 1, without holes
	Incident    string          `json:"incident"` // id of the first alert of the incident
	Change      Change          `json:"change"`
	Status      State           `json:"status"`
	Severity    Severity        `json:"severity"`
	Policy      string          `json:"policy"`
	LimitName   string          `json:"limit_name,omitempty"`
	Rate        string          `json:"rate"`
	Window      string          `json:"window"`
	Limit       float64         `json:"limit"`
	Subject     Pairs           `json:"subject"`
	SubjectKey  string          `json:"subject_key"`
	Observed    windows.Figures `json:"observed"` // at this record; of a resolved one, the reading that resolved it
	AtFire      windows.Figures `json:"at_fire"`
	Peak        windows.Figures `json:"peak"`
	StartsAt    time.Time       `json:"starts_at"`
	EndsAt      *time.Time      `json:"ends_at"` // null while open
	EvaluatedAt time.Time       `json:"evaluated_at"`
	Causes      []Cause         `json:"causes"`
	Labels      Pairs           `json:"labels"`
	Annotations Pairs           `json:"annotations"`
	Definition  string          `json:"definition"`
}

// Token is "<id>/<seq>": what names a record, in CloudEvents and in server-sent events.
func (r *Record) Token() string { return r.ID + "/" + strconv.FormatInt(r.Seq, 10) }

// Encode returns the record as JSON on one line, keys in the order of the contract. The same record always gives the same
// bytes.
func (r *Record) Encode() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // "<" of a limit's name stays readable
	if err := enc.Encode(r); err != nil {
		panic("alerts: encoding a record: " + err.Error()) // no field can fail: floats are finite by construction
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Decode reads a record that Encode wrote, also one of a later version with more fields.
func Decode(data []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return Record{}, fmt.Errorf("not an alert record: %w", err)
	}
	if r.ID == "" || r.Seq < 1 || r.SubjectKey == "" || r.Policy == "" || r.Change == Unchanged {
		return Record{}, fmt.Errorf("not an alert record: id %q, seq %d, subject_key %q, policy %q, change %q; none of them may be absent",
			r.ID, r.Seq, r.SubjectKey, r.Policy, r.Change)
	}
	return r, nil
}

// Cause is a part of the subject that carries its breach: the numerator of that part, and its share of the subject's.
type Cause struct {
	Dimension   string  `json:"dimension"` // a dimension, or "bounce_class"
	Value       string  `json:"value"`
	Numerator   int64   `json:"numerator"`
	Denominator int64   `json:"denominator"` // of a bounce class: the subject's
	Share       float64 `json:"share"`
}

// Pairs is a JSON object of texts that keeps its order.
type Pairs []Pair

// Pair is one key with its value.
type Pair struct{ Name, Value string }

// Get returns the value of a key, "" when it is not there.
func (p Pairs) Get(name string) string {
	for _, x := range p {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// MarshalJSON writes the object.
func (p Pairs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, x := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		for j, s := range []string{x.Name, x.Value} {
			if j > 0 {
				b.WriteByte(':')
			}
			if err := enc.Encode(s); err != nil {
				return nil, err
			}
			b.Truncate(b.Len() - 1) // the encoder's line feed
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads the object in the order of its text.
func (p *Pairs) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	token, err := dec.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') {
		return fmt.Errorf("%v: expected an object of texts", token)
	}
	*p = Pairs{}
	for dec.More() {
		var x Pair
		name, err := dec.Token()
		if err != nil {
			return err
		}
		x.Name = name.(string) // keys of an object are texts, or Token fails
		if err := dec.Decode(&x.Value); err != nil {
			return err
		}
		*p = append(*p, x)
	}
	return nil
}
