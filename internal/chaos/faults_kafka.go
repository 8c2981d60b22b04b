package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

func (r *round) brokerKill(ctx context.Context) (string, error) {
	if err := r.broker.Kill(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(0, 3*time.Second))
	return "", r.broker.Start()
}

func (r *round) brokerRestart(context.Context) (string, error) {
	return "", errors.Join(r.broker.Stop(), r.broker.Start())
}

func (r *round) brokerFreeze(ctx context.Context) (string, error) {
	if err := r.broker.Nodes[0].Freeze(); err != nil {
		return "", err
	}
	sleep(ctx, r.between(2*time.Second, 9*time.Second))
	return "", r.broker.Nodes[0].Thaw()
}

func (r *round) offsetsDeleted(context.Context) (string, error) {
	var all []error
	for _, m := range r.monitors {
		all = append(all, m.Stop())
	}
	if err := errors.Join(all...); err != nil {
		return "", err
	}
	return "", errors.Join(testparts.DeleteGroup(r.broker.Addr, r.prefix), r.startAll())
}

func (r *round) partitionsAdded(context.Context) (string, error) {
	n := int(r.loose.Load())
	if n >= 5 {
		return "enough of them", nil
	}
	if err := testparts.AddPartitions(r.broker.Addr, r.names.loose(), n+1); err != nil {
		return "", err
	}
	r.loose.Store(int64(n + 1))
	return fmt.Sprintf("%d", n+1), r.newWriter()
}

// logTruncated deletes records that the stopped processes have not read.
func (r *round) logTruncated(ctx context.Context) (string, error) {
	var all []error
	for _, m := range r.monitors {
		all = append(all, m.Stop())
	}
	if err := errors.Join(all...); err != nil {
		return "", err
	}
	sleep(ctx, 2500*time.Millisecond) // what Redis has is on disk then: it will not go back behind the hole
	at, err := r.next(ctx)
	if err != nil {
		return "", err
	}
	p := windows.Partition{Topic: r.names.loose(), ID: r.random.IntN(loosePartitions)}
	from := at[p]
	if from < 0 {
		return "nothing was read of it yet", r.startAll()
	}
	lost := int64(20 + r.random.IntN(200))
	if err := until(ctx, 40*time.Second, "records to delete", func() string {
		ends, err := r.ends(ctx)
		if err != nil {
			return err.Error()
		}
		if have := ends[p]; have < from+lost+10 {
			return fmt.Sprintf("the log ends at %d, %d wanted", have, from+lost+10)
		}
		return ""
	}); err != nil {
		return "", err
	}
	if err := r.tellOracle(ctx, p.Topic, int(r.loose.Load())); err != nil {
		return "", err
	}
	if err := testparts.DeleteRecords(r.broker.Addr, p.Topic, p.ID, from+lost); err != nil {
		return "", err
	}
	r.oracle.Lose(p, from, from+lost)
	r.older = "" // a Redis from before needs what is gone: that cannot be promised, see TestOlderThanTheLog
	return fmt.Sprintf("%d records of %s/%d", lost, p.Topic, p.ID), r.startAll()
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
