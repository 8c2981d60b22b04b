package redisstate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sendwatch/internal/alerts"
)

// Cursor is how far somebody has followed the log of records: by evaluation partition, the number of the next one. The zero
// value stands for the oldest records that are kept; Now gives the end.
type Cursor []int64

// Now is the cursor of somebody who wants to hear only of what comes.
func (s *Store) Now(ctx context.Context) (Cursor, error) {
	c := make(Cursor, s.options.Partitions)
	for p := range c {
		part, err := s.readLog(ctx, p, theEnd, 0)
		if err != nil {
			return nil, err
		}
		c[p] = part.logged
	}
	return c, nil
}

// Resume finds the place after the record "<id>/<seq>", which was the last that somebody saw. When the log no longer has it, or
// never had, ok is false and the cursor is the oldest place there is: twice is better than never.
//
// The other evaluation partitions go on with what was evaluated at the same time or later.
func (s *Store) Resume(ctx context.Context, token string) (c Cursor, ok bool, err error) {
	c = make(Cursor, s.options.Partitions)
	home, seen := -1, time.Time{}
	for p := range c {
		err := s.backwards(ctx, p, func(number int64, text string) (bool, error) {
			if !strings.HasPrefix(text, token+" ") {
				return true, nil
			}
			e, err := entries([]string{text})
			if err == nil {
				home, seen, c[p] = p, e[0].Record.EvaluatedAt, number+1
			}
			return false, err
		})
		if err != nil {
			return nil, false, err
		}
	}
	if home < 0 {
		return c, false, nil
	}
	for p := range c {
		if p == home {
			continue
		}
		err := s.backwards(ctx, p, func(number int64, text string) (bool, error) {
			e, err := entries([]string{text})
			if err != nil || !e[0].Record.EvaluatedAt.Before(seen) {
				return err == nil, err
			}
			c[p] = number + 1
			return false, nil
		})
		if err != nil {
			return nil, false, err
		}
	}
	return c, true, nil
}

// After returns up to limit records (100 when zero) beyond the cursor, and the cursor after them. Records that the log no longer
// has are passed over; when the state went back to older data, reading goes on from its end.
func (s *Store) After(ctx context.Context, c Cursor, limit int) ([]alerts.Entry, Cursor, error) {
	if limit <= 0 {
		limit = 100
	}
	next := make(Cursor, s.options.Partitions)
	copy(next, c)
	var found []alerts.Entry
	for p := range next {
		part, err := s.readLog(ctx, p, next[p], limit-len(found))
		if err != nil {
			return nil, c, err
		}
		more, err := entries(part.list)
		if err != nil {
			return nil, c, err
		}
		found = append(found, more...)
		next[p] = part.from + int64(len(more))
	}
	return found, next, nil
}

// backwards goes over the kept records of a partition's log, newest first, until visit says false.
func (s *Store) backwards(ctx context.Context, partition int, visit func(number int64, text string) (bool, error)) error {
	const chunk = 500
	part, err := s.readLog(ctx, partition, theEnd, 0)
	if err != nil {
		return err
	}
	for end := part.logged; end > 0; end = part.from {
		from := max(0, end-chunk)
		if part, err = s.readLog(ctx, partition, from, int(end-from)); err != nil {
			return err
		}
		for i := min(int64(len(part.list)), end-part.from) - 1; i >= 0; i-- {
			if on, err := visit(part.from+i, part.list[i]); err != nil || !on {
				return err
			}
		}
		if part.from > from {
			return nil // the rest is no longer kept
		}
	}
	return nil
}

// theEnd is beyond every number that a record can have.
const theEnd = 1 << 53

// logPart is a part of a log, as it was at one instant.
type logPart struct {
	logged int64 // records ever
	from   int64 // number of the first one in list
	list   []string
}

func (s *Store) readLog(ctx context.Context, partition int, from int64, n int) (logPart, error) {
	answer, err := s.scripts.follow.Run(ctx, s.client, []string{s.key(partition, "meta"), s.key(partition, "log")}, from, n).Slice()
	if err != nil {
		return logPart{}, fmt.Errorf("follow alerts: %w", err)
	}
	var part logPart
	part.logged, _ = answer[0].(int64)
	part.from, _ = answer[1].(int64)
	list, _ := answer[2].([]any)
	for _, x := range list {
		text, _ := x.(string)
		part.list = append(part.list, text)
	}
	return part, nil
}
