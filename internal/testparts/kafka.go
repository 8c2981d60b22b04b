package testparts

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The users of a secured broker.
const (
	User     = "app"
	Password = "app-secret"
)

const (
	kafkaVersion = "4.3.1"
	clusterID    = "MkU3OEVBNTcwNTJENDM2Qk"
)

// KafkaOptions says which brokers to start.
type KafkaOptions struct {
	Brokers int               // 1 by default; 3 replicate everything
	Secure  bool              // adds a listener with TLS and SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512)
	Config  map[string]string // more server properties
	Heap    string            // "512m" by default, "256m" each of several
	Fast    bool              // lets the JVM optimise fully: for benchmarks; tests start sooner without
}

// Broker is a running Kafka: one broker, or several of one cluster.
type Broker struct {
	Addr       string   // host:port of the plain listener, of all brokers with commas
	Addrs      []string // the same, one by one
	SecureAddr string   // host:port of the TLS and SASL listener of the first broker, "" without
	CAFile     string   // PEM of the authority that signed the brokers' certificate
	Nodes      []*Node
}

// Node is one broker of a Broker.
type Node struct {
	*process
	id         int
	plain      int
	secure     int
	controller int
	dir        string
	// Advertise is what clients are told to connect to; its own address when empty. Set it before Start to put a proxy between.
	Advertise string
	broker    *Broker
	options   KafkaOptions
	dist      string
	formatted string
}

// NewKafka lays out brokers below dir and chooses their ports, and starts nothing.
func NewKafka(dir string, o KafkaOptions) (*Broker, error) {
	java, err := lookPath("java")
	if err != nil {
		return nil, err
	}
	top, err := root()
	if err != nil {
		return nil, err
	}
	home := filepath.Join(top, ".cache", "kafka", kafkaVersion)
	if _, err := os.Stat(filepath.Join(home, "done")); err != nil {
		return nil, fmt.Errorf("%w: no jars of Kafka in %s", ErrMissing, home)
	}
	o.Brokers = max(o.Brokers, 1)
	if o.Heap == "" {
		o.Heap = "512m"
		if o.Brokers > 1 {
			o.Heap = "256m"
		}
	}
	ports, err := freePorts(3 * o.Brokers)
	if err != nil {
		return nil, err
	}
	b := &Broker{}
	if o.Secure {
		if b.CAFile, err = writeCertificates(dir); err != nil {
			return nil, err
		}
	}
	for i := range o.Brokers {
		n := &Node{id: i + 1, plain: ports[3*i], controller: ports[3*i+1], secure: ports[3*i+2], broker: b, options: o,
			dir: filepath.Join(dir, fmt.Sprintf("kafka-%d", i+1)), dist: filepath.Join(home, "dist"),
			formatted: filepath.Join(home, "formatted")}
		n.process = &process{name: fmt.Sprintf("kafka %d", n.id), path: java, within: 90 * time.Second,
			dir: dir, log: n.dir + ".log", args: n.command("kafka.Kafka", n.dir+".properties")}
		n.ready = func() bool { return n.logHas("Kafka Server started") }
		b.Nodes = append(b.Nodes, n)
		b.Addrs = append(b.Addrs, loopback(n.plain))
	}
	b.Addr = strings.Join(b.Addrs, ",")
	if o.Secure {
		b.SecureAddr = loopback(b.Nodes[0].secure)
	}
	return b, nil
}

// Kafka starts brokers for one test and ends them with it.
func Kafka(t testing.TB, o KafkaOptions) *Broker {
	t.Helper()
	b, err := NewKafka(t.TempDir(), o)
	if err == nil {
		t.Cleanup(func() { _ = b.Kill() })
		err = b.Start()
	}
	if err != nil {
		unavailable(t, err)
	}
	return b
}

// Start starts every broker that is not running, side by side as a quorum needs it, and waits until all are ready.
func (b *Broker) Start() error {
	for _, n := range b.Nodes {
		if n.pid() != 0 {
			continue
		}
		if err := n.prepare(); err != nil {
			return err
		}
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range b.Nodes {
		if err := n.await(); err != nil {
			return err
		}
	}
	return nil
}

// Stop ends every broker in good order.
func (b *Broker) Stop() error { return b.each((*Node).Stop) }

// Kill ends every broker at once, as a crash does.
func (b *Broker) Kill() error { return b.each((*Node).Kill) }

func (b *Broker) each(do func(*Node) error) error {
	errs := make([]error, len(b.Nodes))
	done := make(chan int)
	for i, n := range b.Nodes {
		go func() { errs[i] = do(n); done <- i }()
	}
	for range b.Nodes {
		<-done
	}
	return errors.Join(errs...)
}

// Start starts this broker and waits until it is ready.
func (n *Node) Start() error {
	if err := n.prepare(); err != nil {
		return err
	}
	if err := n.start(); err != nil {
		return err
	}
	return n.await()
}

// Stop ends this broker in good order: it hands over its partitions first.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

// Kill ends this broker at once, as a crash does.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Freeze stops the broker from running without ending it, until Thaw.
func (n *Node) Freeze() error { return n.signal(syscall.SIGSTOP) }

// Thaw lets a frozen broker go on.
func (n *Node) Thaw() error { return n.signal(syscall.SIGCONT) }

// PID is the broker's process id, 0 when it is not running.
func (n *Node) PID() int { return n.pid() }

func (n *Node) command(main string, args ...string) []string {
	jvm := []string{"-Xmx" + n.options.Heap, "-Xms" + n.options.Heap, "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=info"}
	if !n.options.Fast {
		jvm = append(jvm, "-XX:TieredStopAtLevel=1")
	}
	// The star is for java to expand, not for a shell.
	return append(append(jvm, "-cp", filepath.Join(n.dist, "*"), main), args...)
}

// properties are those that a test wants: no waits that only help large clusters, small internal topics, nothing deleted.
func (n *Node) properties() map[string]string {
	replicas, isr := "1", "1"
	if len(n.broker.Nodes) > 1 {
		replicas, isr = "3", "2"
	}
	var voters []string
	for _, o := range n.broker.Nodes {
		voters = append(voters, fmt.Sprintf("%d@%s", o.id, loopback(o.controller)))
	}
	advertise := n.Advertise
	if advertise == "" {
		advertise = loopback(n.plain)
	}
	listeners := "PLAINTEXT://" + loopback(n.plain) + ",CONTROLLER://" + loopback(n.controller)
	advertised := "PLAINTEXT://" + advertise
	p := map[string]string{
		"process.roles": "broker,controller", "node.id": fmt.Sprint(n.id), "controller.quorum.voters": strings.Join(voters, ","),
		"controller.listener.names":      "CONTROLLER",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
		"inter.broker.listener.name":     "PLAINTEXT", "log.dirs": n.dir,
		"auto.create.topics.enable":                        "false",
		"default.replication.factor":                       replicas,
		"min.insync.replicas":                              isr,
		"offsets.topic.replication.factor":                 replicas,
		"offsets.topic.num.partitions":                     "4",
		"transaction.state.log.min.isr":                    isr,
		"transaction.state.log.num.partitions":             "4",
		"transaction.state.log.replication.factor":         replicas,
		"share.coordinator.state.topic.replication.factor": replicas,
		"share.coordinator.state.topic.min.isr":            isr,
		"group.initial.rebalance.delay.ms":                 "0",    // 3 s more for every first join
		"group.min.session.timeout.ms":                     "1000", // a shorter one than this is refused
		"broker.session.timeout.ms":                        "2000", // what a restart after a kill waits for
		"broker.heartbeat.interval.ms":                     "300",
		"log.cleaner.dedupe.buffer.size":                   "8388608",
		"log.retention.hours":                              "-1",
	}
	if n.options.Secure {
		listeners += ",SASL_SSL://" + loopback(n.secure)
		advertised += ",SASL_SSL://" + loopback(n.secure)
		p["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
		scram := "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		p["listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config"] = scram
		p["listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config"] = scram
		p["listener.name.sasl_ssl.plain.sasl.jaas.config"] = fmt.Sprintf(
			`org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";`, User, Password)
		p["ssl.keystore.type"] = "PEM"
		p["ssl.keystore.location"] = serverPEM(n.broker.CAFile)
	}
	p["listeners"], p["advertised.listeners"] = listeners, advertised
	maps.Copy(p, n.options.Config)
	return p
}

// prepare writes the properties and, the first time, formats the data directory.
func (n *Node) prepare() error {
	p := n.properties()
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&text, "%s=%s\n", k, p[k])
	}
	if err := os.WriteFile(n.dir+".properties", []byte(text.String()), 0o600); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(n.dir, "meta.properties")); err == nil {
		return nil
	}
	return n.format()
}
