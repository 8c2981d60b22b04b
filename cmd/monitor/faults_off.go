//go:build !faults

package main

// faultHook is nothing in a released binary; see faults_on.go.
func faultHook() func(step string) { return nil }
