// Package answer makes the answers of the HTTP API, which the dashboard and the commands show too: it reads through small
// interfaces, checks what was asked for, and gives the wire form. It knows no HTTP beyond the problems that it returns.
//
// It judges nothing (policy does), evaluates nothing (alerts does) and keeps nothing but short-lived rankings.
package answer
