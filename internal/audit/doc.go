// Package audit judges recorded events offline: the rates, the verdicts and the alerts that there would have been. It counts
// with the in-memory store and lets the same evaluator and the same policies decide as the live service; what is its own is
// only the clock, and knowing when a look at a subject cannot tell anything new. It reads no file and no clock: events are
// handed to it one after the other.
//
// # The clock
//
// The clock is the data's own: the newest time of an event that counted so far, which never goes back; a repeat does not move
// it. Rates are judged at the end of every second that has events, and whenever a bucket ends: at 08:15:01 when an event
// happened at 08:15:00.2, and at every full minute. An event that is older than the clock counts in the bucket of its own time,
// as everywhere, and is judged with the second that the clock is in. The same events in the same order always give the same
// answer, to the byte.
//
// Rates at the end are those at the newest event time: a log of one whole day ends within that day, not with the first empty
// bucket of the next one.
//
// # Looking less
//
// A million events touch five million subjects, and judging one of them takes microseconds. Nearly all of those looks find
// nothing: one more delivery never breaks a limit. So every look at a subject notes how much may be counted for it until its
// verdicts could change (see slack), and only then the next look is taken.
package audit
