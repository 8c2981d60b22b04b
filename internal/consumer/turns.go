package consumer

import (
	"runtime"
	"time"
)

// turns lets few workers decode at a time: with a backlog all partitions have records at once, and on a small machine everybody
// else (an answer over HTTP, Redis, the broker) would stand in line behind all of them. More would not be faster, because
// folding is one at a time anyway.
//
// It is a courtesy, not a lock: who has waited for turnWithin goes on without one, so that a broker that stops in the middle of
// an answer holds nobody else up.
type turns chan struct{}

// turn is what a worker has: of the fetch that it is at.
type turn uint8

const (
	noTurn turn = iota
	ownTurn
	outOfTurn // it was not waited for any longer
)

const turnWithin = 50 * time.Millisecond

func newTurns() turns { return make(turns, max(1, runtime.NumCPU()/2)) }

// begin waits for a turn and tells whether that took time.
func (t turns) begin(own *turn) (waited bool) {
	*own = ownTurn
	select {
	case t <- struct{}{}:
		return false
	default:
	}
	timer := time.NewTimer(turnWithin)
	defer timer.Stop()
	select {
	case t <- struct{}{}:
	case <-timer.C:
		*own = outOfTurn
	}
	return true
}

// end gives the turn back, if there is one.
func (t turns) end(own *turn) {
	if *own == ownTurn {
		<-t
	}
	*own = noTurn
}
