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
	daysBytes   = 6    // of a recipient in a look-up's answer
	moreBytes   = 34   // of one who has more than days
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
	number, done := s.Numberer(tenant)
	defer done()
	numbers := make([]uint64, len(addresses))
	for i, address := range addresses {
		numbers[i] = number(address)
	}
	return s.Numbered(ctx, numbers, func(i int, r *engagement.Recipient) { out[i] = *r })
}

// Numberer returns a function that gives a tenant's recipients the numbers under which they are kept. The function is for one
// goroutine and must not be used after done. An address is trimmed and lower-cased.
func (s *Store) Numberer(tenant string) (number func(address string) uint64, done func()) {
	if tenant == "" {
		tenant = windows.DefaultTenant
	}
	hasher := s.hashers.Get().(*engagement.Hasher)
	return func(address string) uint64 {
		who, shard := windows.Who(hasher, len(s.shards), tenant, address)
		return uint64(shard)<<(8*whoBytes) | who
	}, func() { s.hashers.Put(hasher) }
}

// Numbered calls found for each of the numbers, in any order, with what is known of its recipient; r is valid during the call. It
// may be called from several goroutines. The more numbers there are, the less each of them costs: recipients who are kept under
// the same key are looked up together.
func (s *Store) Numbered(ctx context.Context, numbers []uint64, found func(i int, r *engagement.Recipient)) error {
	l, _ := s.lookups.Get().(*lookup)
	if l == nil {
		l = &lookup{packed: make([]byte, 0, whoBytes*lookupBatch)}
	}
	defer s.lookups.Put(l)
	if cap(l.scratch) < len(numbers) {
		l.refs, l.scratch = make([]ref, 0, len(numbers)), make([]ref, len(numbers))
	}
	for i, sh := range s.shards {
		refs := l.refs[:0]
		for k, number := range numbers {
			if int(number>>(8*whoBytes)) == i {
				refs = append(refs, ref{refKey(number << 8 >> 8), uint32(k)})
			}
		}
		l.refs, l.scratch = sortRefs(refs, l.scratch[:len(refs)])
		for part := range slices.Chunk(l.refs, lookupBatch) {
			l.packed = l.packed[:0]
			for _, r := range part {
				l.packed = appendWho(l.packed, numbers[r.item])
			}
			if err := s.lookUp(ctx, sh, l.packed, part, found); err != nil {
				return err
			}
		}
	}
	return nil
}

// lookup is what a look-up needs room for.
type lookup struct {
	refs, scratch []ref
	packed        []byte
}

// lookUp asks a shard for the recipients of the references, packed.
func (s *Store) lookUp(ctx context.Context, sh *shard, packed []byte, refs []ref, found func(int, *engagement.Recipient)) error {
	answer, err := s.scripts.lookup.Run(ctx, s.client, sh.keys(), sh.base, packed).StringSlice()
	if err != nil {
		return fmt.Errorf("look recipients up: %w", err)
	}
	if len(answer) != 2 || len(answer[0]) != daysBytes*len(refs) || len(answer[1])%moreBytes != 0 {
		return errAnswer
	}
	days, more := answer[0], answer[1]
	for k, r := range refs {
		d := days[k*daysBytes : (k+1)*daysBytes]
		out := engagement.NewRecipient()
		out.First, out.Last, out.Interacted = dayPacked(d[0:]), dayPacked(d[2:]), dayPacked(d[4:])
		if len(more) > 0 && int(more[0])<<8|int(more[1]) == k {
			out.Unsubscribed, out.Complained = timePacked(more[2:]), timePacked(more[10:])
			out.OptedIn, out.HardBounced = timePacked(more[18:]), timePacked(more[26:])
			more = more[moreBytes:]
		}
		found(int(r.item), &out)
	}
	if len(more) > 0 {
		return errAnswer
	}
	return nil
}

// dayPacked is a day as a bucket has it: the top bit tells something else.
func dayPacked(text string) engagement.Day {
	return dayStored(uint16(text[0]&0x7f)<<8 | uint16(text[1]))
}

func timePacked(text string) engagement.Instant {
	n := uint64(0)
	for i := range 8 {
		n = n<<8 | uint64(text[i])
	}
	return timeStored(n)
}

// appendWho appends a number as scripts take it.
func appendWho(packed []byte, number uint64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], number)
	return append(packed, b[1:]...)
}

// Forget erases recipients of a tenant and tells how many of them there were.
func (s *Store) Forget(ctx context.Context, tenant string, addresses []string) (int64, error) {
	if tenant == "" {
		tenant = windows.DefaultTenant
	}
	number, done := s.Numberer(tenant)
	defer done()
	packed := make([][]byte, len(s.shards))
	for _, address := range addresses {
		n := number(address)
		shard := n >> (8 * whoBytes)
		packed[shard] = appendWho(packed[shard], n)
	}
	var n int64
	for i, sh := range s.shards {
		for part := range slices.Chunk(packed[i], whoBytes*lookupBatch) {
			gone, err := s.forget(ctx, sh, tenant, part)
			if err != nil {
				return n, fmt.Errorf("forget recipients: %w", err)
			}
			n += gone
		}
	}
	return n, nil
}

// forget erases some recipients of one shard, in a turn of its own: a long list would keep applies out otherwise, who begin anew
// whenever buckets have changed.
func (s *Store) forget(ctx context.Context, sh *shard, tenant string, whos []byte) (int64, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t := turn{s: s, sh: sh, wants: true}
	if err := t.wait(ctx); err != nil {
		return 0, err
	}
	defer t.release(ctx)
	return s.scripts.forget.Run(ctx, s.client, sh.keys(), sh.base, tenant, whos, stepTag()).Int64()
}

// daysInCohort is how many days share a hash of cohorts.
const daysInCohort = 32

// Cohorts returns the cohorts of a tenant's recipients that matter on the day: those of days in which a recipient who is not
// forgotten can lie.
func (s *Store) Cohorts(ctx context.Context, tenant string, day engagement.Day) (*engagement.Cohorts, error) {
	if tenant == "" {
		tenant = windows.DefaultTenant
	}
	b := s.rules.At(day)
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
	b := s.rules.At(day)
	return cohorts.At(&b), nil
}

// Rules are the engagement rules in force.
func (s *Store) Rules() engagement.Rules { return s.rules }

// forgottenBefore is the stored day before which recipients are forgotten at asOf; a month of grace is for events that come
// late.
func (s *Store) forgottenBefore(asOf time.Time) uint16 {
	return storedDay(s.rules.At(engagement.DayOf(asOf)).Forgotten - 31)
}
