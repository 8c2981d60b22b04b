// Package redisstore keeps the state in Redis: counts, repeats, recipients and input positions of each home shard, moved
// forward by one script, all or nothing, behind a compare-and-set of the positions and of the packed buckets' version. Readers sum a
// subject over the shards.
//
// How it is laid out (P is the prefix, NN the shard; every key of a shard has its hash tag, so that a script stays within it):
//
//	P:{sNN}:meta               hash   layout and version of the packed buckets, newest event time, number and bytes of the change feed;
//	                                  of shard 0 also schema, number of shards and key
//	P:{sNN}:pos                hash   "topic/partition" -> "next newest topicID"
//	P:{sNN}:tally              hash   what became of events, by name
//	P:{sNN}:c:<m|h|d>:N:SUBJ   string counts of a subject in chunk N of a step: a log of increments (counts.go)
//	P:{sNN}:subj:COMBINATION   zset   subjects by the newest day they were seen
//	P:{sNN}:feed               list   what each apply counted, by subject and minute, the newest last
//	P:{sNN}:dd:N               string fingerprints of events, bucket N (layout.go)
//	P:{sNN}:r:N                string recipients, bucket N; xu, xc, xo, xh: their newest unsubscribe, complaint, opt-in, hard bounce
//	P:{sNN}:co:N:TENANT        hash   cohorts of a tenant's recipients in 32 days
//	P:{sNN}:turn               string whose turn it is, for two seconds at most (turn.go)
//	P:{s00}:parts              hash   what readers last said of their partitions
//
// P:{sNN}:never does not exist. Scripts name it so that a cluster refuses them while it moves the slot (shard.go).
//
// There are no expiry times: what is no longer kept is passed over by reads and removed by Sweep.
//
// What it is not: it does not retry, does not decide when to apply, and knows nothing of alerts.
package redisstore
