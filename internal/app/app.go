package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sendwatch/internal/api"
	"sendwatch/internal/api/guard"
	"sendwatch/internal/config"
	"sendwatch/internal/consumer"
	"sendwatch/internal/metrics"
)

// Options of Run. Config and Log are required.
type Options struct {
	Config  *config.Config
	Version string
	Log     *zap.Logger

	// Level is that of Log, and follows log.level of the configuration in force; nil = it stays as it is.
	Level *zap.AtomicLevel
	// Reload reads the configuration anew; nil = it cannot be. An error leaves what is in force.
	Reload func() (*config.Config, error)
	// Hangup asks for a reload, as SIGHUP does.
	Hangup <-chan struct{}
	// Started is called with the address once HTTP is served.
	Started func(address string)
	// Hook is called at named steps by the parts that have some, for a fault harness.
	Hook func(step string)
	// Now is the clock that events and alerts are held against; time.Now when nil. A fault harness steps it.
	Now func() time.Time
}

// errReload ends what has to begin anew with another configuration.
var errReload = errors.New("the configuration was read anew")

// app is one process. What answers questions lives as long as it; what reads, counts and evaluates (the engine) begins anew
// with each configuration, while questions go on being answered from the state.
type app struct {
	o       Options
	metrics *metrics.Metrics
	backend atomic.Pointer[backend]
	engine  atomic.Pointer[engine]
	server  atomic.Pointer[api.Server]
	tokens  atomic.Pointer[guard.Tokens]

	mu      sync.Mutex
	config  *config.Config // in force
	changed chan struct{}  // closed when another one is
}

// Run serves until the context ends, and then stops in order: it says that it is not ready, applies what it holds, leaves the
// group, gives its leases back and answers what is under way. An error means that it cannot do its work without somebody
// changing something; that Kafka or Redis is away is none.
//
// A reload begins reading and evaluating anew, a second or two of catching up, and goes back to the configuration before when
// the new one cannot work.
func Run(ctx context.Context, o Options) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &app{o: o, metrics: metrics.New(metrics.Build{Version: o.Version}), config: o.Config, changed: make(chan struct{})}
	a.registerMetrics()
	listener, err := a.listen(ctx)
	if err != nil {
		return err
	}
	if o.Started != nil {
		o.Started(listener.Addr().String())
	}
	// Answers outlive the engine: while it stops, questions are answered still, and readiness says no.
	httpContext, stopHTTP := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHTTP()
	served := make(chan error, 1)
	engineContext, stopEngine := context.WithCancel(ctx)
	defer stopEngine()
	go func() {
		defer stopEngine() // nobody could ask any more
		served <- a.serve(httpContext, listener)
	}()
	go a.heedHangups(engineContext)
	context.AfterFunc(engineContext, a.drain)
	err = a.runEngines(engineContext)
	stopHTTP()
	return errors.Join(err, <-served)
}

func (a *app) drain() {
	if s := a.server.Load(); s != nil {
		s.Drain()
	}
}

// runEngines runs one engine after the other, each with the configuration that is in force when it begins.
func (a *app) runEngines(ctx context.Context) error {
	var before *config.Config
	for {
		own, c, done := a.whileInForce(ctx, func(_, _ *config.Config) bool { return true })
		err := a.runEngine(own, c)
		reloaded := errors.Is(context.Cause(own), errReload)
		done()
		switch {
		case ctx.Err() != nil:
			return err
		case reloaded:
			before = c
		case before != nil:
			a.o.Log.Error("the new configuration cannot work; the one before is in force again", zap.Error(err))
			a.put(before)
			before = nil
		default:
			return err
		}
	}
}

// serve answers HTTP, on another listener when a reload asks for it.
func (a *app) serve(ctx context.Context, listener net.Listener) error {
	for {
		own, c, done := a.whileInForce(ctx, func(now, next *config.Config) bool { return !reflect.DeepEqual(now.HTTP, next.HTTP) })
		server, err := a.newServer(c)
		if err != nil {
			listener.Close()
			done()
			return err
		}
		a.server.Store(server)
		err = server.Serve(own, listener)
		reloaded := errors.Is(context.Cause(own), errReload)
		done()
		if !reloaded || ctx.Err() != nil {
			return err
		}
		if listener, err = a.listen(ctx); err != nil {
			return err
		}
	}
}

// whileInForce returns the configuration in force, and a context that ends with errReload once another one that matters is.
func (a *app) whileInForce(ctx context.Context, matters func(now, next *config.Config) bool) (context.Context, *config.Config, func()) {
	c, changed := a.inForce()
	own, cancel := context.WithCancelCause(ctx)
	go func() {
		for {
			select {
			case <-own.Done():
				return
			case <-changed:
			}
			var next *config.Config
			if next, changed = a.inForce(); matters(c, next) {
				cancel(errReload)
				return
			}
		}
	}()
	return own, c, func() { cancel(nil) }
}

func (a *app) inForce() (*config.Config, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.config, a.changed
}

// put puts a configuration in force. Whoever has to begin anew hears of it a moment later: first whoever asked for the reload
// gets an answer.
func (a *app) put(c *config.Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.changed
	a.config, a.changed = c, make(chan struct{})
	a.setLevel(c)
	time.AfterFunc(50*time.Millisecond, func() { close(before) })
}

// setLevel logs from the configuration's level on.
func (a *app) setLevel(c *config.Config) {
	if level, err := zapcore.ParseLevel(c.Log.Level); err == nil && a.o.Level != nil { // config has checked it
		a.o.Level.SetLevel(level)
	}
}

func (a *app) listen(ctx context.Context) (net.Listener, error) {
	c, _ := a.inForce()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", c.HTTP.Listen)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w", err)
	}
	return l, nil
}

func (a *app) heedHangups(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.o.Hangup:
			if err := a.reload(ctx); err != nil {
				a.o.Log.Error("the configuration was not taken, the one before stays in force", zap.Error(err))
			}
		}
	}
}

// reload reads the configuration anew and puts it in force; nothing changes when it is wrong.
func (a *app) reload(context.Context) error {
	err := a.takeConfig()
	a.metrics.Reloaded(err)
	return err
}

func (a *app) takeConfig() error {
	if a.o.Reload == nil {
		return errors.New("this service was started without a configuration file")
	}
	next, err := a.o.Reload()
	if err != nil {
		return err
	}
	now, _ := a.inForce()
	if next.Redis.Prefix == now.Redis.Prefix && reflect.DeepEqual(next.Redis.Addresses, now.Redis.Addresses) && next.Redis.Shards != now.Redis.Shards {
		return fmt.Errorf("redis.shards is %d, the state has %d: it is fixed when the state is first written", next.Redis.Shards, now.Redis.Shards)
	}
	if err := a.reloadTokens(next); err != nil {
		return err
	}
	a.put(next)
	a.o.Log.Info("configuration taken")
	return nil
}

func (a *app) hook(step string) {
	if a.o.Hook != nil {
		a.o.Hook(step)
	}
}

// Stats tells what this process has read, for the metrics.
func (a *app) Stats() consumer.Stats {
	if e := a.engine.Load(); e != nil {
		if c, _ := e.parts(); c != nil {
			return c.Stats()
		}
	}
	return consumer.Stats{}
}
