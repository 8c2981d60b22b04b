//go:build !faults

package main

import "time"

// faultHook is nothing in a released binary; see faults_on.go.
func faultHook() func(step string) { return nil }

// faultClock is nothing either.
func faultClock() func() time.Time { return nil }
