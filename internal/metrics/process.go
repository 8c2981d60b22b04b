package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"sendwatch/internal/alerts/holder"
	"sendwatch/internal/consumer"
)

// ConsumerStats is what a consumer tells of itself.
type ConsumerStats interface{ Stats() consumer.Stats }

// HolderStatus is what the holder of an evaluation partition tells of itself.
type HolderStatus interface{ Status() holder.Status }

var (
	_ ConsumerStats = (*consumer.Consumer)(nil)
	_ HolderStatus  = (*holder.Holder)(nil)
)

type consumerCollector struct {
	from ConsumerStats

	records, bytes, rewinds, letters, lost, errors *prometheus.Desc
	applied                                        *prometheus.Desc
}

// Consumer shows what a consumer did since the process began.
func Consumer(from ConsumerStats) prometheus.Collector {
	return &consumerCollector{
		from:    from,
		records: family("consumer_records_total", "Records read and folded by this process, those read again after a rewind included."),
		bytes:   family("consumer_bytes_total", "Bytes of the values of those records."),
		applied: family("consumer_apply_duration_seconds", "Atomic steps that brought records into the state: their number and the time they took."),
		rewinds: family("consumer_rewinds_total", "Times that the state was elsewhere than this process knew, so that it read again."),
		letters: family("consumer_dead_letters_total", "Rejected records written to the dead-letter topic."),
		lost:    family("consumer_lost_records_total", "Records that were deleted before this process could read them."),
		errors:  family("consumer_errors_total", "Errors met while reading and applying, by category.", "category"),
	}
}

func (c *consumerCollector) Describe(out chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, out)
}

func (c *consumerCollector) Collect(out chan<- prometheus.Metric) {
	s := c.from.Stats()
	out <- counter(c.records, float64(s.Records))
	out <- counter(c.bytes, float64(s.Bytes))
	out <- prometheus.MustNewConstSummary(c.applied, uint64(max(0, s.Applies)), s.ApplyTime.Seconds(), nil)
	out <- counter(c.rewinds, float64(s.Rewinds))
	out <- counter(c.letters, float64(s.DeadLetters))
	out <- counter(c.lost, float64(s.Lost))
	for category, n := range s.Errors {
		out <- counter(c.errors, float64(n), string(category))
	}
}

type holderCollector struct {
	from []HolderStatus

	holding, took, at, subjects, open, records, published, trouble *prometheus.Desc
}

// Evaluation shows how the evaluation partitions do, as far as this process holds them.
func Evaluation(from ...HolderStatus) prometheus.Collector {
	const label = "evaluation_partition"
	return &holderCollector{
		from:      from,
		holding:   family("evaluation_holding", "1 when this process evaluates the partition. The sum over processes is the number of partitions.", label),
		took:      family("evaluation_duration_seconds", "How long the last evaluation took, with reading counts and saving.", label),
		at:        family("evaluation_timestamp_seconds", "Clock of the last evaluation that was saved.", label),
		subjects:  family("evaluation_subjects", "Subjects held in memory.", label),
		open:      family("evaluation_open_alerts", "Alerts open in the partition.", label),
		records:   family("alert_records_total", "Alert records saved by this process.", label),
		published: family("alert_records_published_total", "Alert records acknowledged by the alert topic; what is missing of alert_records_total waits.", label),
		trouble:   family("evaluation_trouble", "1 while something keeps this process from evaluating or publishing; the log says what.", label),
	}
}

func (c *holderCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.holding, c.took, c.at, c.subjects, c.open, c.records, c.published, c.trouble} {
		out <- d
	}
}

func (c *holderCollector) Collect(out chan<- prometheus.Metric) {
	for _, h := range c.from {
		s := h.Status()
		partition := strconv.Itoa(s.Partition)
		out <- boolean(c.holding, s.Holding, partition)
		out <- boolean(c.trouble, s.Trouble != "", partition)
		out <- counter(c.records, float64(s.Records), partition)
		out <- counter(c.published, float64(s.Published), partition)
		if !s.Holding {
			continue
		}
		out <- gauge(c.took, s.Took.Seconds(), partition)
		out <- gauge(c.subjects, float64(s.Subjects), partition)
		out <- gauge(c.open, float64(s.Open), partition)
		if !s.Evaluated.IsZero() {
			out <- gauge(c.at, float64(s.Evaluated.UnixMilli())/1000, partition)
		}
	}
}
