package redisstore

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"sendwatch/internal/windows"
)

// shard is what this process knows of a home shard. All of it is a guess that the next script checks: the state is Redis.
type shard struct {
	base, meta, never string

	mu        sync.Mutex // of an apply to this shard, and of what follows
	layout    layout
	entries   [numKinds]int64 // in the packed buckets
	contended bool            // the last apply met another process
	lives     uint32          // how often it was found to be older than we knew it
	position  map[string]position
	compact   []string // keys of counts to be compacted
	encoder   encoder
	swept     swept
}

func newShard(base string) *shard {
	return &shard{base: base, meta: base + "meta", never: base + "never", position: map[string]position{}}
}

// know notes where the shard stands. When that is before what we knew, its data are older ones: then the rest that we knew, and
// have not written again since, is no longer true either.
func (sh *shard) know(field string, p position) {
	if p.next < sh.position[field].known().next {
		sh.lives++
	}
	sh.position[field] = p
}

// keys are those that are named to a script which finds others by itself. One of them never exists: so a cluster that is moving the
// slot to another server refuses the script (TRYAGAIN) as long as keys are on both. Without it the script would run where meta is,
// and take for absent what is still, or already, on the other server.
func (sh *shard) keys() []string { return []string{sh.meta, sh.never} }

// position is one value in the hash of positions.
type position struct {
	text    string // as it stands there, "" when there is none
	next    int64  // -1 when there is none
	newest  int64  // nanoseconds since 1970; 0 = none
	topicID string
}

// parsePosition reads "next newest topicID"; the last two are "-" when unknown. It is false for what is none.
func parsePosition(text string) (position, bool) {
	p := position{text: text, next: -1}
	if text == "" {
		return p, true
	}
	parts := strings.SplitN(text, " ", 3)
	if len(parts) != 3 {
		return p, false
	}
	var err1, err2 error
	p.next, err1 = strconv.ParseInt(parts[0], 10, 64)
	if parts[1] != "-" {
		p.newest, err2 = strconv.ParseInt(parts[1], 10, 64)
	}
	if parts[2] != "-" {
		p.topicID = parts[2]
	}
	return p, err1 == nil && err2 == nil
}

// after is the position at which a run ends.
func (p position) after(r *windows.Run) position {
	p.next = r.Next
	if !r.Newest.IsZero() && (p.newest == 0 || r.Newest.UnixNano() > p.newest) {
		p.newest = r.Newest.UnixNano()
	}
	if r.TopicID != "" {
		p.topicID = r.TopicID
	}
	newest, topic := "-", "-"
	if p.newest != 0 {
		newest = strconv.FormatInt(p.newest, 10)
	}
	if p.topicID != "" {
		topic = p.topicID
	}
	p.text = strconv.FormatInt(p.next, 10) + " " + newest + " " + topic
	return p
}

func (p position) newestTime() time.Time {
	if p.newest == 0 {
		return time.Time{}
	}
	return time.Unix(0, p.newest).UTC()
}
