package verify

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // signature version 1 of SNS; topics can be set to version 2
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sendwatch/internal/event/jsonvalue"
)

// sns verifies the messages of Amazon SNS: an RSA signature over some of the message's fields, by a certificate that stands
// at the topic's region. Only the topics that are named are taken, and they alone decide which host a certificate or a
// confirmation is fetched from: what a stranger sends opens no connection elsewhere.
//
// What is signed: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
// Confirmations: https://docs.aws.amazon.com/sns/latest/dg/http-subscription-confirmation-json.html
type sns struct {
	topics map[string]string // topic to the host of its region
	maxAge time.Duration
	certs  *certificates
}

// snsAge is the default limit: by default SNS tries for about an hour, with a policy of one's own longer. A repeat has the
// message's id, by which it is known.
const snsAge = 24 * time.Hour

var topicARN = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{1,32}):[0-9]{12}:[A-Za-z0-9_.-]{1,256}$`)

// newSNS needs Topics, the ARNs of the topics that may send, and Fetch.
func newSNS(o Options) (Verifier, error) {
	if len(o.Topics) == 0 {
		return nil, errors.New("topic_arns: none; name the topics that may send here")
	}
	s := &sns{topics: map[string]string{}, maxAge: ageOr(o, snsAge), certs: newCertificates(o.Fetch)}
	for _, arn := range o.Topics {
		m := topicARN.FindStringSubmatch(arn)
		if m == nil {
			return nil, fmt.Errorf("topic_arns: %q; an ARN such as arn:aws:sns:eu-west-1:123456789012:mail-events is needed", arn)
		}
		host := "sns." + m[2] + ".amazonaws.com"
		if m[1] == "aws-cn" {
			host += ".cn"
		}
		s.topics[arn] = host
	}
	return s, nil
}

func (s *sns) Begin(r *Request) error {
	if strings.EqualFold(r.Header.Get("X-Amz-Sns-Rawdelivery"), "true") {
		return refuse(Absent, "raw message delivery carries no signature: turn it off, or set verify: basic for this source")
	}
	return nil
}

const (
	notification   = "Notification"
	subscription   = "SubscriptionConfirmation"
	unsubscription = "UnsubscribeConfirmation"
)

func (s *sns) Verify(ctx context.Context, r *Request, now time.Time) (Vouched, error) {
	// The parser is the one that events are read with. With another one, a message whose keys stand twice, or differ in
	// case, could be verified by one value and counted by the other.
	var tree jsonvalue.Tree
	message, err := tree.Parse(r.Body)
	if err != nil || !message.IsObject() {
		return Vouched{}, refuse(Absent, "the body is not a message of SNS")
	}
	arn := message.Get("TopicArn").Exact()
	host, ok := s.topics[arn]
	if !ok {
		return Vouched{}, refuse(NotAllowed, "the message is of a topic that topic_arns does not name")
	}
	signed := signedFields(message.Get("Type").Exact())
	if signed == nil {
		return Vouched{}, refuse(Wrong, "the message's Type is none of %s, %s and %s", notification, subscription, unsubscription)
	}
	if err := s.checkSignature(ctx, message, signed, host, now); err != nil {
		return Vouched{}, err
	}
	published, err := time.Parse(time.RFC3339, message.Get("Timestamp").Exact())
	if err != nil {
		return Vouched{}, refuse(Wrong, "the message's Timestamp is not a time")
	}
	if err := checkAge(published, now, s.maxAge); err != nil {
		return Vouched{}, err
	}
	switch message.Get("Type").Exact() {
	case subscription:
		u, err := confirmation(message.Get("SubscribeURL").Exact(), host, arn)
		return Vouched{Confirm: u}, err
	case unsubscription:
		return Vouched{}, nil
	}
	return Vouched{Payload: envelope(message)}, nil
}

// signedFields are the fields that the signature of a type of message is over, in this order.
func signedFields(typ string) []string {
	switch typ {
	case notification:
		return []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	case subscription, unsubscription:
		return []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
	}
	return nil
}

func (s *sns) checkSignature(ctx context.Context, message jsonvalue.Value, signed []string, host string, now time.Time) error {
	signature, err := base64.StdEncoding.DecodeString(message.Get("Signature").Exact())
	if err != nil || len(signature) == 0 {
		return refuse(Absent, "the message has no signature")
	}
	at, err := url.Parse(message.Get("SigningCertURL").Exact())
	if err != nil || !isCertificateAt(at, host) {
		return refuse(NotAllowed, "SigningCertURL is not a certificate at https://%s", host)
	}
	var text strings.Builder
	for _, field := range signed {
		if v := message.Get(field); v.IsString() || field == "Message" {
			text.WriteString(field + "\n" + v.Exact() + "\n")
		}
	}
	var hash crypto.Hash
	var sum []byte
	switch message.Get("SignatureVersion").Exact() {
	case "1":
		d := sha1.Sum([]byte(text.String()))
		hash, sum = crypto.SHA1, d[:]
	case "2":
		d := sha256.Sum256([]byte(text.String()))
		hash, sum = crypto.SHA256, d[:]
	default:
		return refuse(Wrong, "SignatureVersion is neither 1 nor 2")
	}
	key, err := s.certs.key(ctx, at, now)
	if err != nil {
		return err
	}
	if rsa.VerifyPKCS1v15(key, hash, sum, signature) != nil {
		return refuse(Wrong, "the signature does not fit the message")
	}
	return nil
}

// isCertificateAt reports whether u is the place of a signing certificate at host, and nothing else.
func isCertificateAt(u *url.URL, host string) bool {
	return u.Scheme == "https" && u.Host == host && u.User == nil && u.RawQuery == "" && u.Fragment == "" && certificatePath.MatchString(u.Path)
}

var certificatePath = regexp.MustCompile(`^/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem$`)

// confirmation checks the URL that confirms a subscription.
func confirmation(text, host, arn string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host != host || u.User != nil || u.Path != "/" {
		return nil, refuse(NotAllowed, "SubscribeURL is not at https://%s/", host)
	}
	query := u.Query()
	if !slices.Equal(query["Action"], []string{"ConfirmSubscription"}) || !slices.Equal(query["TopicArn"], []string{arn}) {
		return nil, refuse(NotAllowed, "SubscribeURL does something else than to confirm the subscription to its topic")
	}
	return u, nil
}

// envelope writes the message anew with the signed fields and what the signature is made of. What else stood in it nobody vouches
// for, and it could make something else of the message: some formats are told by nothing but a key.
func envelope(message jsonvalue.Value) []byte {
	b := []byte{'{'}
	for _, field := range append(signedFields(notification), "SignatureVersion", "Signature", "SigningCertURL") {
		v := message.Get(field)
		if !v.IsString() && field != "Message" {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), field...), '"', ':')
		b, _ = jsontext.AppendQuote(b, v.Exact()) // the parser has replaced what is not UTF-8 already
	}
	return append(b, '}')
}
