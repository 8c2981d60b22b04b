// Package metrics shows how the service does to Prometheus, from a registry of its own. All names begin with sendwatch_.
//
// Labels are bounded: outcomes, reasons, categories, routes, statuses, rates, windows, severities, policies, and the partitions
// of the input topics. Subjects are no labels: a tenant's or an address's rates are answered by GET /api/v1/rates and by the
// alert topic. What stands for them here is the subject "all" (sendwatch_rate), the number of open alerts, and how far the
// worst of them is over its limit.
//
// Some figures belong to this process (sendwatch_consumer_, sendwatch_evaluation_, sendwatch_http_, sendwatch_redis_errors_),
// the others to the state that all processes share, and every process gives the same: aggregate those with max, not sum.
package metrics
