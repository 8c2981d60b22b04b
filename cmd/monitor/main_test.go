package main

import (
	"testing"

	"go.uber.org/goleak"
)

// What the tests start has to end with them.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
