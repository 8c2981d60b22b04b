package redisstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"sendwatch/internal/event"
	"sendwatch/internal/testparts"
	"sendwatch/internal/windows"
)

func TestOnlyFitServersAreTaken(t *testing.T) {
	if testing.Short() {
		t.Skip("real Redis")
	}
	server := testparts.Redis(t, testparts.RedisOptions{})
	client := connect(t, server.Addr)
	if err := client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), client, options(t))
	if m, ok := errors.AsType[*MismatchError](err); !ok || m.Found != "allkeys-lru" || m.Expected != "noeviction" {
		t.Errorf("got %v", err)
	}
	_, err = Open(t.Context(), connect(t, server.Addr, server.Addr), options(t))
	if m, ok := errors.AsType[*MismatchError](err); !ok || m.What != "redis.addresses" {
		t.Errorf("standalone as a cluster: %v", err)
	}
	for version, fit := range map[string]bool{"7.0.15": true, "8.2.1": true, "10.0": true, "6.2.14": false, "5.0": false, "255.255.255": true} {
		if atLeast7(version) != fit {
			t.Errorf("version %s", version)
		}
	}
}

// Redis is full: the step is refused whole, and goes through once there is room.
func TestOutOfMemoryChangesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("real Redis")
	}
	client := connect(t, testparts.Redis(t, testparts.RedisOptions{}).Addr)
	r := newRig(t, client, options(t))
	s := newStream(1, 50)
	for range 200 {
		r.add(p0, s.result())
	}
	r.apply()
	before := dump(t, client, r.store.o.Prefix)
	for range 200 {
		r.add(p0, s.result())
	}
	client.ConfigSet(t.Context(), "maxmemory", "1mb")
	err := r.store.Apply(t.Context(), r.fold)
	if err == nil || CategoryOf(err) != OutOfMemory || !CategoryOf(err).Retryable() {
		t.Fatalf("got %v, %s", err, CategoryOf(err))
	}
	if diff := cmp.Diff(before, dump(t, client, r.store.o.Prefix)); diff != "" {
		t.Fatal(diff)
	}
	client.ConfigSet(t.Context(), "maxmemory", "0")
	r.apply()
	r.check(spansFrom(t0.AddDate(0, 0, -2), s.at.Add(2*time.Hour)), s.tenants, s.recipients)
}

func TestUsersAndPasswords(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireUserAuth("monitor", "secret")
	for _, c := range []struct {
		user, password string
		want           Category
	}{{"", "", Refused}, {"monitor", "wrong", Refused}, {"monitor", "secret", ""}} {
		client, err := Connect(Connection{Addresses: []string{m.Addr()}, Username: c.user, Password: c.password})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Open(t.Context(), client, options(t))
		if c.want == "" && err != nil || c.want != "" && (err == nil || CategoryOf(err) != c.want) {
			t.Errorf("%s: %v", c.user, err)
		}
		client.Close()
	}
	if _, err := Connect(Connection{}); err == nil {
		t.Error("no address is taken")
	}
}

type serverError string

func (e serverError) Error() string { return string(e) }
func (serverError) RedisError()     {}

func TestCategories(t *testing.T) {
	for _, c := range []struct {
		err   error
		want  Category
		retry bool
	}{
		{serverError("LOADING Redis is loading the dataset in memory"), Loading, true},
		{serverError("READONLY You can't write against a read only replica."), ReadOnly, true},
		{serverError("NOREPLICAS Not enough good replicas to write."), ReadOnly, true},
		{serverError("OOM command not allowed when used memory > 'maxmemory'."), OutOfMemory, true},
		{serverError("MISCONF Redis is configured to save RDB snapshots"), OutOfMemory, true},
		{serverError("ERR user_script:3: OOM command not allowed when used memory > 'maxmemory'."), OutOfMemory, true},
		{serverError("CLUSTERDOWN The cluster is down"), Unavailable, true},
		{serverError("MOVED 3999 127.0.0.1:6381"), Unavailable, true},
		{serverError("ASK 3999 127.0.0.1:6381"), Unavailable, true},
		{serverError("TRYAGAIN Multiple keys request during rehashing of slot"), Unavailable, true},
		{serverError("BUSY Redis is busy running a script."), Busy, true},
		{serverError("NOAUTH Authentication required."), Refused, false},
		{serverError("WRONGPASS invalid username-password pair"), Refused, false},
		{serverError("NOPERM this user has no permissions"), Refused, false},
		{serverError("WRONGTYPE Operation against a key holding the wrong kind of value"), Broken, false},
		{io.EOF, Network, true},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, Network, true},
		{redis.ErrPoolTimeout, Network, true},
		{context.DeadlineExceeded, Network, true},
		{context.Canceled, Cancelled, false},
		{errors.New("redis: cluster has no nodes"), Unavailable, true},
		{&windows.PositionError{}, Broken, false},
		{&MismatchError{What: "redis.shards"}, Broken, false},
		{errAnswer, Broken, false},
	} {
		wrapped := fmt.Errorf("apply to shard 0: %w", c.err)
		if have := CategoryOf(wrapped); have != c.want || have.Retryable() != c.retry {
			t.Errorf("%v: %s, retryable %v", c.err, have, have.Retryable())
		}
	}
}

func TestStatus(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		s := open(t, client, options(t))
		read := t0.Add(time.Minute)
		want := []windows.PartitionStatus{
			{Partition: windows.Partition{Topic: "a.b", ID: 0}, Next: -1, HighWatermark: -1},
			{Partition: windows.Partition{Topic: "a.b", ID: 10}, Next: 5, HighWatermark: 7, NewestEvent: t0, ReadAt: read, EndAt: read},
			{Partition: windows.Partition{Topic: "c", ID: 2}, Next: 1 << 40, HighWatermark: 1 << 41, NewestEvent: t0, ReadAt: read},
		}
		for _, p := range []int{2, 0, 1, 0} {
			if err := s.ReportPartition(t.Context(), want[p]); err != nil {
				t.Fatal(err)
			}
		}
		have, err := s.Partitions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Error(diff)
		}
		if err := s.ForgetPartition(t.Context(), want[1].Partition); err != nil {
			t.Fatal(err)
		}
		if have, _ = s.Partitions(t.Context()); len(have) != 2 {
			t.Errorf("%v", have)
		}
		f := s.NewFold()
		f.Start(p0, []int64{100})
		f.Reset()
		f.Start(p0, []int64{-1})
		f.Lost(p0, 0)
		f.Advance(p0, 10)
		if err := s.Apply(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		f.Reset()
		f.Start(p0, []int64{10})
		f.Topic(p0, "AbC-id")
		f.Lost(p0, 5)
		f.Add(p0, 15, &event.Result{Rejected: &event.Rejection{Reason: event.NotJSON}}, t0)
		if err := s.Apply(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		losses, err := s.Losses(t.Context())
		if err != nil || len(losses) != 1 || losses[p0] != 5 {
			t.Errorf("%v %v", losses, err)
		}
		totals, err := s.Totals(t.Context())
		if err != nil || totals.Lost != 5 || totals.Rejected["not_json"] != 1 {
			t.Errorf("%+v %v", totals, err)
		}
		progress, err := s.Resume(t.Context(), []windows.Partition{p0})
		if p := progress[p0]; err != nil || p.Next[0] != 16 || p.TopicID != "AbC-id" || !p.NewestEvent.IsZero() {
			t.Errorf("%+v %v", p, err)
		}
		if err := s.StartAnew(t.Context(), p0.Topic); err != nil {
			t.Fatal(err)
		}
		progress, err = s.Resume(t.Context(), []windows.Partition{p0})
		if p := progress[p0]; err != nil || p.Next[0] != -1 || p.TopicID != "" {
			t.Errorf("%+v %v", p, err)
		}
		if _, err := s.Info(t.Context()); err != nil {
			t.Error(err)
		}
		if err := s.Ping(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSubjectsInPages(t *testing.T) {
	onAll(t, func(t *testing.T, client redis.UniversalClient) {
		o := options(t)
		o.Shards = 4
		r := newRig(t, client, o)
		for i := range 95 {
			r.add(p0, event.Result{Events: []event.Event{{Type: event.Send, Time: t0, Recipient: fmt.Sprint("p", i, "@x.y"), Tenant: fmt.Sprintf("t%02d", i%57)}}})
		}
		r.apply()
		tenant := windows.Combination{windows.Tenant}
		var all []string
		for cursor, pages := "", 0; ; pages++ {
			page, next, err := r.store.Subjects(t.Context(), tenant, cursor, 10)
			if err != nil || pages > 10 {
				t.Fatal(pages, err)
			}
			all = append(all, page...)
			if cursor = next; next == "" {
				break
			}
		}
		if diff := cmp.Diff(r.oracle.SubjectsOf(tenant), all); diff != "" {
			t.Error(diff)
		}
		page, next, err := r.store.Subjects(t.Context(), tenant, "tenant=t30x", 2)
		if err != nil || !cmp.Equal(page, []string{"tenant=t31", "tenant=t32"}) || next != "tenant=t32" {
			t.Errorf("%v %q %v", page, next, err)
		}
		if page, next, err = r.store.Subjects(t.Context(), windows.Combination{windows.Pool}, "", 2); len(page) != 0 || next != "" || err != nil {
			t.Errorf("%v %q %v", page, next, err)
		}
		if _, _, err := r.store.Subjects(t.Context(), tenant, "", 0); err == nil {
			t.Error("an empty page is taken")
		}
	})
}
