package consumer

import (
	"testing"
	"time"
)

// As many have a turn as there may; another gets one when somebody ends theirs, and goes on without when nobody does.
func TestTurns(t *testing.T) {
	all := make(turns, 1)
	var a, b, c turn
	if all.begin(&a) || a != ownTurn {
		t.Fatalf("the first one waited: %v", a)
	}
	start := time.Now()
	if !all.begin(&b) || b != outOfTurn || time.Since(start) < turnWithin {
		t.Fatalf("beside the first one: %v after %v", b, time.Since(start))
	}
	all.end(&b)
	if len(all) != 1 || b != noTurn {
		t.Fatal("who had no turn gave one back")
	}
	all.end(&a)
	if all.begin(&c) || c != ownTurn || a != noTurn {
		t.Errorf("a turn that was ended was not taken: %v", c)
	}
	all.end(&c)
	if len(all) != 0 {
		t.Error("a turn is left over")
	}
}
