// Package api serves the answers over HTTP: the JSON calls, the stream of alerts, audience checks, probes, metrics and the
// API's own description. It reads requests strictly (an unknown parameter is a mistake), bounds everything a client can make
// it hold, and writes no address into a log or a message.
//
// It decides nothing about mail: answer makes the answers, web the pages, guard what stands in front.
package api
