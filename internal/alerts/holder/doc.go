// Package holder runs the evaluation of one partition of subjects, live: it takes the lease, follows what is counted, judges,
// saves what changed in one step and publishes it. Every process runs one Holder per evaluation partition; whichever has the
// lease works, the others wait.
//
// # What keeps it exact
//
//   - Whoever has lost the lease changes nothing: every write checks it, in Redis, not by a clock here. What is in memory is thrown
//     away with it.
//   - A step is saved before it is published, and published again until it is acknowledged: at least once, and in order, because
//     one goroutine takes the outbox from its head.
//   - Every step names the step that it goes on from, by an id that never comes again. A Redis that came back with older data refuses it; then
//     everything is loaded anew, and what the alert topic has beyond the state is adopted before anything is judged. So no
//     episode is forgotten, and none fires again under another id.
//   - as_of is asked for before the counts are read: everything up to it is then among them.
//   - A step whose answer was lost is tried again under its id, and taken once.
package holder
