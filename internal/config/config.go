// Package config turns a YAML file and environment variables into one checked Config. Every mistake is found at once and
// told with its place, what was found and what is allowed. It builds no clients and starts nothing.
package config

import (
	"time"

	"sendwatch/internal/event/provider/mapping"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
)

// Config is everything that can be set. Load returns it complete and checked; it is not changed afterwards.
type Config struct {
	Kafka      Kafka
	Redis      Redis
	HTTP       HTTP
	Ingest     Ingest
	Subjects   []windows.Combination
	Windows    []windows.Window
	Formats    []*mapping.Format // one's own, besides the built-in ones
	Policies   []policy.Policy
	Alerts     Alerts
	Events     Events
	Dedupe     Dedupe
	Engagement Engagement
	Retention  Retention
	Providers  Providers
	Log        Log
}

// Kafka says where events come from and where alerts go.
type Kafka struct {
	Brokers         []string // host:port
	Topics          []Topic
	Group           string
	AlertsTopic     string
	DeadLetterTopic string
	CreateTopics    bool
	SessionTimeout  time.Duration
	TLS             TLS
	SASL            SASL
}

// Topic is one input topic and the format of its records.
type Topic struct {
	Name   string
	Format string
}

// TLS is how a connection is encrypted. It is used when Enabled.
type TLS struct {
	Enabled            bool
	CAFile             string // "" = the system's roots
	CertFile, KeyFile  string // for mutual TLS
	ServerName         string
	InsecureSkipVerify bool
}

// SASL is how sendwatch proves who it is to Kafka. It is used when Mechanism is not empty.
type SASL struct {
	Mechanism string // plain, scram-sha-256, scram-sha-512
	Username  string
	Password  string
}

// Redis says where the state is kept.
type Redis struct {
	Addresses []string // one = standalone, several = cluster
	Username  string
	Password  string
	TLS       TLS
	Prefix    string
	Shards    int
}

// HTTP says where questions are answered.
type HTTP struct {
	Listen            string
	AllowAnonymous    bool   // take a listen address beyond loopback without TLS and tokens
	TokensFile        string // bearer tokens, one a line; "" = no authentication
	CertFile, KeyFile string // serve TLS
}

// Alerts says how limits are watched.
type Alerts struct {
	EvaluateEvery time.Duration
	StaleAfter    time.Duration
	RemindEvery   time.Duration
	KeepFiringFor policy.PerWindow[time.Duration]
}

// Events says which events are taken.
type Events struct {
	MaxBytes int           // largest record, in bytes
	MaxAhead time.Duration // how far ahead of the clock a time may be
}

// Dedupe says for how long repeats are recognised, in event time; 0 = not at all.
type Dedupe struct{ Horizon time.Duration }

// Engagement says who counts as engaged.
type Engagement struct {
	Enabled      bool          // false: recipients are not looked at
	Months       int           // calendar months
	NewFor       time.Duration // whole days
	HonourWithin time.Duration
	Key          []byte // nil = one is made and kept with the state
	AcceptNewKey bool   // go on with a state that was written under another key
}

// Retention says for how long daily counts are kept.
type Retention struct{ Days int }

// Providers says which mailbox provider a recipient's domain belongs to, beyond the built-in table.
type Providers struct {
	Domains   map[string]string // domain, or a pattern such as mail.example.*, to provider
	Reporting []string          // those that send complaint reports
}

// Log says what the process writes to standard error.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // json, console
}

// Default is the configuration of an empty file.
func Default() *Config {
	pack, _ := policy.Pack("dynamics-365")
	return &Config{
		Kafka: Kafka{
			Brokers: []string{"localhost:9092"}, Topics: []Topic{{"mail.events", "auto"}}, Group: "sendwatch",
			AlertsTopic: "mail.alerts", DeadLetterTopic: "mail.events.rejected", CreateTopics: true,
			SessionTimeout: 6 * time.Second,
		},
		Redis:      Redis{Addresses: []string{"localhost:6379"}, Prefix: "sendwatch", Shards: 1},
		HTTP:       HTTP{Listen: "127.0.0.1:8225"},
		Ingest:     defaultIngest(),
		Subjects:   windows.DefaultCombinations(),
		Windows:    windows.DefaultWindows(),
		Policies:   []policy.Policy{pack},
		Alerts:     Alerts{EvaluateEvery: time.Second, StaleAfter: time.Minute, RemindEvery: 24 * time.Hour},
		Events:     Events{MaxBytes: 1 << 20, MaxAhead: 10 * time.Minute},
		Dedupe:     Dedupe{48 * time.Hour},
		Engagement: Engagement{Enabled: true, Months: 6, NewFor: 30 * 24 * time.Hour, HonourWithin: 48 * time.Hour},
		Retention:  Retention{400},
		Providers:  Providers{Reporting: []string{"outlook", "yahoo", "other"}},
		Log:        Log{Level: "info", Format: "json"},
	}
}
