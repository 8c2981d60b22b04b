// Package redisstate keeps the state of alerts in Redis: who may evaluate, what is open, what is still to be published, and the
// history that the API and the event stream read.
//
// Every key of an evaluation partition NN carries the hash tag {eNN}, so each script works on one slot of a cluster:
//
//	P:{eNN}:lease      who evaluates: "<owner>/<token>", gone when it runs out
//	P:{eNN}:meta       hash: number and id of the last step, clock of the last evaluation, last token given
//	                   (fence), records ever logged (logged), alert topic positions (topic, next:<partition>)
//	P:{eNN}:alerts     hash: pending and open alerts by key, as JSON
//	P:{eNN}:outbox     list: records to be published, in order, "<id>/<seq> <json>"
//	P:{eNN}:log        list: the newest records in order, for those who follow; bounded
//	P:{eNN}:ep:<id>    list: the records of one episode, in order; bounded
//	P:{eNN}:firing, :resolved, :all, :sub:<subject key>
//	                   sorted sets of "<start>:<id>", in order of text, newest last
//	P:{eNN}:ended      sorted set: when resolved episodes ended, to forget them by
//	P:{e00}:layout     hash: schema and number of evaluation partitions, fixed when the state is first written
//
// Every write checks the lease, and every step also the one that it goes on from: a process that was frozen, or that remembers more
// than a Redis that came back with older data, changes nothing.
package redisstate

import (
	"context"
	_ "embed" // the scripts
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// schema is the layout above. A state of another one is refused.
const schema = "1"

// Options of a Store.
type Options struct {
	Prefix     string // of every key
	Partitions int    // evaluation partitions; 1 when zero. Fixed when the state is first written

	KeepRecords  int           // of an episode: its first and its newest ones; 1,000 when zero
	KeepLog      int           // newest records for those who follow; 10,000 when zero
	KeepResolved time.Duration // how long resolved episodes can be asked for; 90 days when zero
	MaxResolved  int           // and how many of them at most, per evaluation partition; 20,000 when zero
}

func (o *Options) fill() {
	set := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	set(&o.Partitions, 1)
	set(&o.KeepRecords, 1000)
	set(&o.KeepLog, 10_000)
	set(&o.MaxResolved, 20_000)
	if o.KeepResolved == 0 {
		o.KeepResolved = 90 * 24 * time.Hour
	}
}

// Store is the state of all evaluation partitions. It is safe for concurrent use.
type Store struct {
	client  redis.UniversalClient
	options Options
	scripts scripts
}

// Open returns the store after it has looked whether the state is of this layout and of as many partitions.
func Open(ctx context.Context, client redis.UniversalClient, o Options) (*Store, error) {
	o.fill()
	s := &Store{client: client, options: o, scripts: loadScripts()}
	have, err := s.scripts.open.Run(ctx, client, []string{s.key(0, "layout")}, schema, o.Partitions).StringSlice()
	switch {
	case err != nil:
		return nil, fmt.Errorf("alert state: %w", err)
	case have[0] != schema:
		return nil, fmt.Errorf("alert state under prefix %q has schema %s; this version knows %s: run the version that wrote it, or start with another redis.prefix",
			o.Prefix, have[0], schema)
	case have[1] != strconv.Itoa(o.Partitions):
		return nil, fmt.Errorf("alert state under prefix %q has %s evaluation partitions, %d were asked for: their number is fixed when the state is first written",
			o.Prefix, have[1], o.Partitions)
	}
	return s, nil
}

// Partitions is how many evaluation partitions there are.
func (s *Store) Partitions() int { return s.options.Partitions }

// Partition returns the state of one evaluation partition.
func (s *Store) Partition(n int) *Partition { return &Partition{store: s, n: n} }

// key is the name of a partition's key.
func (s *Store) key(partition int, name string) string {
	return fmt.Sprintf("%s:{e%02d}:%s", s.options.Prefix, partition, name)
}

type scripts struct {
	open, acquire, renew, save, sent, sweep, follow *redis.Script
}

//go:embed open.lua
var openLua string

//go:embed acquire.lua
var acquireLua string

//go:embed renew.lua
var renewLua string

//go:embed save.lua
var saveLua string

//go:embed sent.lua
var sentLua string

//go:embed sweep.lua
var sweepLua string

//go:embed follow.lua
var followLua string

func loadScripts() scripts {
	return scripts{
		open: redis.NewScript(openLua), acquire: redis.NewScript(acquireLua), renew: redis.NewScript(renewLua),
		save: redis.NewScript(saveLua), sent: redis.NewScript(sentLua), sweep: redis.NewScript(sweepLua), follow: redis.NewScript(followLua),
	}
}
