// Package policy says which rates of which subjects are too high: limits, the built-in packs of them, and verdicts. It does
// no I/O and reads no clock.
package policy
