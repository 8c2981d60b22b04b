package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

const (
	whoBytes    = 7
	answerBytes = 38
	lookupBatch = 1000 // recipients looked up in one script, some milliseconds
)

// Recipient returns what is known of a recipient, engagement.NewRecipient() when that is nothing. The address is trimmed and
// lower-cased.
func (s *Store) Recipient(ctx context.Context, tenant, address string) (engagement.Recipient, error) {
	out := make([]engagement.Recipient, 1)
	err := s.Recipients(ctx, tenant, []string{address}, out)
	return out[0], err
}

// Recipients fills out[i] with what is known of addresses[i]. It may be called from several goroutines.
func (s *Store) Recipients(ctx context.Context, tenant string, addresses []string, out []engagement.Recipient) error {
	byShard := s.whos(tenant, addresses)
	for i, list := range byShard {
		sh := s.shards[i]
		for part := range slices.Chunk(list, lookupBatch) {
			answer, err := s.scripts.lookup.Run(ctx, s.client, []string{sh.meta}, sh.base, packWhos(part)).Text()
			if err != nil {
				return fmt.Errorf("look recipients up: %w", err)
			}
			if len(answer) != answerBytes*len(part) {
				return errAnswer
			}
			for k, w := range part {
				out[w.address] = parseRecipient(answer[k*answerBytes : (k+1)*answerBytes])
			}
		}
	}
	return nil
}

// who is an address by its number in the list that was asked for.
type who struct {
	number  uint64
	address int
}

func (s *Store) whos(tenant string, addresses []string) [][]who {
	if tenant == "" {
		tenant = windows.DefaultTenant
	}
	hasher := s.hashers.Get().(*engagement.Hasher)
	defer s.hashers.Put(hasher)
	byShard := make([][]who, len(s.shards))
	for i, address := range addresses {
		number, shard := windows.Who(hasher, len(s.shards), tenant, address)
		byShard[shard] = append(byShard[shard], who{number, i})
	}
	return byShard
}

func packWhos(list []who) []byte {
	out := make([]byte, 0, whoBytes*len(list))
	for _, w := range list {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], w.number)
		out = append(out, b[1:]...)
	}
	return out
}

func parseRecipient(text string) engagement.Recipient {
	b := []byte(text)
	day := func(i int) engagement.Day { return dayStored(binary.BigEndian.Uint16(b[i:])) }
	at := func(i int) engagement.Instant { return timeStored(binary.BigEndian.Uint64(b[i:])) }
	return engagement.Recipient{First: day(0), Last: day(2), Interacted: day(4),
		Unsubscribed: at(6), Complained: at(14), OptedIn: at(22), HardBounced: at(30)}
}

// Forget erases recipients of a tenant and tells how many of them there were.
func (s *Store) Forget(ctx context.Context, tenant string, addresses []string) (int64, error) {
	if tenant == "" {
		tenant = windows.DefaultTenant
	}
	var n int64
	for i, list := range s.whos(tenant, addresses) {
		sh := s.shards[i]
		for part := range slices.Chunk(list, lookupBatch) {
			gone, err := s.scripts.forget.Run(ctx, s.client, []string{sh.meta}, sh.base, tenant, packWhos(part)).Int64()
			if err != nil {
				return n, fmt.Errorf("forget recipients: %w", err)
			}
			n += gone
		}
	}
	return n, nil
}

// daysInCohort is how many days share a hash of cohorts.
const daysInCohort = 32

// Cohorts returns the cohorts of a tenant's recipients that matter on the day: those of days in which a recipient who is not
// forgotten can lie.
func (s *Store) Cohorts(ctx context.Context, tenant string, day engagement.Day) (*engagement.Cohorts, error) {
	if tenant == "" {
		tenant = windows.DefaultTenant
	}
	b := s.bounds.rules.At(day)
	oldest := min(b.Engaged, b.New, day-90, day-365)
	first, last := int64(storedDay(oldest))/daysInCohort, lastDay/daysInCohort
	if d := int64(storedDay(day+400)) / daysInCohort; d < int64(last) {
		last = int(d)
	}
	out := engagement.NewCohorts()
	var cmds []*redis.MapStringStringCmd
	p := s.client.Pipeline()
	for _, sh := range s.shards {
		for chunk := first; chunk <= int64(last); chunk++ {
			cmds = append(cmds, p.HGetAll(ctx, sh.base+"co:"+strconv.FormatInt(chunk, 10)+":"+tenant))
		}
	}
	if _, err := p.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read cohorts: %w", err)
	}
	for _, cmd := range cmds {
		for field, text := range cmd.Val() {
			if len(field) < 2 {
				return nil, errAnswer
			}
			d, err1 := strconv.ParseUint(field[1:], 10, 16)
			n, err2 := strconv.ParseInt(text, 10, 64)
			m := map[byte]map[engagement.Day]int64{'s': out.Seen, 'i': out.Interacted, 'n': out.Untouched}[field[0]]
			if err1 != nil || err2 != nil || m == nil {
				return nil, errAnswer
			}
			m[dayStored(uint16(d))] += n
		}
	}
	return out, nil
}

// Breakdown counts a tenant's recipients by their state on a day.
func (s *Store) Breakdown(ctx context.Context, tenant string, day engagement.Day) (engagement.Breakdown, error) {
	cohorts, err := s.Cohorts(ctx, tenant, day)
	if err != nil {
		return engagement.Breakdown{}, err
	}
	b := s.bounds.rules.At(day)
	return cohorts.At(&b), nil
}

// Rules are the engagement rules in force.
func (s *Store) Rules() engagement.Rules { return s.bounds.rules }

// forgottenBefore is the stored day before which recipients are forgotten at asOf; a month of grace is for events that come
// late.
func (s *Store) forgottenBefore(asOf time.Time) uint16 {
	return storedDay(s.bounds.rules.At(engagement.DayOf(asOf)).Forgotten - 31)
}
