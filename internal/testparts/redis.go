package testparts

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slots is how many a Redis Cluster has.
const slots = 16384

// RedisOptions says which Redis to start.
type RedisOptions struct {
	Cluster bool     // six servers: three masters with a replica each
	Masters int      // a cluster of so many masters without replicas, each with an equal share of the slots; 0 = none
	AOF     bool     // appendonly yes, appendfsync everysec: survives a kill but for its last second
	Config  []string // more settings, as "maxmemory 100mb"
}

// RedisServer is a running Redis: one server, or those of a cluster.
type RedisServer struct {
	Addr    string   // host:port of the first server
	Addrs   []string // of all
	Nodes   []*RedisNode
	options RedisOptions
	formed  bool
}

// RedisNode is one redis-server.
type RedisNode struct {
	*process
	Dir  string // where it keeps its data
	port int
	bus  int // of a cluster
}

// NewRedis lays out servers below dir and chooses their ports, and starts nothing.
func NewRedis(dir string, o RedisOptions) (*RedisServer, error) {
	path, err := lookPath("redis-server")
	if err != nil {
		return nil, err
	}
	if _, err := lookPath("redis-cli"); err != nil {
		return nil, err
	}
	n := max(1, o.Masters)
	if o.Cluster {
		n = 6
	}
	ports, err := freePorts(2 * n)
	if err != nil {
		return nil, err
	}
	r := &RedisServer{options: o}
	for i := range n {
		s := &RedisNode{port: ports[2*i], bus: ports[2*i+1], Dir: filepath.Join(dir, fmt.Sprintf("redis-%d", i+1))}
		if err := os.MkdirAll(s.Dir, 0o755); err != nil {
			return nil, err
		}
		args := []string{"--bind", "127.0.0.1", "--port", fmt.Sprint(s.port), "--dir", s.Dir, "--save", "", "--maxmemory-policy", "noeviction"}
		if o.AOF {
			args = append(args, "--appendonly", "yes", "--appendfsync", "everysec")
		}
		if o.clustered() {
			args = append(args, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", fmt.Sprint(s.bus))
		}
		for _, setting := range o.Config {
			name, value, _ := strings.Cut(setting, " ")
			args = append(args, "--"+name, value)
		}
		s.process = &process{name: "redis " + loopback(s.port), path: path, args: args, dir: s.Dir, log: s.Dir + ".log",
			within: time.Minute} // it may have much to load, on a busy machine
		s.ready = func() bool { return strings.HasPrefix(ask(loopback(s.port), "PING"), "+PONG") }
		r.Nodes = append(r.Nodes, s)
		r.Addrs = append(r.Addrs, loopback(s.port))
	}
	r.Addr = r.Addrs[0]
	return r, nil
}

// Redis starts a Redis for one test and ends it with it.
func Redis(t testing.TB, o RedisOptions) *RedisServer {
	t.Helper()
	r, err := NewRedis(t.TempDir(), o)
	if err == nil {
		t.Cleanup(func() { _ = r.Kill() })
		err = r.Start()
	}
	if err != nil {
		unavailable(t, err)
	}
	return r
}

// Start starts every server that is not running and waits until all answer; the first time it forms the cluster.
func (r *RedisServer) Start() error {
	for _, s := range r.Nodes {
		if s.pid() == 0 {
			if err := s.start(); err != nil {
				return err
			}
		}
	}
	for _, s := range r.Nodes {
		if err := s.await(); err != nil {
			return err
		}
	}
	if !r.options.clustered() {
		return nil
	}
	if !r.formed {
		form := r.formMasters
		if r.options.Cluster {
			form = r.formReplicated
		}
		if err := form(); err != nil {
			return err
		}
		r.formed = true
	}
	return r.awaitCluster()
}

func (o RedisOptions) clustered() bool { return o.Cluster || o.Masters > 0 }

func (r *RedisServer) formReplicated() error {
	args := append([]string{"--cluster", "create"}, r.Addrs...)
	if out, err := exec.Command("redis-cli", append(args, "--cluster-replicas", "1", "--cluster-yes")...).CombinedOutput(); err != nil {
		return fmt.Errorf("redis-cli --cluster create: %w:\n%s", err, out)
	}
	return nil
}

// formMasters does without redis-cli, which makes no cluster of fewer than three masters.
func (r *RedisServer) formMasters() error {
	n := len(r.Nodes)
	for i, s := range r.Nodes {
		for _, c := range []struct{ addr, command string }{
			{r.Addrs[i], fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", slots*i/n, slots*(i+1)/n-1)},
			{r.Addrs[i], fmt.Sprintf("CLUSTER SET-CONFIG-EPOCH %d", i+1)},
			{r.Addr, fmt.Sprintf("CLUSTER MEET 127.0.0.1 %d %d", s.port, s.bus)}, // itself too: that is nothing to it
		} {
			if answer := ask(c.addr, c.command); !strings.HasPrefix(answer, "+OK") {
				return fmt.Errorf("%s: %s answers %q", c.command, c.addr, answer)
			}
		}
	}
	return nil
}

// awaitCluster waits until every server says that the cluster is whole and knows all.
func (r *RedisServer) awaitCluster() error {
	deadline := time.Now().Add(30 * time.Second)
	for _, addr := range r.Addrs {
		for {
			info := ask(addr, "CLUSTER INFO")
			if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r\n", len(r.Addrs))) &&
				strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d\r\n", slots)) {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("redis cluster: %s is not whole after 30 s:\n%s", addr, info)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	return nil
}

// Stop ends every server in good order.
func (r *RedisServer) Stop() error { return r.each((*RedisNode).Stop) }

// Kill ends every server at once, as a crash does.
func (r *RedisServer) Kill() error { return r.each((*RedisNode).Kill) }

func (r *RedisServer) each(do func(*RedisNode) error) error {
	var all []error
	for _, s := range r.Nodes {
		all = append(all, do(s))
	}
	return errors.Join(all...)
}

// Start starts this server and waits until it answers.
func (s *RedisNode) Start() error {
	if err := s.start(); err != nil {
		return err
	}
	return s.await()
}

// StartWith is Start with more settings, for this life only.
func (s *RedisNode) StartWith(settings ...string) error {
	s.mu.Lock()
	before := s.args
	s.args = slices.Concat(before, settings)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.args = before
	}()
	return s.Start()
}

// Stop ends this server in good order.
func (s *RedisNode) Stop() error { return s.end(syscall.SIGTERM) }

// Kill ends this server at once, as a crash does.
func (s *RedisNode) Kill() error { return s.end(syscall.SIGKILL) }

// Freeze stops the server from running without ending it, until Thaw.
func (s *RedisNode) Freeze() error { return s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *RedisNode) Thaw() error { return s.signal(syscall.SIGCONT) }

// PID is the server's process id, 0 when it is not running.
func (s *RedisNode) PID() int { return s.pid() }

// ask sends one inline command and returns the beginning of the answer, "" when there is none.
func ask(addr, command string) string {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte(command + "\r\n")); err != nil {
		return ""
	}
	b := make([]byte, 4096)
	n, _ := c.Read(b)
	return string(b[:n])
}
