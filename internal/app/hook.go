package app

import (
	"context"
	"net"

	"github.com/redis/go-redis/v9"
)

// scriptSteps names two more steps for a fault harness: before and after every script that Redis runs for us. With several home
// shards a batch is several scripts.
type scriptSteps struct{ hook func(step string) }

var _ redis.Hook = scriptSteps{}

// DialHook implements redis.Hook.
func (scriptSteps) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements redis.Hook.
func (s scriptSteps) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if name := cmd.Name(); name != "evalsha" && name != "eval" {
			return next(ctx, cmd)
		}
		s.hook("before-script")
		err := next(ctx, cmd)
		s.hook("after-script")
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (scriptSteps) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
