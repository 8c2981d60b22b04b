// Package soak runs monitor processes for long under a steady stream, on a real Kafka and a real Redis, and notes what could grow:
// heap, resident memory, goroutines and file descriptors of each process, keys and bytes of Redis, and how far reading is behind.
// It writes the figures as CSV and draws them. In the end it compares how many events were written with how many were counted.
//
// Event time runs faster than the clock, from the past up to about an hour ago, so that what expires within a day or two does so within the run.
package soak
