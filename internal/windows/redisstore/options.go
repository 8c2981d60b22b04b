package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"sendwatch/internal/engagement"
	"sendwatch/internal/windows"
)

// Connection says how to reach Redis.
type Connection struct {
	Addresses []string // host:port; one = standalone, several = a cluster
	Cluster   bool     // a cluster although there is one address
	Username  string
	Password  string
	TLS       *tls.Config // nil = in the clear
	// Timeout bounds one command on the wire: 10 s when zero. A context's deadline does so too when it is nearer, its being
	// cancelled does not. A script of a large batch may take some hundred milliseconds.
	Timeout time.Duration
	// Log takes what the client library says, at debug: whatever matters of it comes back as an error too. Nil drops it. The
	// library has one such place a process, so that of the last Connect counts.
	Log *zap.Logger
}

// Connect returns a client that has not dialled yet. It never repeats a command by itself: whether to try again is its user's
// decision. The caller closes it.
func Connect(c Connection) (redis.UniversalClient, error) {
	if len(c.Addresses) == 0 {
		return nil, errors.New("redis: no addresses")
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	redis.SetLogger(libraryLog{c.Log})
	if len(c.Addresses) == 1 && !c.Cluster {
		return redis.NewClient(&redis.Options{Addr: c.Addresses[0], Username: c.Username, Password: c.Password, TLSConfig: c.TLS,
			MaxRetries: -1, ContextTimeoutEnabled: true, DialTimeout: min(c.Timeout, 5*time.Second), ReadTimeout: c.Timeout, WriteTimeout: c.Timeout,
			DisableIdentity: true}), nil
	}
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addresses, Username: c.Username, Password: c.Password,
		TLSConfig: c.TLS, MaxRetries: -1, ContextTimeoutEnabled: true,
		// Following MOVED and ASK is no repetition: the first node has done nothing. One more is for a slot that moves on.
		MaxRedirects: 3, DialTimeout: min(c.Timeout, 5*time.Second), ReadTimeout: c.Timeout, WriteTimeout: c.Timeout,
		DisableIdentity: true})
	cluster.AddHook(oneByOne{cluster})
	return cluster, nil
}

// Options say what is counted and kept.
type Options struct {
	Prefix       string // of all keys, "sendwatch" when empty
	Shards       int    // home shards; fixed when the state is first written
	Combinations []windows.Combination
	Retention    windows.Retention
	Late         time.Duration // events older than this are late: retention.days
	Horizon      time.Duration // of repeats; 0 turns them off
	Providers    *windows.Providers

	Engagement *engagement.Rules // nil turns recipients off
	// Key hashes addresses. Without one, a key is made and kept with the state.
	Key engagement.Key
	// AcceptNewKey lets a state go on under another key than it was written with. Everybody is a stranger then, and events
	// that were counted before are no longer known as repeats.
	AcceptNewKey bool

	FeedBytes int64 // cap of the change feed over all shards; 64 MiB when zero
	// BucketEntries is how many recipients or fingerprints share a key on average before there are more keys. When zero, 96 and
	// 160: more save memory and cost time, and a fingerprint has less room for its share of a key.
	BucketEntries int
}

// bucketEntries is how many entries of a kind a bucket holds on average.
func (o *Options) bucketEntries(k kind) int64 {
	switch {
	case o.BucketEntries > 0:
		return int64(o.BucketEntries)
	case k == prints:
		return 160
	}
	return 96
}

// libraryLog takes lines of the client library, which would print them as plain text among ours.
type libraryLog struct{ log *zap.Logger }

// Printf implements the library's interface.
func (l libraryLog) Printf(_ context.Context, format string, args ...any) {
	if line := l.log.Check(zap.DebugLevel, "redis client"); line != nil {
		line.Write(zap.String("said", fmt.Sprintf(format, args...)))
	}
}

var prefixForm = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

func (o *Options) fill() error {
	if o.Prefix == "" {
		o.Prefix = "sendwatch"
	}
	if o.FeedBytes <= 0 {
		o.FeedBytes = 64 << 20
	}
	var all []error
	if !prefixForm.MatchString(o.Prefix) {
		all = append(all, fmt.Errorf("redis.prefix: found %q, allowed are up to 64 letters, digits, dots, dashes, underscores and colons", o.Prefix))
	}
	if o.Shards < 1 || o.Shards > 256 || o.Shards&(o.Shards-1) != 0 {
		all = append(all, fmt.Errorf("redis.shards: found %d, allowed are 1, 2, 4, 8, 16, 32, 64, 128 and 256", o.Shards))
	}
	if o.Providers == nil {
		o.Providers = windows.NewProviders(nil, nil)
	}
	if o.Engagement != nil {
		all = append(all, o.Engagement.Validate())
	}
	return errors.Join(all...)
}
