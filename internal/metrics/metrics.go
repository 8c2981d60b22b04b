package metrics

import (
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sendwatch/internal/api"
)

// Build says which program this is.
type Build struct{ Version, Revision string }

// Metrics is the registry with what is counted as it happens. What others count themselves is read when it is asked for:
// see Consumer, Evaluation and State. It is safe for concurrent use.
type Metrics struct {
	registry    *prometheus.Registry
	redisErrors *prometheus.CounterVec
	requests    *prometheus.CounterVec
	took        *prometheus.HistogramVec
	streams     prometheus.Gauge
	reloads     *prometheus.CounterVec
	reloaded    prometheus.Gauge
}

var _ api.Meter = (*Metrics)(nil)

// New makes a registry with the process's own figures.
func New(b Build) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		redisErrors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sendwatch_redis_errors_total",
			Help: "Commands to Redis that failed, by category."}, []string{"category"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sendwatch_http_requests_total",
			Help: "Requests answered, by route, method and status."}, []string{"route", "method", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sendwatch_http_request_duration_seconds",
			Help: "Time to answer a request, by route; of a stream, how long it was open.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30}}, []string{"route"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sendwatch_http_streams", Help: "Clients of the alert stream."}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sendwatch_config_reloads_total",
			Help: "Reloads of the configuration, by outcome (taken, refused)."}, []string{"outcome"}),
		reloaded: prometheus.NewGauge(prometheus.GaugeOpts{Name: "sendwatch_config_last_reload_success",
			Help: "1 when the configuration file as it was last read is in force, 0 when it was refused."}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "sendwatch_build_info", Help: "Always 1; the labels say which program this is.",
		ConstLabels: prometheus.Labels{"version": b.Version, "revision": b.Revision, "goversion": runtime.Version()}})
	build.Set(1)
	m.reloaded.Set(1)
	m.registry.MustRegister(build, m.redisErrors, m.requests, m.took, m.streams, m.reloads, m.reloaded,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics. A collector that fails leaves its figures out and the others in.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, ErrorHandling: promhttp.ContinueOnError,
		EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}

// Register adds collectors: those of this package or others'. A name that is taken is a mistake of the program and panics.
func (m *Metrics) Register(cs ...prometheus.Collector) { m.registry.MustRegister(cs...) }

// Request implements api.Meter.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues(route).Observe(took.Seconds())
}

// StreamOpened implements api.Meter.
func (m *Metrics) StreamOpened(n int) { m.streams.Add(float64(n)) }

// RedisError counts a failed command. The category must be one of a small closed set.
func (m *Metrics) RedisError(category string) { m.redisErrors.WithLabelValues(category).Inc() }

// Reloaded tells how reading the configuration file anew went.
func (m *Metrics) Reloaded(err error) {
	outcome, success := "taken", 1.0
	if err != nil {
		outcome, success = "refused", 0
	}
	m.reloads.WithLabelValues(outcome).Inc()
	m.reloaded.Set(success)
}

// family makes descriptions of figures that are read when asked for.
func family(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sendwatch_"+name, help, labels, nil)
}

func counter(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func boolean(d *prometheus.Desc, v bool, labels ...string) prometheus.Metric {
	if v {
		return gauge(d, 1, labels...)
	}
	return gauge(d, 0, labels...)
}
