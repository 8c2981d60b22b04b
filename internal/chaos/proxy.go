package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// proxies stand between the processes and what they depend on.
type proxies struct {
	server *toxiproxy.ApiServer
	all    map[string]*toxiproxy.Proxy
	toxics int
}

func newProxies() *proxies {
	zerolog.SetGlobalLevel(zerolog.Disabled) // the toxics write to a logger of their own
	return &proxies{server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop()), all: map[string]*toxiproxy.Proxy{}}
}

// add starts a proxy and returns its address.
func (p *proxies) add(name, upstream string) (string, error) {
	proxy := toxiproxy.NewProxy(p.server, name, "127.0.0.1:0", upstream)
	if err := proxy.Start(); err != nil {
		return "", fmt.Errorf("proxy %s: %w", name, err)
	}
	p.all[name] = proxy
	return proxy.Listen, nil
}

func (p *proxies) close() {
	for _, proxy := range p.all {
		proxy.Stop()
	}
}

// toxic adds what goes wrong on a proxy's connections, until the function that it returns is called. stream is "upstream" or
// "downstream".
func (p *proxies) toxic(name, kind, stream string, attributes map[string]any) (func() error, error) {
	p.toxics++
	id := fmt.Sprintf("%s-%d", kind, p.toxics)
	text, err := json.Marshal(map[string]any{"name": id, "type": kind, "stream": stream, "toxicity": 1.0, "attributes": attributes})
	if err != nil {
		return nil, err
	}
	proxy := p.all[name]
	if proxy == nil {
		return nil, errors.New("no proxy " + name)
	}
	if _, err := proxy.Toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
		return nil, fmt.Errorf("toxic %s on %s: %w", kind, name, err)
	}
	return func() error { return proxy.Toxics.RemoveToxic(context.Background(), id) }, nil
}
