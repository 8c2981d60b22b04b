// Package truth makes a seeded stream of records of which it knows what each has to become, replays a topic's log of them into
// an oracle that shares nothing with the product's counting (memstore), and compares every count, total and recipient of a state
// in Redis with it. The end-to-end tests and the fault harness use it; nothing of the product does.
package truth
