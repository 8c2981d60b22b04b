package windowstest

import (
	"os"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"sendwatch/internal/testparts"
	"sendwatch/internal/windows/redisstore"
)

func TestMain(m *testing.M) { os.Exit(testparts.Main(m)) }

func TestMemory(t *testing.T) {
	Exercise(t, func(_ *testing.T, c Config) Store { return NewMemory(c) })
}

func TestMiniredis(t *testing.T) {
	client := connect(t, miniredis.RunT(t).Addr())
	Exercise(t, func(t *testing.T, c Config) Store { return NewRedis(t, client, prefix(t), c) })
}

func TestRedis(t *testing.T) {
	if testing.Short() {
		t.Skip("real Redis")
	}
	client := connect(t, testparts.SharedRedis(t).Addr)
	Exercise(t, func(t *testing.T, c Config) Store { return NewRedis(t, client, prefix(t), c) })
}

func connect(t *testing.T, addr string) redis.UniversalClient {
	client, err := redisstore.Connect(redisstore.Connection{Addresses: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// prefix is one that no other test has.
func prefix(t *testing.T) string {
	return strings.NewReplacer("/", ".", "#", ".").Replace(t.Name())[len("Test"):]
}
