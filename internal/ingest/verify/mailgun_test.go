package verify

import (
	"fmt"
	"testing"
)

func TestUsedTokensAreTheNewest(t *testing.T) {
	const remembered = 4
	u := newUsedTokens(remembered)
	for n := range 3 * remembered {
		u.note(fmt.Sprint(n), []byte("a"))
		u.note(fmt.Sprint(n), []byte("b")) // the first payload is the one
		if len(u.by) != min(n+1, remembered) || len(u.order) != len(u.by) {
			t.Fatalf("%d tokens, %d in order", len(u.by), len(u.order))
		}
		for m := range n + 1 {
			known := m > n-remembered
			if !u.mayServe(fmt.Sprint(m), []byte("a")) || u.mayServe(fmt.Sprint(m), []byte("b")) == known {
				t.Errorf("after %d: token %d is known: %v", n, m, !known)
			}
		}
	}
}
