package chaos

import (
	"io"
	"time"
)

// Options of a run.
type Options struct {
	Seed     uint64        // of the first round; each next one has the next
	Time     time.Duration // for faults, over all rounds
	Round    time.Duration // for faults, of one round
	Rate     int           // records a second
	Monitors int
	Shards   int      // 0 = by the seed
	Cluster  bool     // three brokers and a Redis Cluster of three masters with a replica each, without proxies
	Faults   []string // names; nil = all
	Other    string   // binary of another version, built with -tags faults; "" = the same code under another name
	Dir      string   // for data and logs; kept when something was found
	Out      io.Writer
}

func (o *Options) fill() {
	if o.Time <= 0 {
		o.Time = 5 * time.Minute
	}
	if o.Round <= 0 {
		o.Round = 75 * time.Second
	}
	if o.Rate <= 0 {
		o.Rate = 2000
	}
	if o.Monitors <= 0 {
		o.Monitors = 3
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
}

// Injected is one fault as it went.
type Injected struct {
	Round    uint64        `json:"round"` // seed
	At       time.Duration `json:"at"`    // since the round began
	Name     string        `json:"fault"`
	Detail   string        `json:"detail,omitempty"`
	Took     time.Duration `json:"took"`               // until everything was up again
	Recovery time.Duration `json:"recovery,omitempty"` // from then until every partition had moved past where its log ended
}

// RoundReport is what one round came to.
type RoundReport struct {
	Seed        uint64   `json:"seed"`
	Shards      int      `json:"shards"`
	Records     int      `json:"records"`
	Events      int64    `json:"events"`
	Repeats     int64    `json:"repeats"`
	Lost        int64    `json:"lost"`
	Cells       int      `json:"cells"`
	Subjects    int      `json:"subjects"`
	Episodes    int      `json:"episodes"`
	Transitions int      `json:"transitions"`
	Again       int      `json:"published_again"`
	Faults      int      `json:"faults"`
	Differences int      `json:"differences"`
	Findings    []string `json:"findings,omitempty"`
}

// Report is what a run came to.
type Report struct {
	Rounds []RoundReport `json:"rounds"`
	Faults []Injected    `json:"faults"`
}

// Differences is how many there are in all.
func (r *Report) Differences() int {
	n := 0
	for _, x := range r.Rounds {
		n += x.Differences
	}
	return n
}
