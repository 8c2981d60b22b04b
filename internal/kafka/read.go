package kafka

import (
	"context"
	"errors"
)

// Read visits the records of a partition from the given offset (or from where the log begins, when that is later) up to where
// the log ends when it is called, and returns the offset after them. It is for short logs that we write ourselves, like the
// alert topic; the error of visit ends it.
func (c *Client) Read(ctx context.Context, topic string, partition int, from int64, visit func(offset int64, value []byte) error) (int64, error) {
	l := c.Log(topic, partition, LogOptions{})
	defer l.Close()
	first, end, err := l.Offsets(ctx)
	if err != nil {
		return from, err
	}
	next := max(from, first)
	for next < end {
		f, err := l.Fetch(ctx, next, func(offset int64, value []byte) error {
			if offset >= end {
				return errEnd
			}
			return visit(offset, value)
		})
		var hole *HoleError
		switch next = f.Next; {
		case errors.Is(err, errEnd):
			return end, nil
		case errors.As(err, &hole):
			next = hole.First // deleted between two fetches
		case err != nil:
			return next, err
		}
	}
	return max(next, from), nil
}

// Follow visits the records of a partition from the given offset on and then those that come, until the context ends or visit
// fails. Errors that pass are left to the caller, which knows how to wait: call it again with the offset that it returns.
func (c *Client) Follow(ctx context.Context, topic string, partition int, from int64, visit func(offset int64, value []byte) error) (int64, error) {
	l := c.Log(topic, partition, LogOptions{})
	defer l.Close()
	for next := from; ; {
		f, err := l.Fetch(ctx, next, visit)
		next = f.Next
		var hole *HoleError
		if errors.As(err, &hole) {
			next = hole.First
			continue
		}
		if err != nil {
			return next, err
		}
	}
}

// Offsets returns the first offset of a partition's log and the one after its last.
func (c *Client) Offsets(ctx context.Context, topic string, partition int) (first, next int64, err error) {
	l := c.Log(topic, partition, LogOptions{})
	defer l.Close()
	return l.Offsets(ctx)
}

var errEnd = errors.New("the end that was asked for")
