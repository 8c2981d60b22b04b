package metrics

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sendwatch/internal/alerts"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

const (
	stateLife    = 5 * time.Second // several scrapers share one reading
	stateTimeout = 4 * time.Second // below the usual scrape time-out
	alertPages   = 10              // of answer.MaxPage alerts; more are not counted apart
)

type stateCollector struct {
	source *answer.Source

	mu   sync.Mutex
	read time.Time
	last []prometheus.Metric

	up, stale, lag, age, events, rejected, lost *prometheus.Desc
	next, high, behind, newest                  *prometheus.Desc
	memory, keys                                *prometheus.Desc
	rate, limit, exposure, open, worst          *prometheus.Desc
}

// State shows the state that all processes share. While it cannot be read there is sendwatch_state_up 0 and nothing else.
func State(source *answer.Source) prometheus.Collector {
	return &stateCollector{
		source:   source,
		up:       family("state_up", "1 when the state in Redis can be read."),
		stale:    family("stale", "1 when nothing could be read for alerts.stale_after, or the monitor is behind by more."),
		lag:      family("lag_seconds", "How far the monitor is behind; 0 while it keeps up."),
		age:      family("as_of_age_seconds", "Age of the time that rates are judged at."),
		events:   family("events_total", "Events over the life of the state, by outcome (counted, duplicate, late, ignored, rejected).", "outcome"),
		rejected: family("events_rejected_total", "Rejected events over the life of the state, by reason.", "reason"),
		lost:     family("lost_records_total", "Records that were gone before they could be read, over the life of the state."),
		next:     family("partition_next_offset", "Offset that the state goes on at.", "topic", "partition"),
		high:     family("partition_high_watermark", "End of the partition's log.", "topic", "partition"),
		behind:   family("partition_lag_records", "Records not yet in the state.", "topic", "partition"),
		newest:   family("partition_newest_event_timestamp_seconds", "Newest event time read from the partition.", "topic", "partition"),
		memory:   family("redis_used_memory_bytes", "Memory that Redis uses."),
		keys:     family("redis_keys", "Keys in Redis."),
		rate:     family("rate", `Judged rate of the subject "all": numerator divided by exposure.`, "rate", "window"),
		exposure: family("rate_exposure", `Exposure of the subject "all".`, "rate", "window"),
		limit:    family("rate_limit", `Limit of the subject "all".`, "policy", "rate", "window"),
		open:     family("alerts_open", "Open alerts.", "severity", "policy", "rate", "window"),
		worst:    family("alerts_worst_ratio", "Judged rate of the worst open alert, divided by its limit.", "rate", "window"),
	}
}

func (c *stateCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.stale, c.lag, c.age, c.events, c.rejected, c.lost, c.next, c.high, c.behind, c.newest,
		c.memory, c.keys, c.rate, c.limit, c.exposure, c.open, c.worst} {
		out <- d
	}
}

func (c *stateCollector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.source.Now(); now.Sub(c.read) >= stateLife || now.Before(c.read) {
		ctx, cancel := context.WithTimeout(context.Background(), stateTimeout) // a scrape hands no context down
		defer cancel()
		c.read, c.last = now, nil
		err := c.readAll(ctx)
		if err != nil {
			c.last = nil // half of it would look as if the rest were zero
		}
		c.add(boolean(c.up, err == nil))
	}
	for _, m := range c.last {
		out <- m
	}
}

func (c *stateCollector) add(m ...prometheus.Metric) { c.last = append(c.last, m...) }

func (c *stateCollector) readAll(ctx context.Context) error {
	status, err := c.source.Status(ctx)
	if err != nil {
		return err
	}
	if status.AsOf == nil {
		return answer.ErrUnavailable
	}
	c.addStatus(status)
	rates, err := c.source.SubjectRates(ctx, windows.All, time.Time{}, policy.Filter{})
	if err == nil { // there is no such subject when the configuration leaves it out
		c.addRates(rates.Rates)
	}
	return c.addAlerts(ctx)
}

func (c *stateCollector) addStatus(s *answer.Status) {
	c.add(boolean(c.stale, s.Stale), gauge(c.lag, s.LagSeconds), gauge(c.age, c.source.Now().Sub(*s.AsOf).Seconds()),
		gauge(c.memory, float64(s.Redis.UsedMemoryBytes)), gauge(c.keys, float64(s.Redis.Keys)))
	e := s.Events
	c.add(counter(c.events, float64(e.Counted), "counted"), counter(c.events, float64(e.Duplicate), "duplicate"),
		counter(c.events, float64(e.Late), "late"), counter(c.events, float64(e.Ignored), "ignored"),
		counter(c.events, float64(e.Read-e.Counted-e.Duplicate-e.Late-e.Ignored), "rejected"), counter(c.lost, float64(e.Lost)))
	for reason, n := range e.Rejected {
		c.add(counter(c.rejected, float64(n), reason))
	}
	for _, p := range s.Partitions {
		id := strconv.Itoa(p.Partition)
		c.add(gauge(c.next, float64(p.NextOffset), p.Topic, id), gauge(c.high, float64(p.HighWatermark), p.Topic, id),
			gauge(c.behind, float64(p.Lag), p.Topic, id))
		if p.NewestEventTime != nil {
			c.add(gauge(c.newest, float64(p.NewestEventTime.UnixMilli())/1000, p.Topic, id))
		}
	}
}

func (c *stateCollector) addRates(rows []policy.Row) {
	type pair struct {
		rate   windows.Rate
		window string
	}
	seen := map[pair]bool{}
	for _, r := range rows {
		if r.Policy != nil {
			c.add(gauge(c.limit, *r.Limit, *r.Policy, r.Rate.String(), r.Window))
		}
		p := pair{r.Rate, r.Window}
		if seen[p] { // a rate limited by several policies; the first speaks
			continue
		}
		seen[p] = true
		c.add(gauge(c.exposure, float64(r.Exposure), r.Rate.String(), r.Window))
		if r.Judged != nil {
			c.add(gauge(c.rate, *r.Judged, r.Rate.String(), r.Window))
		}
	}
}

func (c *stateCollector) addAlerts(ctx context.Context) error {
	type kind struct{ severity, policy, rate, window string }
	open, worst := map[kind]int{}, map[[2]string]float64{}
	q := answer.AlertQuery{State: new(alerts.Firing), Limit: answer.MaxPage}
	for range alertPages {
		page, err := c.source.Alerts(ctx, q)
		if err != nil {
			return err
		}
		for _, r := range page.Alerts {
			open[kind{r.Severity.String(), r.Policy, r.Rate, r.Window}]++
			if r.Observed.Judged != nil && r.Limit > 0 {
				at := [2]string{r.Rate, r.Window}
				worst[at] = max(worst[at], *r.Observed.Judged/r.Limit)
			}
		}
		if page.NextCursor == nil {
			break
		}
		q.Cursor = *page.NextCursor
	}
	for k, n := range open {
		c.add(gauge(c.open, float64(n), k.severity, k.policy, k.rate, k.window))
	}
	for at, times := range worst {
		c.add(gauge(c.worst, times, at[0], at[1]))
	}
	return nil
}
