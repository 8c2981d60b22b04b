// Package chaos proves by breaking things that counts stay exact and alerts are not lost: it runs real monitor processes on a real
// Kafka and a real Redis behind TCP proxies, feeds a seeded stream whose truth an oracle knows, injects faults by a seeded plan,
// lets things settle, and compares every counter of every subject, the totals, the recipients and the alert topic.
//
// The plan of a round follows from its seed; when exactly a fault meets a process does not. docs/RELIABILITY.md says what was run
// and seen.
package chaos
