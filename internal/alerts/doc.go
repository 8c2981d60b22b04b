// Package alerts decides when a limit that is broken becomes an alert, when it escalates, reminds and resolves, and how that
// is written down for others. It is pure: it does no I/O and reads no clock. The live service, audit, backtest and rule tests
// all use the one Evaluator.
//
// It does not keep anything (redisstate does), publish anything (kafkasink does) or decide who evaluates (holder does).
//
// # One alert
//
//	         breach, `for` not over            breach, `for` over (and certain where it must be)
//	┌──────┐ ──────────────────────▶ ┌─────────┐ ────────────────▶ ┌────────┐ ──┐ escalated: breach and now certain
//	│ idle │                         │ pending │      fired        │ firing │   │ reminder: remind_every after the
//	└──────┘ ◀────────────────────── └─────────┘                   └────────┘ ◀─┘           episode's last record
//	   ▲             no breach                                          │
//	   └────────────────────────────────────────────────────────────────┘
//	      resolved: keep_firing_for since the last evaluation in breach, and this evaluation is on fresh data
//
// What the contract leaves open and is decided here:
//   - starts_at is the evaluation that fired, also with `for`; the description says since when the limit was broken.
//   - remind_every runs from the episode's last record, as Alertmanager's repeat_interval runs from the last notification.
//   - the peak is the highest judged reading among the evaluations in breach since it fired.
//   - times are half open: an alert that fires in the evaluation in which another one resolves does not overlap it.
//   - alerts whose limit is gone from the configuration, or no longer applies to the subject, resolve at the next evaluation
//     on fresh data, without waiting for keep_firing_for, and say why.
//   - a limit is the same limit after a reload when its name is the same, or without one when what it measures is.
package alerts
