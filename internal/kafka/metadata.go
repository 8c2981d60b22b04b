package kafka

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is what the cluster says about a topic.
type Topic struct {
	Name       string
	ID         string // 32 hex digits, the same for as long as the topic lives; "" from brokers before 2.8
	Partitions []Partition
}

// Partition is one partition of a topic and who leads it.
type Partition struct {
	ID     int
	Leader string // host:port; "" while there is none
}

const (
	metadataKey = 3
	// topicIDs came with version 10 of the metadata request; 12 is the newest that says nothing new to us.
	metadataVersion  = 12
	metadataMaxBytes = 64 << 20
)

// Topics asks the cluster about the named topics, in that order; those that do not exist are left out. It asks every broker
// of the options in turn until one answers.
//
// The library's own metadata request is of a version before topic ids, and it answers from a cache that may be seconds old, so
// the request is made here, on a connection that the library has authenticated.
func (c *Client) Topics(ctx context.Context, names ...string) ([]Topic, error) {
	var all []error
	for _, address := range c.options.Brokers {
		topics, err := c.topicsFrom(ctx, address, names)
		if err == nil {
			return topics, nil
		}
		all = append(all, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(all...)
}

func (c *Client) topicsFrom(ctx context.Context, address string, names []string) ([]Topic, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.RequestTimeout)
	defer cancel()
	conn, under, err := c.connect(ctx, address, "", 0)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	version, err := supported(conn)
	if err != nil {
		return nil, c.advise(address, err)
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Version = version
	req.AllowAutoTopicCreation = false
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	res := kmsg.NewPtrMetadataResponse()
	res.Version = version
	deadline, _ := ctx.Deadline()
	if err := exchange(under, deadline, c.options.ClientID, req, res); err != nil {
		return nil, c.advise(address, errors.Join(context.Cause(ctx), fmt.Errorf("metadata: %w", err)))
	}
	return topicsOf(res, names)
}

// supported is the version of the metadata request to use with this broker.
func supported(conn *kafka.Conn) (int16, error) {
	versions, err := conn.ApiVersions()
	if err != nil {
		return 0, err
	}
	for _, v := range versions {
		if v.ApiKey == metadataKey {
			if v.MinVersion > metadataVersion {
				return 0, fmt.Errorf("it takes metadata requests from version %d only; version %d is known here", v.MinVersion, metadataVersion)
			}
			return min(int16(v.MaxVersion), metadataVersion), nil
		}
	}
	return 0, errors.New("it does not say which metadata requests it takes")
}

// exchange sends one request over an idle connection and reads its answer.
func exchange(conn net.Conn, deadline time.Time, clientID string, req kmsg.Request, res kmsg.Response) error {
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	const correlation = 0x73656e64 // far from the library's own, which count from 1
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, req, correlation)
	if _, err := conn.Write(frame); err != nil {
		return err
	}
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 4 || size > metadataMaxBytes {
		return fmt.Errorf("an answer of %d bytes; up to %d are taken", size, metadataMaxBytes)
	}
	if got := binary.BigEndian.Uint32(head[4:]); got != correlation {
		return fmt.Errorf("an answer to another request (%d)", got)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	if res.IsFlexible() {
		var err error
		if body, err = skipTags(body); err != nil {
			return err
		}
	}
	return res.ReadFrom(body)
}

// skipTags drops the tagged fields of a flexible answer's header.
func skipTags(b []byte) ([]byte, error) {
	number := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b = nil
			return 0
		}
		b = b[n:]
		return v
	}
	for tags := number(); tags > 0 && b != nil; tags-- {
		number()
		if size := number(); size <= uint64(len(b)) {
			b = b[size:]
		} else {
			b = nil
		}
	}
	if b == nil {
		return nil, io.ErrUnexpectedEOF
	}
	return b, nil
}

func topicsOf(res *kmsg.MetadataResponse, names []string) ([]Topic, error) {
	leaders := make(map[int32]string, len(res.Brokers))
	for _, b := range res.Brokers {
		leaders[b.NodeID] = net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
	}
	found := make(map[string]Topic, len(res.Topics))
	for _, t := range res.Topics {
		if t.Topic == nil || t.ErrorCode == int16(kafka.UnknownTopicOrPartition) {
			continue
		}
		if t.ErrorCode != 0 && t.ErrorCode != int16(kafka.LeaderNotAvailable) {
			return nil, fmt.Errorf("topic %s: %w", *t.Topic, kafka.Error(t.ErrorCode))
		}
		topic := Topic{Name: *t.Topic}
		if t.TopicID != [16]byte{} {
			topic.ID = hex.EncodeToString(t.TopicID[:])
		}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions, Partition{ID: int(p.Partition), Leader: leaders[p.Leader]})
		}
		found[topic.Name] = topic
	}
	var topics []Topic
	for _, name := range names {
		if t, ok := found[name]; ok {
			topics = append(topics, t)
		}
	}
	return topics, nil
}

// leader finds who leads a partition now.
func (c *Client) leader(ctx context.Context, topic string, partition int) (address, topicID string, err error) {
	topics, err := c.Topics(ctx, topic)
	if err != nil {
		return "", "", err
	}
	if len(topics) == 0 {
		return "", "", fmt.Errorf("topic %s: %w", topic, kafka.UnknownTopicOrPartition)
	}
	for _, p := range topics[0].Partitions {
		if p.ID == partition {
			if p.Leader == "" {
				return "", topics[0].ID, fmt.Errorf("topic %s partition %d: %w", topic, partition, kafka.LeaderNotAvailable)
			}
			return p.Leader, topics[0].ID, nil
		}
	}
	return "", topics[0].ID, fmt.Errorf("topic %s partition %d: %w", topic, partition, kafka.UnknownTopicOrPartition)
}
