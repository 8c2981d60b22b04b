package testparts

import (
	"os"
	"sync"
	"testing"
)

// A package variable, because a test binary has one set of shared parts and TestMain no way to hand it to its tests.
// shared are the parts that a test binary starts once, on first use, and Main stops.
var shared struct {
	mu    sync.Mutex
	dir   string
	kafka *Broker
	redis *RedisServer
	errs  [2]error
}

// SharedKafka is one plain broker for all tests of the binary that do not break it: name topics after the test. The package's
// TestMain must be Main.
func SharedKafka(t testing.TB) *Broker {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.kafka == nil && shared.errs[0] == nil {
		shared.kafka, shared.errs[0] = startShared(func(dir string) (*Broker, error) { return NewKafka(dir, KafkaOptions{}) }, (*Broker).Start)
	}
	if shared.errs[0] != nil {
		unavailable(t, shared.errs[0])
	}
	return shared.kafka
}

// SharedRedis is one standalone server for all tests of the binary that do not break it: use a prefix of your own. The
// package's TestMain must be Main.
func SharedRedis(t testing.TB) *RedisServer {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.redis == nil && shared.errs[1] == nil {
		shared.redis, shared.errs[1] = startShared(func(dir string) (*RedisServer, error) { return NewRedis(dir, RedisOptions{}) }, (*RedisServer).Start)
	}
	if shared.errs[1] != nil {
		unavailable(t, shared.errs[1])
	}
	return shared.redis
}

func startShared[P any](make func(dir string) (P, error), start func(P) error) (P, error) {
	var err error
	if shared.dir == "" {
		if shared.dir, err = os.MkdirTemp("", "sendwatch-parts-"); err != nil {
			var none P
			return none, err
		}
	}
	p, err := make(shared.dir)
	if err != nil {
		return p, err
	}
	return p, start(p)
}

func stopShared() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.kafka != nil {
		_ = shared.kafka.Kill()
	}
	if shared.redis != nil {
		_ = shared.redis.Kill()
	}
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
}
