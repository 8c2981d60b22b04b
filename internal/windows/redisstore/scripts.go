package redisstore

import (
	_ "embed"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed apply.lua
	applyScript string
	//go:embed compact.lua
	compactScript string
	//go:embed split.lua
	splitScript string
	//go:embed snapshot.lua
	snapshotScript string
	//go:embed changes.lua
	changesScript string
	//go:embed lookup.lua
	lookupScript string
	//go:embed sweep.lua
	sweepScript string
	//go:embed forget.lua
	forgetScript string
)

// scripts are called by their hash; one that a server does not know is sent in full (NOSCRIPT).
type scripts struct {
	open, apply, compact, split, snapshot, changes, lookup, sweep, forget *redis.Script
}

func loadScripts() scripts {
	return scripts{
		open: redis.NewScript(openScript), apply: redis.NewScript(applyScript), compact: redis.NewScript(compactScript),
		split: redis.NewScript(splitScript), snapshot: redis.NewScript(snapshotScript), changes: redis.NewScript(changesScript),
		lookup: redis.NewScript(lookupScript), sweep: redis.NewScript(sweepScript), forget: redis.NewScript(forgetScript),
	}
}
