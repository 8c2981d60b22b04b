// Package windows holds the exact arithmetic of rolling rates: counters, buckets, windows, exposure and bounds, and the fold
// that turns events into what they add. It does no I/O and reads no clock: time is an argument. Stores live in subpackages.
package windows
