package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/segmentio/kafka-go"
)

// Category groups errors for decisions and for metric labels: a small closed set, whatever an error's text.
type Category string

// The categories.
const (
	Connection Category = "connection"    // refused, reset, closed: tried again
	Timeout    Category = "timeout"       // tried again
	Unsettled  Category = "unsettled"     // the cluster is moving something (leader, coordinator, replicas): tried again
	NoTopic    Category = "unknown_topic" // not there, or not yet: tried again
	Auth       Category = "auth"          // user, password or rights: somebody has to change something
	TLS        Category = "tls"           // certificate or protocol: somebody has to change something
	TooLarge   Category = "too_large"     // the record will never fit
	Hole       Category = "hole"          // records were lost before they could be read
	WentBack   Category = "went_back"     // the log is not the one that was read before
	Stopped    Category = "stopped"       // we were told to end
	Other      Category = "other"
)

// Passes tells whether the same request may work later without anybody's doing.
func (c Category) Passes() bool {
	return c == Connection || c == Timeout || c == Unsettled || c == NoTopic
}

// CategoryOf finds the category of an error from this package or from the library.
func CategoryOf(err error) Category {
	var hole *HoleError
	var back *WentBackError
	var changed *TopicChangedError
	var broker kafka.Error
	var tooLarge kafka.MessageTooLargeError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &hole):
		return Hole
	case errors.As(err, &back), errors.As(err, &changed):
		return WentBack
	case errors.As(err, &tooLarge):
		return TooLarge
	case isTLS(err):
		return TLS
	case errors.As(err, &broker):
		return categoryOfBroker(broker)
	case errors.Is(err, context.Canceled), errors.Is(err, kafka.ErrGroupClosed), errors.Is(err, kafka.ErrGenerationEnded):
		return Stopped
	case isTimeout(err):
		return Timeout
	case isConnection(err):
		return Connection
	}
	return Other
}

func categoryOfBroker(e kafka.Error) Category {
	switch e {
	case kafka.SASLAuthenticationFailed, kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState, kafka.TopicAuthorizationFailed,
		kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.TransactionalIDAuthorizationFailed:
		return Auth
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return TooLarge
	case kafka.RequestTimedOut:
		return Timeout
	case kafka.UnknownTopicOrPartition:
		return NoTopic
	case kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.RebalanceInProgress, kafka.IllegalGeneration, kafka.UnknownMemberId,
		kafka.MemberIDRequired, kafka.OffsetOutOfRange:
		return Unsettled
	}
	if e.Temporary() {
		return Unsettled
	}
	return Other
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var alert tls.AlertError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	return errors.As(err, &record) || errors.As(err, &verify) || errors.As(err, &alert) || errors.As(err, &unknown) || errors.As(err, &host)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

func isConnection(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrNoProgress) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.As(err, &op) || errors.As(err, &dns)
}

// ReachError says which broker could not be used, why, and what to look at.
type ReachError struct {
	Address string
	Advice  string // "" when the cause says it all
	Err     error
}

func (e *ReachError) Error() string {
	s := fmt.Sprintf("kafka broker %s: %v", e.Address, e.Err)
	if e.Advice != "" {
		s += "; " + e.Advice
	}
	return s
}

// Unwrap returns the cause.
func (e *ReachError) Unwrap() error { return e.Err }

// advise adds what the library's bare EOFs do not say. A broker that is spoken to in the wrong way just closes the connection.
func (c *Client) advise(address string, err error) error {
	r := &ReachError{Address: address, Err: err}
	closed := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
	var record tls.RecordHeaderError
	var handshake *handshakeError
	switch {
	case errors.As(err, &record), closed && errors.As(err, &handshake):
		r.Advice = "it does not speak TLS on this port: leave kafka.tls out, or use the port of its TLS listener"
	case isTLS(err):
		r.Advice = "check the certificate authority and server name in kafka.tls"
	case errors.Is(err, kafka.SASLAuthenticationFailed):
		r.Advice = "check kafka.sasl: mechanism, username and password"
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		r.Advice = fmt.Sprintf("it does not offer the SASL mechanism %q: change kafka.sasl.mechanism", c.options.SASL.Mechanism)
	case closed && c.options.TLS == nil:
		r.Advice = "it closed the connection at the first request: its listener may expect TLS (kafka.tls)"
	case closed && c.mechanism == nil:
		r.Advice = "it closed the connection at the first request: its listener may expect SASL (kafka.sasl)"
	case CategoryOf(err) == Connection:
		r.Advice = "check kafka.brokers, and that the broker's advertised address can be reached from here"
	}
	return r
}

// handshakeError marks what went wrong while TLS was agreed on: an EOF there means something else than one later.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS: " + e.err.Error() }

func (e *handshakeError) Unwrap() error { return e.err }

// HoleError tells of records that were deleted before they were read, by retention or by hand.
type HoleError struct {
	Topic     string
	Partition int
	Wanted    int64 // the offset that was asked for
	First     int64 // the oldest that the log has
}

// Lost is how many offsets are gone for good.
func (e *HoleError) Lost() int64 { return e.First - e.Wanted }

func (e *HoleError) Error() string {
	return fmt.Sprintf("topic %s partition %d: the %d records from offset %d to %d were deleted before they were read (the log begins at %d)",
		e.Topic, e.Partition, e.Lost(), e.Wanted, e.First-1, e.First)
}

// WentBackError tells of a log that ends before a position that was once read: it was truncated, restored from older data, or
// deleted and made anew.
type WentBackError struct {
	Topic     string
	Partition int
	Wanted    int64 // the offset that was asked for
	Next      int64 // where the log ends
}

func (e *WentBackError) Error() string {
	return fmt.Sprintf("topic %s partition %d: offset %d is wanted next, but the log ends at %d: it is not the log that was read before",
		e.Topic, e.Partition, e.Wanted, e.Next)
}

// TopicChangedError tells of a topic that was deleted and made anew under the same name.
type TopicChangedError struct {
	Topic   string
	Was, Is string // topic ids
}

func (e *TopicChangedError) Error() string {
	return fmt.Sprintf("topic %s: its id is %s and was %s: it was deleted and made anew", e.Topic, e.Is, e.Was)
}
