package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/windows"
)

// listFor is how long a list of subjects is good for, so that paging through it does not read it again for every page.
const listFor = 2 * time.Second

// subjectLists remembers the sorted subjects of combinations for a moment.
type subjectLists struct {
	mu    sync.Mutex
	lists map[string]*subjectList
}

type subjectList struct {
	mu       sync.Mutex
	read     time.Time
	subjects []string
}

// Subjects lists the subjects of a combination, sorted by key, in pages: cursor is "" for the first, next is "" after the last.
// A subject that was first counted within the last two seconds may be missing.
func (s *Store) Subjects(ctx context.Context, c windows.Combination, cursor string, limit int) (subjects []string, next string, err error) {
	if limit < 1 {
		return nil, "", fmt.Errorf("redis: a page of %d subjects", limit)
	}
	list, err := s.listOf(ctx, c)
	if err != nil {
		return nil, "", err
	}
	from := 0
	if cursor != "" {
		i, found := slices.BinarySearch(list, cursor)
		if found {
			i++
		}
		from = i
	}
	to := min(from+limit, len(list))
	page := slices.Clone(list[from:to])
	if to < len(list) {
		next = list[to-1]
	}
	return page, next, nil
}

func (s *Store) listOf(ctx context.Context, c windows.Combination) ([]string, error) {
	name := c.String()
	s.lists.mu.Lock()
	if s.lists.lists == nil {
		s.lists.lists = map[string]*subjectList{}
	}
	list := s.lists.lists[name]
	if list == nil {
		list = &subjectList{}
		s.lists.lists[name] = list
	}
	s.lists.mu.Unlock()
	list.mu.Lock()
	defer list.mu.Unlock()
	if time.Since(list.read) < listFor {
		return list.subjects, nil
	}
	subjects, err := s.allSubjects(ctx, c)
	if err != nil {
		return nil, err
	}
	list.subjects, list.read = subjects, time.Now()
	return subjects, nil
}

// allSubjects reads the subjects of a combination from every shard, sorted.
func (s *Store) allSubjects(ctx context.Context, c windows.Combination) ([]string, error) {
	name := c.String()
	cmds, err := s.onEveryShard(ctx, func(p redis.Pipeliner, sh *shard) redis.Cmder {
		return p.ZRange(ctx, sh.base+"subj:"+name, 0, -1)
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("list subjects: %w", err)
	}
	var all []string
	for _, cmd := range cmds {
		all = append(all, cmd.(*redis.StringSliceCmd).Val()...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}
