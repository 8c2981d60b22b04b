package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// oneByOne carries out the pipelines of a cluster's client as single commands: those of one hash tag one after the other, in their
// order, and those of different tags side by side. Left to the library, a command could go to two servers at once while a slot moves,
// and both would write its result: when the first command is to be tried again (TRYAGAIN) it sends all of them anew, and those that
// have moved (MOVED, ASK) a second time (go-redis 9.23, ClusterClient.pipelineReadCmds).
//
// The key of each command has to be its first argument. Transactions are left alone.
type oneByOne struct{ client *redis.ClusterClient }

func (h oneByOne) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (h oneByOne) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (h oneByOne) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if len(cmds) > 0 && cmds[0].Name() == "multi" {
			return next(ctx, cmds)
		}
		byTag := map[string][]redis.Cmder{}
		for _, cmd := range cmds {
			tag := tagOf(cmd)
			byTag[tag] = append(byTag[tag], cmd)
		}
		var group sync.WaitGroup
		for _, list := range byTag {
			group.Go(func() { h.process(ctx, list) })
		}
		group.Wait()
		for _, cmd := range cmds {
			if err := cmd.Err(); err != nil {
				return err
			}
		}
		return nil
	}
}

// process stops at the first failure, which becomes that of the rest: of a server that is away nothing more is asked.
func (h oneByOne) process(ctx context.Context, cmds []redis.Cmder) {
	for i, cmd := range cmds {
		err := h.client.Process(ctx, cmd)
		if err != nil && !errors.Is(err, redis.Nil) {
			for _, rest := range cmds[i+1:] {
				rest.SetErr(err)
			}
			return
		}
	}
}

func tagOf(cmd redis.Cmder) string {
	if args := cmd.Args(); len(args) > 1 {
		key := fmt.Sprint(args[1])
		if _, rest, ok := strings.Cut(key, "{"); ok {
			if tag, _, ok := strings.Cut(rest, "}"); ok {
				return tag
			}
		}
		return key
	}
	return ""
}
