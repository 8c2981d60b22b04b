package ingest

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Meter counts what a server does. Its labels are the names of the configuration and closed sets: nothing of a payload.
type Meter struct {
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	records  *prometheus.CounterVec
	events   *prometheus.CounterVec
	ignored  *prometheus.CounterVec
	rejected *prometheus.CounterVec
}

var _ prometheus.Collector = (*Meter)(nil)

// NewMeter makes one; register it to have it shown.
func NewMeter() *Meter {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sendwatch_ingest_" + name, Help: help}, labels)
	}
	return &Meter{
		requests: counter("requests_total", "Webhooks received, by source and what became of them.", "source", "outcome"),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "sendwatch_ingest_request_duration_seconds",
			Help: "Time to answer a webhook, by source.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 2.5, 5, 10}}, []string{"source"}),
		records:  counter("records_total", "Records written to Kafka, by source.", "source"),
		events:   counter("events_total", "Events in the records written to Kafka, by source.", "source"),
		ignored:  counter("ignored_total", "Elements of webhooks without a mail event, which are not written, by source.", "source"),
		rejected: counter("rejected_total", "Webhooks written to Kafka that will be rejected when they are read, by source and first reason.", "source", "reason"),
	}
}

func (m *Meter) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.took, m.records, m.events, m.ignored, m.rejected}
}

// Describe implements prometheus.Collector.
func (m *Meter) Describe(to chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (m *Meter) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(to)
	}
}

func (m *Meter) request(source string, outcome Outcome, took time.Duration) {
	m.requests.WithLabelValues(source, string(outcome)).Inc()
	m.took.WithLabelValues(source).Observe(took.Seconds())
}

func (m *Meter) cut(source string, c cut) {
	m.records.WithLabelValues(source).Add(float64(len(c.records)))
	m.events.WithLabelValues(source).Add(float64(c.events))
	m.ignored.WithLabelValues(source).Add(float64(c.ignored))
	if c.rejected != nil {
		m.rejected.WithLabelValues(source, string(c.rejected.Reason)).Inc()
	}
}

// Reached is a gauge of whether Kafka took the last record.
func (s *Server) Reached() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sendwatch_ingest_kafka_reached", Help: "1 when Kafka took the last record, 0 while it takes none."},
		func() float64 {
			if s.publisher.reached() {
				return 1
			}
			return 0
		})
}

// throttle lets something be told once in a while, and counts what is not told.
type throttle struct {
	every time.Duration

	mu     sync.Mutex
	last   time.Time
	untold int
}

// now says whether it may be told, and how often it was not since the last time.
func (t *throttle) now(at time.Time) (untold int, tell bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.last.IsZero() && at.Sub(t.last) < t.every && !at.Before(t.last) {
		t.untold++
		return 0, false
	}
	untold, t.untold, t.last = t.untold, 0, at
	return untold, true
}
