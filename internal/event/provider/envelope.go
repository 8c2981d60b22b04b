package provider

import (
	"encoding/base64"
	"strings"

	"sendwatch/internal/event"
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
)

// recognised takes an object that stands for itself.
func (d *Decoder) recognised(v jsonvalue.Value) {
	if format := d.recognise(v); format != formatCloudEvents {
		d.read(format, v)
		return
	}
	d.cloudEvent(v)
}

// read hands a payload to its format, if this decoder takes that.
func (d *Decoder) read(format string, v jsonvalue.Value) {
	switch {
	case format == "" && isNative(v):
		d.out.Reject(event.NoTime, "time: absent, every event needs a time")
	case format == "" && v.Get("type").IsString() && v.Get("time").IsPresent():
		d.out.Reject(event.UnknownType, "type: %s is not one of the native types, and the object of no other format", payload.Name(v.Get("type").Text()))
	case format == "":
		d.out.Reject(event.UnknownShape, "value: an object of no known format")
	case format == formatCloudEvents:
		d.out.Reject(event.UnknownShape, "data: a CloudEvent inside a CloudEvent")
	case !d.takes(format):
		d.out.Reject(event.UnknownShape, "value: has the format %s, expected %s", format, d.format)
	case format == formatNative:
		d.readNative(v, event.Envelope{})
	default:
		before := d.out.Outcomes()
		if own := d.own.named(format); own != nil {
			own.Decode(v, &d.out)
		} else {
			read(format, v, &d.out)
		}
		if d.out.Outcomes() == before {
			d.out.Ignore() // an empty batch
		}
	}
}

func (d *Decoder) readNative(v jsonvalue.Value, envelope event.Envelope) {
	d.commit(d.native.Read(v.Raw(), envelope, d.out.Draft()))
}

// cloudEvent takes a CloudEvent in structured mode. What is in it is recognised anew, once.
func (d *Decoder) cloudEvent(v jsonvalue.Value) {
	data, ok := d.cloudEventData(v)
	if !ok {
		return
	}
	switch {
	case strings.HasPrefix(v.Get("type").Exact(), "Microsoft."),
		data.Get("deliveryAttemptTimeStamp").IsPresent(), data.Get("userActionTimeStamp").IsPresent():
		d.readACS(v, data)
	case data.IsArray():
		d.cloudEventBatch(data)
	case !data.IsObject():
		d.out.Reject(event.UnknownShape, "data: expected an object or an array")
	case isNative(data) && recogniseMarked(data) == "" && d.own.recognise(data) == "":
		if !d.takes(formatNative) {
			d.read(formatNative, data)
			return
		}
		d.readNative(data, event.Envelope{ID: v.Get("id").Text(), Time: v.Get("time").Text()})
	default:
		d.read(d.recognise(data), data)
	}
}

func (d *Decoder) cloudEventBatch(data jsonvalue.Value) {
	for element := range data.Elements() {
		if !element.IsObject() {
			d.out.Reject(event.UnknownShape, "data: an element that is not an object")
			continue
		}
		d.read(d.recognise(element), element)
	}
	if data.First() == (jsonvalue.Value{}) {
		d.out.Ignore()
	}
}

// cloudEventData returns what a CloudEvent carries. It is false when the outcome has been told already.
func (d *Decoder) cloudEventData(v jsonvalue.Value) (jsonvalue.Value, bool) {
	data, encoded := v.Get("data"), v.Get("data_base64")
	var err error
	switch {
	case data.IsString():
		if data, err = data.Nested(); err != nil {
			d.out.Reject(event.BadPayload, "data: a text that is not JSON: %s", err)
		}
	case data.IsPresent():
	case encoded.IsString():
		var text []byte
		if text, err = base64.StdEncoding.DecodeString(encoded.Text()); err != nil {
			d.out.Reject(event.BadPayload, "data_base64: not base64")
			break
		}
		if first := firstOf(text); first != '{' && first != '[' && isMail(text) {
			d.mail(text)
			return data, false
		}
		if data, err = d.tree.Parse(text); err != nil {
			d.out.Reject(event.BadPayload, "data_base64: neither JSON nor a mail: %s", err)
		}
	default:
		d.out.Reject(event.BadPayload, "data: absent, expected what the CloudEvent is about")
		return data, false
	}
	return data, err == nil
}

func (d *Decoder) readACS(envelope, data jsonvalue.Value) {
	if !d.takes(formatACS) {
		d.read(formatACS, data)
		return
	}
	readACS(envelope, data, &d.out)
}

// mail takes a record that is a whole mail.
func (d *Decoder) mail(text []byte) {
	switch d.format {
	case Auto, formatARF, formatDSN:
		readMail(text, d.format, &d.out)
	default:
		d.out.Reject(event.UnknownShape, "value: a mail, expected %s", d.format)
	}
}

// isMail reports whether text begins like a mail: with a header line, or the "From " line of an mbox.
func isMail(text []byte) bool {
	for i, c := range text {
		switch {
		case c == ':':
			return i > 0
		case c == ' ' && i == len("From") && string(text[:i]) == "From":
			return true
		case c <= ' ' || c >= 0x7f:
			return false
		}
	}
	return false
}
