package redisstate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/alerts"
)

// ErrCursor is wrapped by errors about a cursor that List did not give.
var ErrCursor = errors.New("unknown cursor")

// Status selects episodes.
type Status uint8

// What to list.
const (
	Any Status = iota
	Firing
	Resolved
)

// Query is what List is asked for.
type Query struct {
	Status  Status
	Subject string // key; "" = all subjects
	Limit   int    // 100 when zero
	Cursor  string // from the answer before
}

// List returns the newest record of each episode, those that began last first, and the cursor for the next page, "" at the
// end.
func (s *Store) List(ctx context.Context, q Query) (records []alerts.Record, next string, err error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	if q.Cursor != "" && !validCursor(q.Cursor) {
		return nil, "", fmt.Errorf("%w %q: take next_cursor of the page before", ErrCursor, q.Cursor)
	}
	for len(records) < q.Limit {
		// One more than wanted tells whether there is another page.
		page, last, more, err := s.page(ctx, &q, q.Limit-len(records))
		if err != nil {
			return nil, "", err
		}
		records = append(records, page...)
		if !more {
			return records, "", nil
		}
		q.Cursor = last
	}
	return records, q.Cursor, nil
}

// page reads up to n index entries beyond the cursor, over all partitions, and the records behind them that are wanted.
func (s *Store) page(ctx context.Context, q *Query, n int) (records []alerts.Record, last string, more bool, err error) {
	name := [...]string{Any: "all", Firing: "firing", Resolved: "resolved"}[q.Status]
	if q.Subject != "" {
		name = "sub:" + q.Subject
	}
	from := "+"
	if q.Cursor != "" {
		from = "(" + q.Cursor
	}
	type place struct {
		member    string
		partition int
	}
	var found []place
	for p := range s.options.Partitions {
		if q.Subject != "" && p != alerts.PartitionOf(q.Subject, s.options.Partitions) {
			continue
		}
		members, err := s.client.ZRevRangeByLex(ctx, s.key(p, name), &redis.ZRangeBy{Min: "-", Max: from, Count: int64(n) + 1}).Result()
		if err != nil {
			return nil, "", false, fmt.Errorf("list alerts: %w", err)
		}
		for _, m := range members {
			found = append(found, place{m, p})
		}
	}
	slices.SortFunc(found, func(a, b place) int { return strings.Compare(b.member, a.member) })
	more = len(found) > n
	found = found[:min(len(found), n)]
	if len(found) == 0 {
		return nil, "", false, nil
	}

	pipe := s.client.Pipeline()
	cmds := make([]*redis.StringCmd, len(found))
	for i, f := range found {
		cmds[i] = pipe.LIndex(ctx, s.key(f.partition, "ep:"+episodeOf(f.member)), -1)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, "", false, fmt.Errorf("list alerts: %w", err)
	}
	for i := range found {
		text, err := cmds[i].Bytes()
		if errors.Is(err, redis.Nil) {
			continue // forgotten between the two reads
		}
		if err != nil {
			return nil, "", false, fmt.Errorf("list alerts: %w", err)
		}
		r, err := alerts.Decode(text)
		if err != nil {
			return nil, "", false, fmt.Errorf("list alerts: %w", err)
		}
		if q.Status == Any || (q.Status == Firing) == (r.Status == alerts.Firing) {
			records = append(records, r)
		}
	}
	return records, found[len(found)-1].member, more, nil
}

// episodeOf is the id in a member of an index.
func episodeOf(member string) string {
	_, id, _ := strings.Cut(member, ":")
	return id
}

func validCursor(c string) bool {
	start, id, ok := strings.Cut(c, ":")
	return ok && len(start) == 16 && id != "" && strings.Trim(start, "0123456789abcdef") == ""
}

// Episode returns all kept records of an episode in order, none when it is unknown.
func (s *Store) Episode(ctx context.Context, id string) ([]alerts.Record, error) {
	for p := range s.options.Partitions {
		list, err := s.client.LRange(ctx, s.key(p, "ep:"+id), 0, -1).Result()
		if err != nil {
			return nil, fmt.Errorf("episode %s: %w", id, err)
		}
		if len(list) == 0 {
			continue
		}
		records := make([]alerts.Record, len(list))
		for i, text := range list {
			if records[i], err = alerts.Decode([]byte(text)); err != nil {
				return nil, fmt.Errorf("episode %s: %w", id, err)
			}
		}
		return records, nil
	}
	return nil, nil
}
