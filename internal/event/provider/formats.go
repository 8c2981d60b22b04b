package provider

import (
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/provider/ses"
)

// The names of formats, as the configuration and --format write them.
const (
	native     = "native"
	sesName    = "ses"
	sendGrid   = "sendgrid"
	mailgun    = "mailgun"
	postmark   = "postmark"
	sparkPost  = "sparkpost"
	mailjet    = "mailjet"
	brevo      = "brevo"
	resend     = "resend"
	kumoMTA    = "kumomta"
	postal     = "postal"
	acs        = "acs"
	mandrill   = "mandrill"
	mailerSend = "mailersend"
	mailtrap   = "mailtrap"
	haraka     = "haraka"
	arf        = "arf"
	dsn        = "dsn"
)

// cloudEvents is no format of its own but an envelope for every other.
const cloudEvents = "cloudevents"

// Names returns the formats that a record can have, auto first.
func Names() []string {
	return []string{
		Auto, native, sesName, sendGrid, mailgun, postmark, sparkPost, mailjet, brevo, resend, kumoMTA, postal, acs, mandrill,
		mailerSend, mailtrap, haraka, arf, dsn,
	}
}

// FileNames returns the formats of log files. A single line of them says too little to be a record of a topic.
func FileNames() []string { return []string{"powermta", "momentum"} }

// read turns one payload of a format into events. A format that a configuration describes would be found here as well.
func read(format string, v jsonvalue.Value, out *payload.Out) {
	switch format {
	case sesName:
		ses.Decode(v, out)
	default:
		out.Reject("unknown_shape", "value: %s is not read by this version", format)
	}
}

// readACS takes what a CloudEvent of Azure Communication Services carries.
func readACS(envelope, data jsonvalue.Value, out *payload.Out) {
	out.Reject("unknown_shape", "value: %s is not read by this version", acs)
}

// readMail takes a mail: a feedback report (arf), a delivery status notification (dsn), or whichever it is (auto).
func readMail(text []byte, format string, out *payload.Out) {
	out.Reject("unknown_shape", "value: mails are not read by this version")
}
