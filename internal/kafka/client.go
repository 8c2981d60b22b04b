// Package kafka is the project's way to Apache Kafka: connections with TLS and SASL, metadata with topic ids, a partition's
// log read in order, group membership, and writing with all acks. It knows the traps of the client library underneath, so
// that its callers need not; it does not know what a record means.
package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Options say how to reach a cluster.
type Options struct {
	Brokers  []string    // host:port, any of the cluster's; the port is 9092 when absent
	ClientID string      // what brokers show in their logs and quotas
	TLS      *tls.Config // nil: plain TCP
	SASL     SASL        // zero: none

	DialTimeout    time.Duration // TCP, TLS and SASL together; 10 s when zero
	RequestTimeout time.Duration // one request without the wait it asks for; 10 s when zero

	// Dial makes connections; nil means TCP. Virtual networks and proxies of tests put theirs here.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// SASL are the credentials that the cluster asks for.
type SASL struct {
	Mechanism string // "", "plain", "scram-sha-256" or "scram-sha-512"
	Username  string
	Password  string
}

// Mechanisms are the SASL mechanisms that SASL.Mechanism may name, besides none.
func Mechanisms() []string { return []string{"plain", "scram-sha-256", "scram-sha-512"} }

func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch strings.ToLower(s.Mechanism) {
	case "":
		return nil, nil
	case "plain":
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case "scram-sha-256":
		return scram.Mechanism(scram.SHA256, s.Username, s.Password)
	case "scram-sha-512":
		return scram.Mechanism(scram.SHA512, s.Username, s.Password)
	}
	return nil, fmt.Errorf("mechanism: %q; allowed: %s", s.Mechanism, strings.Join(Mechanisms(), ", "))
}

// Client talks to one cluster. It is safe for use by several goroutines.
type Client struct {
	options   Options
	mechanism sasl.Mechanism
	transport *kafka.Transport
	api       *kafka.Client

	mu         sync.Mutex
	partitions map[string]int // how many each topic that we write to has
	turn       int            // for records without a key
}

// New returns a client for the cluster. It connects to nothing yet; the error is about the options.
func New(o Options) (*Client, error) {
	if len(o.Brokers) == 0 {
		return nil, errors.New("brokers: none; at least one host:port is needed")
	}
	brokers := make([]string, len(o.Brokers))
	for i, b := range o.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			b = net.JoinHostPort(b, "9092")
		}
		brokers[i] = b
	}
	o.Brokers = brokers
	m, err := o.SASL.mechanism()
	if err != nil {
		return nil, fmt.Errorf("sasl: %w", err)
	}
	if o.DialTimeout <= 0 {
		o.DialTimeout = 10 * time.Second
	}
	if o.RequestTimeout <= 0 {
		o.RequestTimeout = 10 * time.Second
	}
	c := &Client{options: o, mechanism: m, partitions: map[string]int{}}
	// The transport asks for TLS itself only when it dials itself: with our dial function the connection has it already.
	c.transport = &kafka.Transport{Dial: c.dial, DialTimeout: o.DialTimeout, ClientID: o.ClientID, SASL: m}
	c.api = &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: o.RequestTimeout, Transport: c.transport}
	return c, nil
}

// Close gives up idle connections and what watches them. The client can be used again afterwards.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// dial connects, with TLS when it is asked for. The context's deadline, when it passes before the context is cancelled,
// closes the connection: the library runs its SASL exchange without a deadline, and cancels the context once that is done.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dial := c.options.Dial
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if c.options.TLS != nil {
		config := c.options.TLS
		if config.ServerName == "" {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				host = address
			}
			config = config.Clone()
			config.ServerName = host
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, &handshakeError{err}
		}
		conn = secure
	}
	context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			conn.Close()
		}
	})
	return conn, nil
}

// dialer returns what the library's own parts connect with.
func (c *Client) dialer() *kafka.Dialer {
	return &kafka.Dialer{ClientID: c.options.ClientID, DialFunc: c.dial, Timeout: c.options.DialTimeout, SASLMechanism: c.mechanism}
}

// connect opens an authenticated connection to one broker, for a partition of it when topic is not empty. A cancelled context
// ends it at once. The second result is the connection underneath, for requests that the library does not know.
func (c *Client) connect(ctx context.Context, address, topic string, partition int) (*kafka.Conn, net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.DialTimeout)
	defer cancel()
	under, err := c.dial(ctx, "tcp", address)
	if err != nil {
		return nil, nil, c.advise(address, err)
	}
	stop := context.AfterFunc(ctx, func() { under.Close() })
	d := &kafka.Dialer{ClientID: c.options.ClientID, SASLMechanism: c.mechanism,
		DialFunc: func(context.Context, string, string) (net.Conn, error) { return under, nil }}
	host, port, err := splitAddress(address)
	if err != nil {
		under.Close()
		return nil, nil, err
	}
	conn, err := d.DialPartition(ctx, "tcp", address,
		kafka.Partition{Topic: topic, ID: partition, Leader: kafka.Broker{Host: host, Port: port}})
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		under.Close()
		return nil, nil, c.advise(address, err)
	}
	return conn, under, nil
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(text)
	return host, port, err
}
