package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sendwatch/internal/alerts/redisstate"
	"sendwatch/internal/engagement"
	"sendwatch/internal/kafka"
	"sendwatch/internal/policy"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/memstore"
	"sendwatch/internal/windows/redisstore"
)

const (
	mainPartitions  = 6
	loosePartitions = 2 // to begin with
	horizon         = 120 * time.Hour
)

// parts are what all rounds share.
type parts struct {
	dir     string
	binary  string
	other   string // binary of another version
	broker  *testparts.Broker
	redis   *testparts.RedisServer
	proxies *proxies
	kafka   string            // through the proxy
	redises map[string]string // by monitor, each through a proxy of its own
	client  *kafka.Client
}

// start builds the binary and starts everything that is not a monitor.
func start(o *Options) (*parts, error) {
	p := &parts{dir: o.Dir, proxies: newProxies(), redises: map[string]string{}}
	err := p.start(o)
	if err != nil {
		p.stop()
	}
	return p, err
}

func (p *parts) start(o *Options) (err error) {
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	if p.binary, err = testparts.BuildMonitor(p.dir, "faults"); err != nil {
		return err
	}
	if p.other = o.Other; p.other == "" {
		if p.other, err = testparts.BuildVersion(p.dir, "another", "faults"); err != nil {
			return err
		}
	}
	if o.Cluster {
		return p.startCluster(o)
	}
	if p.broker, err = testparts.NewKafka(p.dir, testparts.KafkaOptions{}); err != nil {
		return err
	}
	if p.kafka, err = p.proxies.add("kafka", p.broker.Addr); err != nil {
		return err
	}
	p.broker.Nodes[0].Advertise = p.kafka
	if err = p.broker.Start(); err != nil {
		return err
	}
	if p.redis, err = testparts.NewRedis(p.dir, testparts.RedisOptions{AOF: true}); err != nil {
		return err
	}
	if err = p.redis.Start(); err != nil {
		return err
	}
	for i := range o.Monitors + 1 { // one more for who joins
		name := fmt.Sprintf("monitor-%d", i+1)
		if p.redises[name], err = p.proxies.add(name, p.redis.Addr); err != nil {
			return err
		}
	}
	p.client, err = kafka.New(kafka.Options{Brokers: []string{p.broker.Addr}})
	return err
}

// startCluster starts three brokers and a Redis Cluster. Their nodes name their own addresses, so there is no way through proxies.
func (p *parts) startCluster(o *Options) (err error) {
	if p.broker, err = testparts.NewKafka(p.dir, testparts.KafkaOptions{Brokers: 3}); err != nil {
		return err
	}
	if err = p.broker.Start(); err != nil {
		return err
	}
	if p.redis, err = testparts.NewRedis(p.dir, testparts.RedisOptions{Cluster: true, AOF: true}); err != nil {
		return err
	}
	if err = p.redis.Start(); err != nil {
		return err
	}
	p.kafka = p.broker.Addr
	for i := range o.Monitors + 1 {
		p.redises[fmt.Sprintf("monitor-%d", i+1)] = strings.Join(p.redis.Addrs, ",")
	}
	p.client, err = kafka.New(kafka.Options{Brokers: p.broker.Addrs})
	return err
}

func (p *parts) stop() {
	if p.client != nil {
		p.client.Close()
	}
	if p.broker != nil {
		_ = p.broker.Kill()
	}
	if p.redis != nil {
		_ = p.redis.Kill()
	}
	p.proxies.close()
}

// names of what belongs to one round.
type names struct{ prefix string }

func (n names) topic() string  { return n.prefix + ".events" }
func (n names) loose() string  { return n.prefix + ".loose" }
func (n names) alerts() string { return n.prefix + ".alerts" }

// quick is a policy of which alerts come and go by the minute.
const quick = `
  - name: quick
    limits:
      - {rate: bounce, below: 5%, windows: [1m], min_volume: 20, judge: window}
      - {rate: unsubscribe, below: 5%, windows: [1m], min_volume: 20, judge: window}
`

func quickPolicy() policy.Policy {
	p := policy.Policy{Name: "quick"}
	for _, rate := range []windows.Rate{windows.Bounce, windows.Unsubscribe} {
		l := policy.NewLimit(rate, windows.NewRatio(5, 100))
		l.Windows, l.MinVolume, l.Judge = []string{"1m"}, 20, policy.JudgeWindow
		p.Limits = append(p.Limits, l)
	}
	return p
}

func (p *parts) config(n names, monitor string, shards int) string {
	quoted := func(list string) string { return `"` + strings.ReplaceAll(list, ",", `", "`) + `"` }
	return fmt.Sprintf(`kafka: {brokers: [%s], topics: [%s, %s], group: %s, alerts_topic: %s, dead_letter_topic: %s.rejected}
redis: {addresses: [%s], prefix: %s, shards: %d}
http: {listen: "127.0.0.1:0"}
events: {max_ahead: 2h}
dedupe: {horizon: %s}
alerts: {keep_firing_for: 2s, stale_after: 10s}
windows: [{name: 1m, length: 1m, step: 1m}, {name: 1h, length: 1h, step: 1m}, {name: 24h, length: 24h, step: 1h}, {name: 7d, length: 7d, step: 1h}, {name: 30d, length: 30d, step: 1d}]
policies:
  - dynamics-365%s`, quoted(p.kafka), n.topic(), n.loose(), n.prefix, n.alerts(), n.prefix, quoted(p.redises[monitor]), n.prefix, shards, horizon, quick)
}

// rules are the policies of config in force, for the oracle.
func rules() *policy.Set {
	pack, _ := policy.Pack(policy.Default)
	ws := append([]windows.Window{{Name: "1m", Length: time.Minute, Step: windows.Minute}}, windows.DefaultWindows()...)
	keep := 2 * time.Second
	return policy.NewSet([]policy.Policy{pack, quickPolicy()}, ws, windows.DefaultRetention(400),
		policy.Defaults{KeepFiringFor: policy.PerWindow[time.Duration]{All: &keep}})
}

func oracleOptions() memstore.Options {
	r := engagement.DefaultRules()
	return memstore.Options{Combinations: windows.DefaultCombinations(), Retention: windows.DefaultRetention(400), Late: 400 * 24 * time.Hour,
		Horizon: horizon, Providers: windows.NewProviders(nil, []string{"outlook", "yahoo", "other"}), Engagement: &r}
}

// state opens a round's state on the straight way to Redis.
func (p *parts) state(ctx context.Context, n names, shards int) (*redisstore.Store, *redisstate.Store, func(), error) {
	client, err := redisstore.Connect(redisstore.Connection{Addresses: p.redis.Addrs, Timeout: 3 * time.Second})
	if err != nil {
		return nil, nil, nil, err
	}
	done := func() { client.Close() }
	o := oracleOptions()
	counts, err := redisstore.Open(ctx, client, redisstore.Options{Prefix: n.prefix, Shards: shards, Combinations: o.Combinations,
		Retention: o.Retention, Late: o.Late, Horizon: o.Horizon, Providers: o.Providers.(*windows.Providers), Engagement: o.Engagement})
	if err != nil {
		done()
		return nil, nil, nil, err
	}
	alerts, err := redisstate.Open(ctx, client, redisstate.Options{Prefix: n.prefix})
	if err != nil {
		done()
		return nil, nil, nil, err
	}
	return counts, alerts, done, nil
}

// until waits for a condition, which answers "" when it holds and else what is missing.
func until(ctx context.Context, within time.Duration, what string, missing func() string) error {
	deadline := time.Now().Add(within)
	for {
		why := missing()
		if why == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s: %s", what, within, why)
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// sleep is false when the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// keepLogs copies the processes' logs where a finding can be looked into.
func (p *parts) keepLogs(n names) (string, error) {
	to := filepath.Join(p.dir, "found-"+n.prefix)
	files, err := filepath.Glob(filepath.Join(p.dir, n.prefix+"-*.log"))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return "", err
	}
	var all []error
	for _, f := range files {
		text, err := os.ReadFile(f)
		all = append(all, err, os.WriteFile(filepath.Join(to, strings.TrimPrefix(filepath.Base(f), n.prefix+"-")), text, 0o600))
	}
	return to, errors.Join(all...)
}
