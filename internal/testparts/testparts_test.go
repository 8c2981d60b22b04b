package testparts

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestBrokerSurvivesKillAndStop(t *testing.T) {
	b := Kafka(t, KafkaOptions{})
	CreateTopic(t, b.Addr, "kept", 2, "retention.ms=-1")
	for _, end := range []func() error{b.Kill, b.Stop} {
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if b.Nodes[0].PID() != 0 {
			t.Fatal("still has a process id after its end")
		}
		if err := b.Start(); err != nil {
			t.Fatal(err)
		}
		if err := MakeTopic(b.Addr, "kept", 2); err == nil || !strings.Contains(err.Error(), "exists") {
			t.Fatalf("the topic is not there any more: %v", err)
		}
	}
}

func TestThreeBrokersReplicate(t *testing.T) {
	if testing.Short() {
		t.Skip("three brokers")
	}
	b := Kafka(t, KafkaOptions{Brokers: 3})
	CreateTopic(t, b.Addr, "replicated", 3)
	if err := b.Nodes[0].Stop(); err != nil {
		t.Fatal(err)
	}
	CreateTopic(t, strings.Join(b.Addrs[1:], ","), "with-two", 1, "min.insync.replicas=1")
	if err := b.Nodes[0].Start(); err != nil {
		t.Fatal(err)
	}
}

func TestRedisStandaloneKeepsItsDataWithAOF(t *testing.T) {
	r := Redis(t, RedisOptions{AOF: true})
	if got := ask(r.Addr, "SET k 7"); !strings.HasPrefix(got, "+OK") {
		t.Fatalf("SET: %q", got)
	}
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	if got := ask(r.Addr, "GET k"); !strings.Contains(got, "7") {
		t.Fatalf("GET after a restart: %q", got)
	}
	if got := ask(SharedRedis(t).Addr, "GET k"); !strings.HasPrefix(got, "$-1") {
		t.Fatalf("the shared server is not another one: %q", got)
	}
}

func TestRedisClusterOfSix(t *testing.T) {
	r := Redis(t, RedisOptions{Cluster: true})
	if n := len(r.Addrs); n != 6 {
		t.Fatalf("%d servers", n)
	}
	if err := r.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil { // whole again, with the server that comes back
		t.Fatal(err)
	}
}

func TestRedisClusterOfMasters(t *testing.T) {
	for _, masters := range []int{1, 2, 4} {
		r := Redis(t, RedisOptions{Masters: masters})
		if n := len(r.Addrs); n != masters {
			t.Fatalf("%d servers of %d", n, masters)
		}
		for _, addr := range r.Addrs {
			if info := ask(addr, "CLUSTER INFO"); !strings.Contains(info, fmt.Sprintf("cluster_size:%d\r\n", masters)) {
				t.Errorf("%d masters: %s says\n%s", masters, addr, info)
			}
		}
	}
}
