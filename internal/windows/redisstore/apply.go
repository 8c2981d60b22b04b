package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"sendwatch/internal/windows"
)

// shardsAtOnce bounds how many scripts of one Apply run side by side.
const shardsAtOnce = 8

// maxRounds bounds how often a batch is encoded anew because others have written meanwhile. More than a few mean that something is
// wrong.
const maxRounds = 50

// Apply adds what the fold holds to the state and moves its positions: on each home shard all of it or nothing. Events that the
// state has already are withdrawn from the fold.
//
// A *windows.PositionError says that the state is not where the fold begins. After any other error it is not known which shards
// have it; applying the same fold again is right then, because a shard that has it says so by its position.
func (s *Store) Apply(ctx context.Context, f *windows.Fold) error {
	if f.Shards() != len(s.shards) {
		return fmt.Errorf("redis: a fold for %d shards, the state has %d", f.Shards(), len(s.shards))
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	if len(s.shards) == 1 {
		return s.applyShard(ctx, f, 0)
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(shardsAtOnce)
	for i := range s.shards {
		group.Go(func() error { return s.applyShard(inner, f, i) })
	}
	return group.Wait()
}

func (s *Store) applyShard(ctx context.Context, f *windows.Fold, i int) error {
	sh := s.shards[i]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	moves := false
	for _, r := range f.Runs() {
		moves = moves || r.Moves(i)
	}
	if !moves {
		return nil
	}
	// Whoever met others the last time asks for a turn before the work is done, not after.
	t := turn{s: s, sh: sh, wants: sh.contended}
	sh.contended = false
	defer t.release(ctx)
	for range maxRounds {
		if err := t.wait(ctx); err != nil {
			return fmt.Errorf("apply to shard %d: %w", i, err)
		}
		if err := sh.encoder.begin(f, i, s); err != nil {
			return err
		}
		var v view
		var err error
		if sh.encoder.looks() {
			if v, err = s.view(ctx, sh); err == nil && v.turn && t.token == "" {
				t.refused()
				continue
			}
		}
		if err == nil {
			err = sh.encoder.encode(ctx, s, sh, v)
		}
		if errors.Is(err, errStale) {
			t.changed()
			continue
		}
		if err != nil {
			return fmt.Errorf("apply to shard %d: %w", i, err)
		}
		args, ahead := s.arguments(sh, f, i, v, t.token)
		if ahead {
			if err := s.readPositions(ctx, sh, runsOf(f, i)); err != nil {
				return err
			}
			// Still not: the script would compare with what is there now, and take a fold that begins elsewhere.
			if args, ahead = s.arguments(sh, f, i, v, t.token); ahead {
				_, err := s.heedPositions(sh, f, i, sh.elsewhere(f, i))
				return err
			}
		}
		answer, err := s.scripts.apply.Run(ctx, s.client, sh.keys(), args...).Slice()
		if err != nil {
			return fmt.Errorf("apply to shard %d: %w", i, err)
		}
		again, err := s.heed(sh, f, i, answer, &t)
		if err != nil {
			return err
		}
		if !again {
			sh.encoder.noteListed()
			s.maintain(ctx, sh)
			s.sweeper.afterApply(ctx, sh)
			return nil
		}
	}
	return fmt.Errorf("apply to shard %d: the state kept changing over %d rounds", i, maxRounds)
}

func runsOf(f *windows.Fold, shard int) []windows.Partition {
	var list []windows.Partition
	for _, r := range f.Runs() {
		if r.Moves(shard) {
			list = append(list, r.Partition)
		}
	}
	return list
}

// elsewhere lists the positions that are not where the fold begins, as the script answers them.
func (sh *shard) elsewhere(f *windows.Fold, i int) []any {
	var answer []any
	for _, r := range f.Runs() {
		field := positionField(r.Partition)
		if have := sh.position[field].known(); r.Moves(i) && have.next != r.From[i] {
			answer = append(answer, field, have.text)
		}
	}
	return answer
}

// arguments lists the arguments of the apply script. unknown tells that some position is not known to stand where the fold
// begins, so that the script would refuse.
func (s *Store) arguments(sh *shard, f *windows.Fold, i int, v view, token string) (args []any, unknown bool) {
	e := &sh.encoder
	args = make([]any, 0, 16+3*len(f.Runs()))
	args = append(args, sh.base, stepTag(), v.arg(e.looks()), token, e.newest, e.sets, e.patches, e.addedRecipients, e.addedPrints, e.moves,
		e.minutes.buf, e.hours.buf, e.daily.buf, e.subjects, e.tally, s.o.FeedBytes/int64(len(s.shards)))
	for _, r := range f.Runs() {
		if !r.Moves(i) {
			continue
		}
		field := positionField(r.Partition)
		have, ok := sh.position[field]
		if !ok {
			have = position{next: -1}
		}
		if have.next != r.From[i] {
			unknown = true
		}
		args = append(args, field, have.text, have.after(r).text)
	}
	return args, unknown
}

// heed does what the script's answer asks for. again means that the batch has to be encoded anew.
func (s *Store) heed(sh *shard, f *windows.Fold, i int, answer []any, t *turn) (again bool, err error) {
	what, _ := answer[0].(string)
	switch what {
	case "position":
		return s.heedPositions(sh, f, i, answer[1:])
	case "turn":
		t.refused()
		return true, nil
	case "changed":
		t.changed()
		return true, nil
	case "done":
		return false, sh.done(f, i, answer[1:])
	}
	return false, errAnswer
}

// heedPositions looks at the positions that were not as expected. When the state stands where the fold ends, it has been
// applied before: by a step whose answer was lost, or by somebody who had the same records.
func (s *Store) heedPositions(sh *shard, f *windows.Fold, i int, answer []any) (again bool, err error) {
	wrong := map[string]int64{}
	for k := 0; k+1 < len(answer); k += 2 {
		field, _ := answer[k].(string)
		text, _ := answer[k+1].(string)
		p, ok := parsePosition(text)
		if !ok {
			return false, fmt.Errorf("redis: position of %s is %q, which this program never writes", field, text)
		}
		sh.know(field, p)
		wrong[field] = p.next
	}
	ahead, elsewhere := 0, (*windows.PositionError)(nil)
	moving := 0
	for _, r := range f.Runs() {
		if !r.Moves(i) {
			continue
		}
		moving++
		have, ok := wrong[positionField(r.Partition)]
		switch {
		case !ok:
		case have == r.Next:
			ahead++
			fallthrough
		case have != r.From[i]:
			if elsewhere == nil {
				elsewhere = &windows.PositionError{Shard: i, Partition: r.Partition, Want: r.From[i], Have: have}
			}
		}
	}
	switch {
	case ahead == moving:
		return false, nil
	case elsewhere != nil:
		return false, elsewhere
	}
	return true, nil // only the newest time or the topic's id were others
}

// done notes what the state is now.
func (sh *shard) done(f *windows.Fold, i int, answer []any) error {
	if len(answer) < 3 {
		return errAnswer
	}
	var n [2]int64
	for k := range n {
		v, ok := answer[k].(int64)
		if !ok {
			return errAnswer
		}
		n[k] = v
	}
	sh.entries = [numKinds]int64{recipients: n[0], prints: n[1]}
	for _, r := range f.Runs() {
		if r.Moves(i) {
			field := positionField(r.Partition)
			sh.position[field] = sh.position[field].known().after(r)
		}
	}
	for _, x := range answer[3:] {
		if key, ok := x.(string); ok && len(sh.compact) < compactQueue {
			sh.compact = append(sh.compact, key)
		}
	}
	return nil
}

// known is the position itself, or the one of a partition that has none.
func (p position) known() position {
	if p.text == "" {
		p.next = -1
	}
	return p
}

// Resume returns how far the state has taken each of the partitions. A state that was emptied meanwhile is made anew first, with the
// key that it had.
func (s *Store) Resume(ctx context.Context, partitions []windows.Partition) (map[windows.Partition]windows.Progress, error) {
	out := make(map[windows.Partition]windows.Progress, len(partitions))
	for _, p := range partitions {
		out[p] = windows.Progress{Next: make([]int64, len(s.shards))}
	}
	if err := s.claimAgain(ctx); err != nil {
		return nil, err
	}
	for i, sh := range s.shards {
		sh.mu.Lock()
		err := s.readPositions(ctx, sh, partitions)
		if err == nil {
			for _, p := range partitions {
				have := sh.position[positionField(p)].known()
				progress := out[p]
				progress.Next[i] = have.next
				if t := have.newestTime(); t.After(progress.NewestEvent) {
					progress.NewestEvent = t
				}
				if have.topicID != "" {
					progress.TopicID = have.topicID
				}
				out[p] = progress
			}
		}
		sh.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readPositions reads where the shard stands in these partitions.
func (s *Store) readPositions(ctx context.Context, sh *shard, partitions []windows.Partition) error {
	if len(partitions) == 0 {
		return nil
	}
	fields := make([]string, len(partitions))
	for i, p := range partitions {
		fields[i] = positionField(p)
	}
	values, err := s.client.HMGet(ctx, sh.base+"pos", fields...).Result()
	if err != nil {
		return fmt.Errorf("read positions: %w", err)
	}
	for i, v := range values {
		text, _ := v.(string)
		p, ok := parsePosition(text)
		if !ok {
			return fmt.Errorf("redis: position of %s is %q, which this program never writes", fields[i], text)
		}
		sh.know(fields[i], p)
	}
	return nil
}

// Positions returns where each shard stands in each of the partitions, -1 for none: as Resume, but it only looks. What this process
// knows of the shards stays as it is, and an Apply that is under way is not waited for.
func (s *Store) Positions(ctx context.Context, partitions []windows.Partition) (map[windows.Partition][]int64, error) {
	fields := make([]string, len(partitions))
	out := make(map[windows.Partition][]int64, len(partitions))
	for i, p := range partitions {
		fields[i], out[p] = positionField(p), make([]int64, len(s.shards))
	}
	if len(fields) == 0 {
		return out, nil
	}
	cmds, err := s.onEveryShard(ctx, func(p redis.Pipeliner, sh *shard) redis.Cmder { return p.HMGet(ctx, sh.base+"pos", fields...) })
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	for shard, cmd := range cmds {
		for i, v := range cmd.(*redis.SliceCmd).Val() {
			text, _ := v.(string)
			have, ok := parsePosition(text)
			if !ok {
				return nil, fmt.Errorf("redis: position of %s is %q, which this program never writes", fields[i], text)
			}
			out[partitions[i]][shard] = have.next
		}
	}
	return out, nil
}

// StartAnew removes the positions of a topic's partitions, so that it is read from its beginning, as another topic would be:
// for one that was deleted and made again. Nobody may be reading it meanwhile.
func (s *Store) StartAnew(ctx context.Context, topic string) error {
	for _, sh := range s.shards {
		fields, err := s.client.HKeys(ctx, sh.base+"pos").Result()
		if err == nil {
			var gone []string
			for _, field := range fields {
				if p, ok := parsePositionField(field); ok && p.Topic == topic {
					gone = append(gone, field)
				}
			}
			if len(gone) > 0 {
				err = s.client.HDel(ctx, sh.base+"pos", gone...).Err()
			}
		}
		if err != nil {
			return fmt.Errorf("remove positions: %w", err)
		}
	}
	return nil
}
