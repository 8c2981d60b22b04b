package redisstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/alerts"
)

// Partition is the state of one evaluation partition, as its holder writes it. It is safe for concurrent use.
type Partition struct {
	store *Store
	n     int
}

func (p *Partition) key(name string) string { return p.store.key(p.n, name) }

func leaseText(l alerts.Lease) string { return l.Owner + "/" + strconv.FormatInt(l.Token, 10) }

// Acquire takes the lease for a while when nobody has it. Otherwise it says who does.
func (p *Partition) Acquire(ctx context.Context, owner string, ttl time.Duration) (lease alerts.Lease, holder string, err error) {
	answer, err := p.store.scripts.acquire.Run(ctx, p.store.client, []string{p.key("lease"), p.key("meta")}, owner, ttl.Milliseconds()).Slice()
	if err != nil {
		return alerts.Lease{}, "", fmt.Errorf("lease: %w", err)
	}
	token, _ := answer[0].(int64)
	if token == 0 {
		have, _ := answer[1].(string)
		if i := strings.LastIndexByte(have, '/'); i >= 0 {
			have = have[:i]
		}
		return alerts.Lease{}, have, nil
	}
	return alerts.Lease{Owner: owner, Token: token}, owner, nil
}

// Renew prolongs the lease. The error is ErrLeaseLost when it is no longer ours.
func (p *Partition) Renew(ctx context.Context, lease alerts.Lease, ttl time.Duration) error {
	return p.renew(ctx, lease, ttl.Milliseconds())
}

// Release gives the lease back, so that another process need not wait for it to run out.
func (p *Partition) Release(ctx context.Context, lease alerts.Lease) error {
	return p.renew(ctx, lease, 0)
}

func (p *Partition) renew(ctx context.Context, lease alerts.Lease, milliseconds int64) error {
	ok, err := p.store.scripts.renew.Run(ctx, p.store.client, []string{p.key("lease")}, leaseText(lease), milliseconds).Int()
	if err != nil {
		return fmt.Errorf("lease: %w", err)
	}
	if ok == 0 {
		return alerts.ErrLeaseLost
	}
	return nil
}

// Load reads the state.
func (p *Partition) Load(ctx context.Context) (*alerts.Snapshot, error) {
	pipe := p.store.client.Pipeline()
	metaCmd := pipe.HGetAll(ctx, p.key("meta"))
	alertsCmd := pipe.HGetAll(ctx, p.key("alerts"))
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("load alert state: %w", err)
	}
	st := &alerts.Snapshot{Topic: alerts.TopicPosition{Next: map[int]int64{}}}
	for field, value := range metaCmd.Val() {
		n, err := strconv.ParseInt(value, 10, 64)
		switch {
		case field == "topic":
			st.Topic.TopicID = value
			continue
		case field == "step":
			st.Mark.Step = value
			continue
		case err != nil:
			return nil, fmt.Errorf("load alert state: %s %s: %q is no number", p.key("meta"), field, value)
		case field == "version":
			st.Mark.Version = n
		case field == "evaluated" && n != 0:
			st.Evaluated = time.Unix(0, n).UTC()
		}
		if partition, ok := strings.CutPrefix(field, "next:"); ok {
			id, err := strconv.Atoi(partition)
			if err != nil {
				return nil, fmt.Errorf("load alert state: %s: field %q", p.key("meta"), field)
			}
			st.Topic.Next[id] = n
		}
	}
	stored := alertsCmd.Val()
	for _, key := range slices.Sorted(maps.Keys(stored)) {
		var s alerts.Saved
		if err := json.Unmarshal([]byte(stored[key]), &s); err != nil {
			return nil, fmt.Errorf("load alert state: alert %q: %w", key, err)
		}
		st.Alerts = append(st.Alerts, s)
	}
	return st, nil
}

// Save takes one step from the given state and returns the mark of the new one. The errors are ErrLeaseLost, ErrConflict, or those of
// the connection, after which the same step can be tried again: it is taken once.
func (p *Partition) Save(ctx context.Context, lease alerts.Lease, from alerts.Mark, w *alerts.Write) (alerts.Mark, error) {
	keys := []string{p.key("lease"), p.key("meta"), p.key("alerts"), p.key("outbox"), p.key("log"), p.key("firing"), p.key("resolved"), p.key("all"), p.key("ended")}
	o := &p.store.options
	evaluated := int64(0)
	if !w.Evaluated.IsZero() {
		evaluated = w.Evaluated.UnixNano()
	}
	args := []any{leaseText(lease), from.Step, w.ID, evaluated, o.KeepRecords, o.KeepLog}
	args = appendPosition(args, w.Topic)
	args = append(args, len(w.Alerts))
	for _, key := range slices.Sorted(maps.Keys(w.Alerts)) {
		text := ""
		if s := w.Alerts[key]; s != nil {
			b, err := json.Marshal(s)
			if err != nil {
				return alerts.Mark{}, fmt.Errorf("save alert %q: %w", key, err)
			}
			text = string(b)
		}
		args = append(args, key, text)
	}
	args = append(args, len(w.Records)+len(w.Adopted))
	add := func(r *alerts.Record, encoded []byte, publish string) {
		keys = append(keys, p.key("ep:"+r.ID), p.key("sub:"+r.SubjectKey))
		member := indexMember(r)
		end := int64(0)
		if r.EndsAt != nil {
			end = r.EndsAt.Unix()
		}
		args = append(args, r.Token(), encoded, member, r.Status.String(), end, member+"|"+r.SubjectKey, publish)
	}
	for i := range w.Adopted {
		add(&w.Adopted[i].Record, w.Adopted[i].Encoded, "")
	}
	for i := range w.Records {
		add(&w.Records[i], w.Records[i].Encode(), "1")
	}
	answer, err := p.store.scripts.save.Run(ctx, p.store.client, keys, args...).Slice()
	if err != nil {
		return alerts.Mark{}, fmt.Errorf("save alert state: %w", err)
	}
	switch n, _ := answer[0].(int64); n {
	case -1:
		return alerts.Mark{}, alerts.ErrLeaseLost
	case -2:
		return alerts.Mark{}, fmt.Errorf("%w: it is at step %v, expected one on from %d", alerts.ErrConflict, answer[1], from.Version)
	case -3:
		return alerts.Mark{}, fmt.Errorf("save alert state: %v: something else uses this prefix", answer[1])
	default:
		return alerts.Mark{Version: n, Step: w.ID}, nil
	}
}

func appendPosition(args []any, topic *alerts.TopicPosition) []any {
	if topic == nil {
		return append(args, 0)
	}
	args = append(args, 1+len(topic.Next), "topic", topic.TopicID)
	for _, id := range slices.Sorted(maps.Keys(topic.Next)) {
		args = append(args, "next:"+strconv.Itoa(id), topic.Next[id])
	}
	return args
}

// indexMember sorts episodes by when they began, in order of text.
func indexMember(r *alerts.Record) string {
	return fmt.Sprintf("%016x:%s", max(0, r.StartsAt.UnixNano()), r.ID)
}

// Pending returns the first records that are still to be published, in order.
func (p *Partition) Pending(ctx context.Context, limit int) ([]alerts.Entry, error) {
	list, err := p.store.client.LRange(ctx, p.key("outbox"), 0, int64(limit)-1).Result()
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return entries(list)
}

// Waiting is how many records are still to be published.
func (p *Partition) Waiting(ctx context.Context) (int64, error) {
	n, err := p.store.client.LLen(ctx, p.key("outbox")).Result()
	if err != nil {
		return 0, fmt.Errorf("outbox: %w", err)
	}
	return n, nil
}

// Sent removes records that have been published, which Pending returned, from the head of the outbox.
func (p *Partition) Sent(ctx context.Context, lease alerts.Lease, sent []alerts.Entry) error {
	args := []any{leaseText(lease)}
	for i := range sent {
		args = append(args, sent[i].Record.Token())
	}
	n, err := p.store.scripts.sent.Run(ctx, p.store.client, []string{p.key("lease"), p.key("outbox")}, args...).Int()
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}
	if n < 0 {
		return alerts.ErrLeaseLost
	}
	return nil
}

// NewestSeqs returns the highest seq that the state has of each episode; those that it does not know are left out.
func (p *Partition) NewestSeqs(ctx context.Context, ids []string) (map[string]int64, error) {
	pipe := p.store.client.Pipeline()
	cmds := make([]*redis.StringCmd, len(ids))
	for i, id := range ids {
		cmds[i] = pipe.LIndex(ctx, p.key("ep:"+id), -1)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("episodes: %w", err)
	}
	newest := make(map[string]int64, len(ids))
	for i, id := range ids {
		text, err := cmds[i].Bytes()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("episode %s: %w", id, err)
		}
		r, err := alerts.Decode(text)
		if err != nil {
			return nil, fmt.Errorf("episode %s: %w", id, err)
		}
		newest[id] = r.Seq
	}
	return newest, nil
}

// Sweep forgets a bounded number of resolved episodes that are too old or too many, and returns how many.
func (p *Partition) Sweep(ctx context.Context, now time.Time) (int, error) {
	const atOnce = 200
	old, err := p.store.client.ZRangeByScore(ctx, p.key("ended"), &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(now.Add(-p.store.options.KeepResolved).Unix(), 10), Count: atOnce,
	}).Result()
	if err != nil {
		return 0, fmt.Errorf("sweep episodes: %w", err)
	}
	if len(old) == 0 {
		n, err := p.store.client.ZCard(ctx, p.key("ended")).Result()
		if err != nil {
			return 0, fmt.Errorf("sweep episodes: %w", err)
		}
		if excess := n - int64(p.store.options.MaxResolved); excess > 0 {
			old, err = p.store.client.ZRange(ctx, p.key("ended"), 0, min(excess, atOnce)-1).Result()
			if err != nil {
				return 0, fmt.Errorf("sweep episodes: %w", err)
			}
		}
	}
	if len(old) == 0 {
		return 0, nil
	}
	keys := []string{p.key("ended"), p.key("resolved"), p.key("all")}
	var args []any
	for _, ended := range old {
		member, subject, _ := strings.Cut(ended, "|")
		_, id, _ := strings.Cut(member, ":")
		keys = append(keys, p.key("ep:"+id), p.key("sub:"+subject))
		args = append(args, ended, member)
	}
	n, err := p.store.scripts.sweep.Run(ctx, p.store.client, keys, args...).Int()
	if err != nil {
		return 0, fmt.Errorf("sweep episodes: %w", err)
	}
	return n, nil
}

// entries reads the form of outbox and log.
func entries(list []string) ([]alerts.Entry, error) {
	out := make([]alerts.Entry, len(list))
	for i, text := range list {
		_, encoded, ok := strings.Cut(text, " ")
		if !ok {
			return nil, fmt.Errorf("entry %.60q: expected \"<id>/<seq> <json>\"", text)
		}
		r, err := alerts.Decode([]byte(encoded))
		if err != nil {
			return nil, fmt.Errorf("entry %.60q: %w", text, err)
		}
		out[i] = alerts.Entry{Record: r, Encoded: []byte(encoded)}
	}
	return out, nil
}
