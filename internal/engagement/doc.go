// Package engagement decides who a tenant's mail is going to: which recipients are engaged, new or unengaged on a day, which
// of them asked not to be written to, and how many there are of each. It holds the rules only; records are kept by stores
// (windows/redisstore, windows/memstore). It does no I/O and reads no clock: the day or the time is an argument.
package engagement
