package alerts

import "time"

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Message is a record as it is published: a CloudEvent 1.0 in binary mode of the Kafka protocol binding.
type Message struct {
	Key     []byte // the subject key: all records of an episode go to one partition
	Value   []byte
	Headers []Header
}

// ContentType is that of a published record's value.
const ContentType = "application/json"

// Message wraps the record's encoded form. source names the service for ce_source; it must not be empty.
func (r *Record) Message(encoded []byte, source string) Message {
	text := func(key, value string) Header { return Header{key, []byte(value)} }
	return Message{
		Key:   []byte(r.SubjectKey),
		Value: encoded,
		Headers: []Header{
			text("ce_id", r.Token()),
			text("ce_type", "sendwatch.alert."+r.Change.String()),
			text("ce_source", source),
			text("ce_time", r.EvaluatedAt.UTC().Format(time.RFC3339Nano)),
			text("ce_specversion", "1.0"),
			text("ce_subject", r.SubjectKey),
			text("content-type", ContentType),
		},
	}
}
