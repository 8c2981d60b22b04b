package chaos

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func (r *round) redisKill(ctx context.Context) (string, error) {
	if err := r.redis.Kill(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(0, 3*time.Second))
	return "", r.redis.Start()
}

func (r *round) redisFreeze(ctx context.Context) (string, error) {
	if err := r.redis.Nodes[0].Freeze(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(2*time.Second, 9*time.Second))
	return "", r.redis.Nodes[0].Thaw()
}

// redisOlder lets Redis come back with what it had kept at an earlier time of the round; the first time it takes the copy.
func (r *round) redisOlder(context.Context) (string, error) {
	node := r.redis.Nodes[0]
	if err := r.redis.Kill(); err != nil {
		return "", err
	}
	if r.older == "" {
		r.older = filepath.Join(r.dir, r.prefix+"-older")
		if err := node.SaveData(r.older); err != nil {
			return "", err
		}
		r.olderAt = time.Since(r.began)
		return "copied", r.redis.Start()
	}
	if err := node.LoadData(r.older); err != nil {
		return "", err
	}
	return fmt.Sprintf("back by %s", (time.Since(r.began) - r.olderAt).Round(time.Second)), r.redis.Start()
}

// command runs a command of Redis and leaves it for a while before the one that mends.
func (r *round) command(ctx context.Context, d time.Duration, breaks, mends []string) error {
	node := r.redis.Nodes[0]
	if _, err := node.Command(breaks...); err != nil {
		return err
	}
	sleep(ctx, d)
	if mends == nil {
		return nil
	}
	_, err := node.Command(mends...)
	return err
}

func (r *round) redisMemory(ctx context.Context) (string, error) {
	return "", r.command(ctx, r.between(time.Second, 4*time.Second), []string{"config", "set", "maxmemory", "1mb"}, []string{"config", "set", "maxmemory", "0"})
}

func (r *round) redisReadOnly(ctx context.Context) (string, error) {
	return "", r.command(ctx, r.between(time.Second, 4*time.Second), []string{"replicaof", "127.0.0.1", "1"}, []string{"replicaof", "no", "one"})
}

func (r *round) redisScripts(ctx context.Context) (string, error) {
	return "", r.command(ctx, 0, []string{"script", "flush"}, nil)
}

func (r *round) redisConnections(ctx context.Context) (string, error) {
	return "", r.command(ctx, 0, []string{"client", "kill", "type", "normal"}, nil)
}

// redisLoading has Redis come back so slowly that everybody meets LOADING.
func (r *round) redisLoading(ctx context.Context) (string, error) {
	node := r.redis.Nodes[0]
	// The delay is for keys of the snapshot that the AOF begins with.
	if _, err := node.Command("bgrewriteaof"); err != nil {
		return "", err
	}
	if err := until(ctx, 20*time.Second, "the AOF is rewritten", func() string {
		text, err := node.Command("info", "persistence")
		if err != nil {
			return err.Error()
		}
		for _, busy := range []string{"aof_rewrite_in_progress:1", "aof_rewrite_scheduled:1"} {
			if strings.Contains(text, busy) {
				return busy
			}
		}
		return ""
	}); err != nil {
		return "", err
	}
	text, err := node.Command("dbsize")
	if err != nil {
		return "", err
	}
	keys, err := strconv.Atoi(text)
	if err != nil {
		return "", err
	}
	d := r.between(time.Second, 4*time.Second)
	if err := node.Kill(); err != nil {
		return "", err
	}
	err = node.StartWith("--key-load-delay", fmt.Sprint(d.Microseconds()/int64(keys+1)), "--loading-process-events-interval-bytes", "1024")
	return fmt.Sprintf("%d keys, about %s", keys, d.Round(100*time.Millisecond)), err
}
