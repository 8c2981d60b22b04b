// Package memstore keeps counts, repeats and recipients in memory. It takes decoded records one after the other, in the order
// of their partitions, and counts them by the contract's rules directly: it shares neither the fold nor any script with the
// Redis store, so it is the oracle that one is held against. It also serves the commands that need no server: audit, backtest
// and test-policy.
//
// Memory is bounded by subjects and their buckets (Trim), by the events within the horizon for repeats, and by the recipients
// that are remembered. A Store is not for concurrent use.
package memstore
