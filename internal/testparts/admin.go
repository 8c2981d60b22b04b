package testparts

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// adminWithin bounds what operators do.
const adminWithin = 30 * time.Second

// AddPartitions makes a topic have that many partitions.
func AddPartitions(addr, topic string, count int) error {
	c, done := admin(addr)
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), adminWithin)
	defer cancel()
	r, err := c.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: int32(count)}}})
	if err == nil {
		err = r.Errors[topic]
	}
	if err != nil {
		return fmt.Errorf("add partitions to %s: %w", topic, err)
	}
	return until(ctx, func() (bool, error) {
		m, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		return err == nil && len(m.Topics) == 1 && len(m.Topics[0].Partitions) == count, err
	})
}

// DeleteRecords deletes the records of a partition below an offset, as retention does.
func DeleteRecords(addr, topic string, partition int, before int64) error {
	c, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(addr, ",")...))
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), adminWithin)
	defer cancel()
	req, rt, rp := kmsg.NewPtrDeleteRecordsRequest(), kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	rt.Topic, rp.Partition, rp.Offset = topic, int32(partition), before
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	for _, shard := range c.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return fmt.Errorf("delete records of %s/%d: %w", topic, partition, shard.Err)
		}
		for _, t := range shard.Resp.(*kmsg.DeleteRecordsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("delete records of %s/%d: %w", topic, partition, err)
				}
			}
		}
	}
	return nil
}

// DeleteGroup makes the broker forget a group without members, and with it what the group has committed.
func DeleteGroup(addr, group string) error {
	c, done := admin(addr)
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), adminWithin)
	defer cancel()
	var last error
	err := until(ctx, func() (bool, error) {
		r, err := c.DeleteGroups(ctx, &kafka.DeleteGroupsRequest{GroupIDs: []string{group}})
		if err == nil {
			err = r.Errors[group]
		}
		last = err
		return err == nil || strings.Contains(err.Error(), "The group id does not exist"), err
	})
	if err != nil {
		return fmt.Errorf("delete group %s: %w (%v)", group, err, last)
	}
	return nil
}

// CommitOffsets sets what a group without members has committed, of a topic's first partitions.
func CommitOffsets(addr, group, topic string, partitions int, offset int64) error {
	c, done := admin(addr)
	defer done()
	ctx, cancel := context.WithTimeout(context.Background(), adminWithin)
	defer cancel()
	var list []kafka.OffsetCommit
	for id := range partitions {
		list = append(list, kafka.OffsetCommit{Partition: id, Offset: offset})
	}
	err := until(ctx, func() (bool, error) {
		r, err := c.OffsetCommit(ctx, &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{topic: list}})
		if err != nil {
			return false, err
		}
		for _, p := range r.Topics[topic] {
			if p.Error != nil {
				return false, p.Error
			}
		}
		return true, nil
	})
	if err != nil {
		return fmt.Errorf("commit offsets of %s for %s: %w", topic, group, err)
	}
	return nil
}

// Command runs a command of Redis with redis-cli and returns what it prints.
func (s *RedisNode) Command(args ...string) (string, error) {
	host, port, err := net.SplitHostPort(loopback(s.port))
	if err != nil {
		return "", err
	}
	out, err := exec.Command("redis-cli", append([]string{"-h", host, "-p", port}, args...)...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("redis-cli %s: %w: %s", strings.Join(args, " "), err, text)
	}
	return text, nil
}

// SaveData copies what the server keeps on disk to a directory; the server has to be down.
func (s *RedisNode) SaveData(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.CopyFS(dir, os.DirFS(s.Dir))
}

// LoadData puts a copy made by SaveData in place of what the server keeps on disk; the server has to be down.
func (s *RedisNode) LoadData(dir string) error {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(s.Dir, e.Name())); err != nil {
			return err
		}
	}
	return os.CopyFS(s.Dir, os.DirFS(dir))
}

// Name says which server it is.
func (s *RedisNode) Name() string { return s.name }

// Name says which broker it is.
func (n *Node) Name() string { return n.name }
