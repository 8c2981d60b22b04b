package windows

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Labels are the dimensions of a subject in the order of its key. In JSON they are an object in that order.
type Labels []Label

// Get returns the value of a dimension, "" when the subject has none.
func (l Labels) Get(d Dimension) string {
	for _, label := range l {
		if label.Dimension == d {
			return label.Value
		}
	}
	return ""
}

// MarshalJSON writes {"tenant":"acme","ip":"203.0.113.9"}, {} for the subject "all".
func (l Labels) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, label := range l {
		if i > 0 {
			out = append(out, ',')
		}
		value, err := json.Marshal(label.Value)
		if err != nil {
			return nil, err
		}
		out = append(out, '"')
		out = append(out, label.Dimension.String()...)
		out = append(out, '"', ':')
		out = append(out, value...)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON wrote, keeping the order.
func (l *Labels) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return fmt.Errorf("subject: an object was expected")
	}
	*l = nil
	for decoder.More() {
		var value string
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		if err := decoder.Decode(&value); err != nil {
			return fmt.Errorf("subject: %v: %w", key, err)
		}
		name, _ := key.(string)
		d, ok := ParseDimension(name)
		if !ok {
			return fmt.Errorf("subject: unknown dimension %q", name)
		}
		*l = append(*l, Label{d, value})
	}
	return nil
}
