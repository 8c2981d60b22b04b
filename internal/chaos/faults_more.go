package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"sendwatch/internal/testparts"
)

// twoVersions replaces one process after the other by one of another version, lets both work side by side, and goes back. Without
// -other that is the same code under another name.
func (r *round) twoVersions(ctx context.Context) (string, error) {
	for _, binary := range []string{r.other, r.binary} {
		for _, m := range r.monitors {
			if err := m.Stop(); err != nil {
				return "", err
			}
			m.SetBinary(binary)
			if err := r.startMonitor(m); err != nil {
				return "", err
			}
			if err := r.answering(ctx, m); err != nil {
				return "", err
			}
			sleep(ctx, r.between(0, time.Second))
		}
	}
	return "", nil
}

// clockStep sets the clock of one process, or of all, an hour on or back for some seconds. What counting and alerting go by is
// stepped; time-outs go by the monotonic clock, which does not step.
func (r *round) clockStep(ctx context.Context) (string, error) {
	step := [...]time.Duration{time.Hour, -time.Hour}[r.random.IntN(2)]
	stepped := []*testparts.Monitor{r.one()}
	if r.random.IntN(2) == 0 {
		stepped = r.monitors
	}
	r.stepped = true
	d := r.between(time.Second, 6*time.Second)
	var all []error
	for _, m := range stepped {
		all = append(all, os.WriteFile(r.clockOf(m), []byte(step.String()), 0o600))
	}
	sleep(ctx, d)
	for _, m := range stepped {
		all = append(all, os.Remove(r.clockOf(m)))
	}
	return fmt.Sprintf("%s of %d for %s", step, len(stepped), d.Round(time.Millisecond)), errors.Join(all...)
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

// offsetsReset sets what the group has committed to the beginning: nobody reads it.
func (r *round) offsetsReset(context.Context) (string, error) {
	var all []error
	for _, m := range r.monitors {
		all = append(all, m.Stop())
	}
	if err := errors.Join(all...); err != nil {
		return "", err
	}
	return "", errors.Join(testparts.CommitOffsets(r.broker.Addr, r.prefix, r.topic(), mainPartitions, 0),
		testparts.CommitOffsets(r.broker.Addr, r.prefix, r.names.loose(), int(r.loose.Load()), 0), r.startAll())
}
