package app

import (
	"context"
	"errors"
	"fmt"
	"net"

	"sendwatch/internal/alerts/holder"
	"sendwatch/internal/api"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/guard"
	"sendwatch/internal/api/web"
	"sendwatch/internal/config"
	"sendwatch/internal/metrics"
	"sendwatch/internal/windows"
)

// newServer makes the server of a configuration's http section.
func (a *app) newServer(c *config.Config) (*api.Server, error) {
	source := a.newSource()
	pages, err := web.New(source)
	if err != nil {
		return nil, err
	}
	o := api.Options{Source: source, Pages: pages, Metrics: a.metrics.Handler(), Ready: a.ready, Reload: a.reload, Meter: a.metrics, Log: a.o.Log,
		LocalOnly: isLoopback(c.HTTP.Listen)}
	if c.HTTP.TokensFile != "" {
		if o.Tokens, err = guard.LoadTokens(c.HTTP.TokensFile); err != nil {
			return nil, fmt.Errorf("http.tokens_file: %w", err)
		}
		o.LocalOnly = false
	}
	a.tokens.Store(o.Tokens)
	if c.HTTP.CertFile != "" {
		if o.TLS, err = (guard.TLSFiles{Cert: c.HTTP.CertFile, Key: c.HTTP.KeyFile}).Config(); err != nil {
			return nil, fmt.Errorf("http.tls: %w", err)
		}
	}
	return api.New(o), nil
}

// reloadTokens takes the tokens of a configuration whose http section is otherwise the same, or sees whether they can be taken.
func (a *app) reloadTokens(next *config.Config) error {
	if next.HTTP.TokensFile == "" {
		return nil
	}
	now, _ := a.inForce()
	var err error
	if tokens := a.tokens.Load(); tokens != nil && now.HTTP.TokensFile == next.HTTP.TokensFile {
		err = tokens.Reload(next.HTTP.TokensFile)
	} else {
		_, err = guard.LoadTokens(next.HTTP.TokensFile)
	}
	if err != nil {
		return fmt.Errorf("http.tokens_file: %w", err)
	}
	return nil
}

func isLoopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

func (a *app) newSource() *answer.Source {
	r := readers{a}
	return answer.NewSource(answer.Readers{Clock: r, Rates: r, Counts: r, Alerts: r, Log: r, Status: r, Engagement: r, Recipients: r},
		a.o.Version, a.shape, a.o.Now)
}

// shape says what can be asked for with the configuration in force.
func (a *app) shape() answer.Shape {
	c, _ := a.inForce()
	var names []string
	for _, p := range c.Policies {
		names = append(names, p.Name)
	}
	return answer.Shape{Combinations: c.Subjects, Windows: c.Windows, Retention: windows.DefaultRetention(c.Retention.Days),
		MaxAhead: c.Events.MaxAhead, Engagement: Rules(c), Policies: names}
}

// ready tells why the service does not do its work.
func (a *app) ready(ctx context.Context) error {
	e := a.engine.Load()
	if e == nil {
		return errors.New("starting")
	}
	return e.ready(ctx)
}

func (a *app) registerMetrics() {
	a.metrics.Register(metrics.Consumer(a), metrics.State(a.newSource()), metrics.Evaluation(evaluation{a}))
}

// evaluation shows the holder of whatever engine runs.
type evaluation struct{ a *app }

func (v evaluation) Status() holder.Status {
	if e := v.a.engine.Load(); e != nil {
		if _, h := e.parts(); h != nil {
			return h.Status()
		}
	}
	return holder.Status{}
}
