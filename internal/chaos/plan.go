package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// breakThings injects one fault after the other until the round's time is over, and waits after each until all is well again.
func (r *round) breakThings(ctx context.Context) error {
	if _, err := r.recovered(ctx, time.Minute); err != nil {
		return fmt.Errorf("before the first fault: %w", err)
	}
	list, total := r.chosen()
	for begun := time.Now(); time.Since(begun) < r.o.Round && ctx.Err() == nil; {
		x := r.random.IntN(total)
		for _, f := range list {
			if x -= f.weight; x >= 0 {
				continue
			}
			if err := r.inject(ctx, f); err != nil {
				return err
			}
			break
		}
		sleep(ctx, r.between(0, time.Second))
	}
	return nil
}

func (r *round) chosen() ([]fault, int) {
	var list []fault
	total := 0
	all := faults()
	if r.o.Cluster {
		all = clusterFaults()
	}
	for _, f := range all {
		if r.o.Faults == nil || slices.Contains(r.o.Faults, f.name) {
			list = append(list, f)
			total += f.weight
		}
	}
	return list, total
}

// inject lets one fault happen, sometimes with a process killed meanwhile.
func (r *round) inject(ctx context.Context, f fault) error {
	in := Injected{Round: r.seed, At: time.Since(r.began), Name: f.name}
	var company sync.WaitGroup
	if f.company && r.random.IntN(3) == 0 {
		m, after := r.one(), r.between(0, 3*time.Second)
		in.Name += "+kill"
		company.Go(func() {
			sleep(ctx, after)
			_ = m.Kill()
		})
	}
	began := time.Now()
	detail, err := f.run(r, ctx)
	company.Wait()
	if err != nil {
		return fmt.Errorf("fault %s (%s): %w", in.Name, detail, err)
	}
	if err := r.mendMonitors(); err != nil {
		return err
	}
	in.Detail, in.Took = detail, time.Since(began)
	if in.Recovery, err = r.recovered(ctx, 90*time.Second); err != nil {
		return fmt.Errorf("after fault %s (%s): %w", in.Name, detail, err)
	}
	r.injected = append(r.injected, in)
	fmt.Fprintf(r.o.Out, "seed %-4d %6.1fs  %-24s %-34s mended after %5.1fs, caught up %4.1fs later\n", r.seed, in.At.Seconds(), in.Name, in.Detail,
		in.Took.Seconds(), in.Recovery.Seconds())
	return nil
}

// mendMonitors starts every process that is not running.
func (r *round) mendMonitors() error { return r.startAll() }
