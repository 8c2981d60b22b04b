package provider

import (
	"sendwatch/internal/event/jsonvalue"
	"sendwatch/internal/event/mail"
	"sendwatch/internal/event/provider/acs"
	"sendwatch/internal/event/provider/brevo"
	"sendwatch/internal/event/provider/haraka"
	"sendwatch/internal/event/provider/kumomta"
	"sendwatch/internal/event/provider/mailersend"
	"sendwatch/internal/event/provider/mailgun"
	"sendwatch/internal/event/provider/mailjet"
	"sendwatch/internal/event/provider/mailtrap"
	"sendwatch/internal/event/provider/mandrill"
	"sendwatch/internal/event/provider/payload"
	"sendwatch/internal/event/provider/postal"
	"sendwatch/internal/event/provider/postmark"
	"sendwatch/internal/event/provider/resend"
	"sendwatch/internal/event/provider/sendgrid"
	"sendwatch/internal/event/provider/ses"
	"sendwatch/internal/event/provider/sparkpost"
)

// The names of formats, as the configuration and --format write them.
const (
	formatNative     = "native"
	formatSES        = "ses"
	formatSendGrid   = "sendgrid"
	formatMailgun    = "mailgun"
	formatPostmark   = "postmark"
	formatSparkPost  = "sparkpost"
	formatMailjet    = "mailjet"
	formatBrevo      = "brevo"
	formatResend     = "resend"
	formatKumoMTA    = "kumomta"
	formatPostal     = "postal"
	formatACS        = "acs"
	formatMandrill   = "mandrill"
	formatMailerSend = "mailersend"
	formatMailtrap   = "mailtrap"
	formatHaraka     = "haraka"
	formatARF        = "arf"
	formatDSN        = "dsn"
)

// cloudEvents is no format of its own but an envelope for every other.
const formatCloudEvents = "cloudevents"

// Names returns the formats that a record can have, auto first.
func Names() []string {
	return []string{
		Auto, formatNative, formatSES, formatSendGrid, formatMailgun, formatPostmark, formatSparkPost, formatMailjet,
		formatBrevo, formatResend, formatKumoMTA, formatPostal, formatACS, formatMandrill,
		formatMailerSend, formatMailtrap, formatHaraka, formatARF, formatDSN,
	}
}

// FileNames returns the formats of log files. A single line of them says too little to be a record of a topic.
func FileNames() []string { return []string{"powermta", "momentum"} }

// read turns one payload of a built-in format into events; those that a configuration describes are in own.go.
func read(format string, v jsonvalue.Value, out *payload.Out) {
	switch format {
	case formatSES:
		ses.Decode(v, out)
	case formatSendGrid:
		sendgrid.Decode(v, out)
	case formatMailgun:
		mailgun.Decode(v, out)
	case formatPostmark:
		postmark.Decode(v, out)
	case formatSparkPost:
		sparkpost.Decode(v, out)
	case formatMailjet:
		mailjet.Decode(v, out)
	case formatBrevo:
		brevo.Decode(v, out)
	case formatResend:
		resend.Decode(v, out)
	case formatKumoMTA:
		kumomta.Decode(v, out)
	case formatPostal:
		postal.Decode(v, out)
	case formatACS:
		acs.Decode(v, out)
	case formatMandrill:
		mandrill.Decode(v, out)
	case formatMailerSend:
		mailersend.Decode(v, out)
	case formatMailtrap:
		mailtrap.Decode(v, out)
	case formatHaraka:
		haraka.Decode(v, out)
	}
}

// readACS takes what a CloudEvent of Azure Communication Services carries.
func readACS(envelope, data jsonvalue.Value, out *payload.Out) {
	acs.DecodeCloudEvent(envelope, data, out)
}

// readMail takes a mail: a feedback report (arf), a delivery status notification (dsn), or whichever it is (auto).
func readMail(text []byte, format string, out *payload.Out) {
	mail.Decode(text, format, out)
}
