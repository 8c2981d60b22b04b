package redisstore

import (
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// What the client library says of a server that is not there is a line of our log, and none at all where nobody looks for details.
func TestTheClientLibraryLogsAsWeDo(t *testing.T) {
	for level, want := range map[string]bool{"debug": true, "info": false} {
		at, err := zap.ParseAtomicLevel(level)
		if err != nil {
			t.Fatal(err)
		}
		core, logs := observer.New(at)
		client, err := Connect(Connection{Addresses: []string{"127.0.0.1:1"}, Log: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if client.Ping(t.Context()).Err() == nil {
				t.Fatal("somebody answers on port 1")
			}
		}
		client.Close()
		libraryLog{zap.New(core)}.Printf(t.Context(), "pool: %d", 7)
		if n := logs.FilterField(zap.String("said", "pool: 7")).Len(); (n == 1) != want {
			t.Errorf("%s: %d lines", level, n)
		}
		dials := 0
		for _, line := range logs.All() {
			if said, _ := line.ContextMap()["said"].(string); strings.Contains(said, "127.0.0.1:1") || strings.Contains(said, "dial") {
				dials++
			}
		}
		if (dials > 0) != want {
			t.Errorf("%s: %d lines of failed dials: %v", level, dials, logs.All())
		}
	}
}
