package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"sendwatch/internal/engagement"
	"sendwatch/internal/event"
	"sendwatch/internal/windows"
)

//go:embed open.lua
var openScript string

// Store is the state in Redis. Its methods may be called from several goroutines, but Apply by one at a time.
type Store struct {
	client  redis.UniversalClient
	o       Options
	key     engagement.Key
	scripts scripts
	shards  []*shard

	hashers sync.Pool // of *engagement.Hasher
	lookups sync.Pool // of *lookup
	rules   engagement.Rules
	lists   subjectLists
	sweeper sweeper

	applying sync.Mutex
	turnLife time.Duration // turnLife but in tests
}

// Open checks that Redis and the state in it can be worked with, and writes down what the state is made of when there is none.
// A *MismatchError says what does not fit; of other errors CategoryOf tells whether waiting can help. It may be called again.
func Open(ctx context.Context, client redis.UniversalClient, o Options) (*Store, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	if err := CheckServer(ctx, client); err != nil {
		return nil, err
	}
	s := &Store{client: client, o: o, scripts: loadScripts(), turnLife: turnLife}
	if o.Engagement != nil {
		s.rules = *o.Engagement
	} else {
		s.rules = engagement.DefaultRules()
	}
	for i := range o.Shards {
		s.shards = append(s.shards, newShard(s.shardBase(i)))
	}
	if err := s.claim(ctx); err != nil {
		return nil, err
	}
	if err := s.checkTypes(ctx); err != nil {
		return nil, err
	}
	s.hashers.New = func() any { return engagement.NewHasher(s.key) }
	s.sweeper.s, s.sweeper.wait, s.sweeper.idle = s, settleFor, idleFor
	return s, nil
}

// claim agrees with the state on schema, shards and key.
func (s *Store) claim(ctx context.Context) error {
	key, kept := s.o.Key, ""
	own := len(key.Secret()) > 0
	if !own {
		key = engagement.GenerateKey()
		kept = string(key.Secret())
	}
	accept := "0"
	if s.o.AcceptNewKey && own {
		accept = "1"
	}
	have, err := s.scripts.open.Run(ctx, s.client, []string{s.shards[0].meta}, schema, s.o.Shards, key.ID(), kept, accept).StringSlice()
	if err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	switch {
	case have[0] != schema:
		return &MismatchError{What: "schema of the state under prefix " + s.o.Prefix, Found: have[0], Expected: schema,
			Advice: "use the version of this program that wrote it, or another redis.prefix"}
	case have[1] != strconv.Itoa(s.o.Shards):
		return &MismatchError{What: "redis.shards", Found: strconv.Itoa(s.o.Shards), Expected: have[1] + ", which the state was made with",
			Advice: "set redis.shards to that; to change it, start a new state under another redis.prefix"}
	case !own && have[3] == "":
		return &MismatchError{What: "engagement.key_file", Found: "none", Expected: "the key file that the state was written with",
			Advice: "name it; without it nobody is known again"}
	case !own:
		key, err = engagement.ParseKey([]byte(have[3]))
		if err != nil {
			return err
		}
	case have[2] != key.ID():
		return &MismatchError{What: "engagement.key_file", Found: "key " + key.ID(), Expected: "key " + have[2] + ", which the state was written with",
			Advice: "name that file; or accept the new key, which makes every recipient a stranger"}
	}
	s.key = key
	return nil
}

// claimAgain writes down what the state is made of once more when somebody has emptied it, and refuses one that was made otherwise
// meanwhile.
func (s *Store) claimAgain(ctx context.Context) error {
	kept := ""
	if len(s.o.Key.Secret()) == 0 {
		kept = string(s.key.Secret())
	}
	have, err := s.scripts.open.Run(ctx, s.client, []string{s.shards[0].meta}, schema, s.o.Shards, s.key.ID(), kept, "0").StringSlice()
	if err != nil {
		return fmt.Errorf("open the state: %w", err)
	}
	if have[0] != schema || have[1] != strconv.Itoa(s.o.Shards) || have[2] != s.key.ID() {
		return &MismatchError{What: "the state under prefix " + s.o.Prefix, Found: "one that somebody made anew in another way",
			Expected: "the one that this process opened", Advice: "restart this process"}
	}
	return nil
}

// checkTypes looks for keys of ours that somebody else has made.
func (s *Store) checkTypes(ctx context.Context) error {
	for name, want := range map[string]string{"meta": "hash", "pos": "hash", "tally": "hash", "feed": "list", "parts": "hash"} {
		cmds, err := s.onEveryShard(ctx, func(p redis.Pipeliner, sh *shard) redis.Cmder { return p.Type(ctx, sh.base+name) })
		if err != nil {
			return fmt.Errorf("open the state: %w", err)
		}
		for i, cmd := range cmds {
			if found := cmd.(*redis.StatusCmd).Val(); found != "none" && found != want {
				return &MismatchError{What: "key " + s.shards[i].base + name, Found: "a " + found, Expected: "a " + want,
					Advice: "something else writes below this prefix: remove the key, or set another redis.prefix"}
			}
		}
	}
	return nil
}

// CheckServer checks version and settings of Redis, of every master of a cluster.
func CheckServer(ctx context.Context, client redis.UniversalClient) error {
	if cluster, ok := client.(*redis.ClusterClient); ok {
		err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return checkNode(ctx, node, true) })
		if err != nil && strings.Contains(err.Error(), "cluster support disabled") {
			return &MismatchError{What: "redis.addresses", Found: "several, of servers that are no cluster", Expected: "one address, or a cluster",
				Advice: "name one server, or those of a cluster"}
		}
		return err
	}
	return checkNode(ctx, client, false)
}

func checkNode(ctx context.Context, node redis.Cmdable, ofCluster bool) error {
	text, err := node.Info(ctx).Result()
	if err != nil && strings.Contains(err.Error(), "wrong number of arguments") || err == nil && text == "" {
		text, err = node.Info(ctx, "server").Result()
	}
	if err != nil {
		// The embedded server of tests and demo knows no sections of INFO.
		if strings.Contains(err.Error(), "section") {
			return nil
		}
		return fmt.Errorf("ask Redis for its version: %w", err)
	}
	info := parseInfo(text)
	if v := info["redis_version"]; v != "" && !atLeast7(v) {
		return &MismatchError{What: "version of Redis", Found: v, Expected: "7.0 or later, or Valkey", Advice: "upgrade the server"}
	}
	if policy := info["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		return &MismatchError{What: "maxmemory-policy of Redis", Found: policy, Expected: "noeviction",
			Advice: "set it: an evicting Redis would lose counts without a trace"}
	}
	if info["redis_mode"] == "cluster" && !ofCluster {
		return &MismatchError{What: "redis.addresses", Found: "one server of a cluster", Expected: "several servers of the cluster, or a standalone one",
			Advice: "name at least two of its servers"}
	}
	return nil
}

func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}

func atLeast7(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err != nil || n >= 7
}

// FoldOptions are those of the folds that this state takes.
func (s *Store) FoldOptions() windows.FoldOptions {
	o := windows.FoldOptions{
		Combinations: s.o.Combinations, Shards: s.o.Shards, Late: s.o.Late, Repeats: s.o.Horizon > 0, Providers: s.o.Providers,
		Hasher: engagement.NewHasher(s.key),
	}
	if s.o.Engagement != nil {
		o.Kind = func(e *event.Event) uint8 { return uint8(engagement.KindOf(e)) }
	}
	return o
}

// NewFold returns an empty fold for this state.
func (s *Store) NewFold() *windows.Fold { return windows.NewFold(s.FoldOptions()) }

// Info is what Redis says of itself, for status and diagnosis.
type Info struct {
	Version    string
	UsedMemory int64 // bytes, over all masters
	MaxMemory  int64 // 0 = no limit
	Keys       int64
	Nodes      int // masters
	RoundTrip  time.Duration
}

// Info asks Redis how it does.
func (s *Store) Info(ctx context.Context) (Info, error) {
	var out Info
	var mu sync.Mutex
	one := func(ctx context.Context, node redis.Cmdable) error {
		start := time.Now()
		keys, err := node.DBSize(ctx).Result()
		took := time.Since(start)
		if err != nil {
			return err
		}
		text, err := node.Info(ctx).Result()
		if err != nil && CategoryOf(err) != Broken {
			return err
		}
		info := parseInfo(text)
		used, _ := strconv.ParseInt(info["used_memory"], 10, 64)
		limit, _ := strconv.ParseInt(info["maxmemory"], 10, 64)
		mu.Lock()
		defer mu.Unlock()
		out.Version = info["redis_version"]
		if v := info["valkey_version"]; v != "" {
			out.Version = v
		}
		out.UsedMemory += used
		out.MaxMemory += limit
		out.Keys += keys
		out.Nodes++
		out.RoundTrip = max(out.RoundTrip, took)
		return nil
	}
	var err error
	if cluster, ok := s.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return one(ctx, node) })
	} else {
		err = one(ctx, s.client)
	}
	if err != nil {
		return Info{}, fmt.Errorf("ask Redis how it does: %w", err)
	}
	return out, nil
}

// Ping tells whether Redis answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping Redis: %w", err)
	}
	return nil
}

var errAnswer = errors.New("redis: an answer that the script never gives")
