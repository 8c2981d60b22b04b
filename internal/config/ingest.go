package config

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"sendwatch/internal/event/provider"
	"sendwatch/internal/ingest/verify"
)

// Ingest says whose webhooks `monitor ingest` receives, and where it puts them. Other commands do not use it.
type Ingest struct {
	Listen            string
	Admin             string // where probes and metrics answer; "" = nowhere
	AllowPlain        bool   // take a listen address beyond loopback without TLS: something before it ends TLS
	CertFile, KeyFile string // serve TLS
	Topic             string // "" = the first of Kafka.Topics
	MaxBytes          int    // largest body
	Sources           []IngestSource
}

// IngestSource is one provider's webhook, received at /ingest/NAME.
type IngestSource struct {
	Name      string
	Format    string
	Verify    string // one of verify.Kinds
	Secret    string // the secret's text, one a line
	Username  string
	Header    string
	URL       string
	TopicARNs []string
	MaxAge    time.Duration // 0 = as the way of signing has it
}

// Options are what the source's verifier is made of.
func (s IngestSource) Options() verify.Options {
	return verify.Options{Kind: s.Verify, Secret: s.Secret, Username: s.Username, Header: s.Header, URL: s.URL, Topics: s.TopicARNs, MaxAge: s.MaxAge}
}

// TopicOf is the topic that webhooks go to with the configuration c.
func (in *Ingest) TopicOf(c *Config) string { return cmp.Or(in.Topic, c.Kafka.Topics[0].Name) }

func defaultIngest() Ingest {
	return Ingest{Listen: "127.0.0.1:8226", Admin: "127.0.0.1:8227", MaxBytes: 8 << 20}
}

func ingestKeys() []key {
	return []key{
		{path: "ingest.listen", allowed: "host:port, such as 127.0.0.1:8226", text: true, read: func(r *reader, v value) {
			if s, ok := v.address(); ok {
				r.config.Ingest.Listen = s
			}
		}},
		{path: "ingest.admin", allowed: "host:port, such as 127.0.0.1:8227, or nothing", text: true, nullable: true, read: func(r *reader, v value) {
			r.config.Ingest.Admin = ""
			if isNull(v.node) || v.node.Kind == yaml.ScalarNode && v.node.Value == "" {
				return
			}
			if s, ok := v.address(); ok {
				r.config.Ingest.Admin = s
			}
		}},
		{path: "ingest.allow_plain", allowed: trueFalse, read: flag(func(c *Config) *bool { return &c.Ingest.AllowPlain })},
		{path: "ingest.tls.cert_file", allowed: aFile, text: true, read: file(func(c *Config) *string { return &c.Ingest.CertFile })},
		{path: "ingest.tls.key_file", allowed: aFile, text: true, read: file(func(c *Config) *string { return &c.Ingest.KeyFile })},
		{path: "ingest.topic", allowed: aName, text: true, nullable: true, read: func(r *reader, v value) {
			if isNull(v.node) || v.node.Kind == yaml.ScalarNode && v.node.Value == "" {
				return
			}
			if s, ok := v.name(); ok {
				r.config.Ingest.Topic = s
			}
		}},
		{path: "ingest.max_bytes", allowed: "a number of bytes from 65536 to 104857600", read: whole(func(c *Config) *int { return &c.Ingest.MaxBytes }, 64<<10, 100<<20)},
		{path: "ingest.sources", allowed: "a list of {name: NAME, format: FORMAT, verify: HOW, secret_file: FILE}", nullable: true, read: ingestSources},
	}
}

func ingestSources(r *reader, v value) {
	if isNull(v.node) {
		return
	}
	var list []IngestSource
	seen := map[string]bool{}
	v.list(func(_ int, e value) {
		before := len(r.problems)
		s := e.ingestSource()
		if s.Name != "" && seen[s.Name] {
			e.wrong(strconv.Quote(s.Name) + " again")
		}
		seen[s.Name] = true
		r.at["ingest.sources."+s.Name] = e.place()
		if len(r.problems) == before && s.Verify != "" {
			// What is missing, and whether keys can be read, the verifier knows best.
			if _, err := verify.New(s.Options()); err != nil {
				e.allowed = "what verify: " + s.Verify + " needs, see docs/INGEST.md"
				e.wrong(fmt.Sprintf("%s, whose %s", s.Name, err))
			}
		}
		list = append(list, s)
	})
	r.config.Ingest.Sources = list
}

func (v value) ingestSource() IngestSource {
	s := IngestSource{Format: "auto"}
	inline := func(to *string) func(value) {
		return func(v value) { v.allowed = anyText; *to, _ = v.scalar() }
	}
	secret := func(read func(v value) string) func(value) {
		return func(v value) {
			if s.Secret != "" {
				v.allowed = "one of secret and secret_file"
				v.wrong("set beside the other")
				return
			}
			s.Secret = read(v)
		}
	}
	before := len(v.r.problems)
	v.mapping(map[string]func(value){
		"name":   func(v value) { v.allowed = aName; s.Name, _ = v.name() },
		"format": func(v value) { s.Format = v.formatName("ingest.sources") },
		"verify": func(v value) {
			v.allowed = strings.Join(verify.Kinds(), ", ")
			s.Verify, _ = v.oneOf(verify.Kinds()...)
		},
		"secret": secret(func(v value) string { v.allowed = anyText; text, _ := v.scalar(); return text }),
		"secret_file": secret(func(v value) string {
			v.allowed = aFile
			path, ok := v.scalar()
			if !ok {
				return ""
			}
			data, err := os.ReadFile(path)
			if err != nil {
				v.wrong(err.Error())
			}
			return string(data)
		}),
		"username": inline(&s.Username),
		"header":   inline(&s.Header),
		"url":      inline(&s.URL),
		"topic_arns": func(v value) {
			v.allowed = "a list of ARNs of SNS topics"
			v.list(func(_ int, e value) {
				if arn, ok := e.scalar(); ok {
					s.TopicARNs = append(s.TopicARNs, arn)
				}
			})
		},
		"max_age": func(v value) {
			v.allowed = "a duration from 1m to 7d"
			s.MaxAge, _ = v.duration(time.Minute, 7*24*time.Hour)
		},
	}, []string{"name", "format", "verify", "secret", "secret_file", "username", "header", "url", "topic_arns", "max_age"})
	if len(v.r.problems) > before {
		return s // what follows from a mistake is no second mistake
	}
	if s.Name == "" {
		v.wrong("without a name")
	}
	if s.Verify == "" {
		s.Verify = verify.DefaultKind(s.Format)
	}
	if s.Verify == "" && slices.Contains(provider.Names(), s.Format) { // another format is looked up later
		v.allowed = howKnown
		v.wrong(unverified(s))
	}
	return s
}

const howKnown = "verify: basic, token or none"

// unverified says that nothing tells who sends.
func unverified(s IngestSource) string {
	return fmt.Sprintf("%s, without verify: payloads of the format %s are not signed, so that it has to be said how their sender is known", s.Name, s.Format)
}

// finishIngest checks how the receiver's keys fit together and with those of Kafka.
func (r *reader) finishIngest() {
	c, in := r.config, &r.config.Ingest
	r.pair("ingest.tls.cert_file", in.CertFile, "ingest.tls.key_file", in.KeyFile)
	r.pair("ingest.tls.key_file", in.KeyFile, "ingest.tls.cert_file", in.CertFile)
	if !in.AllowPlain && in.CertFile == "" && !loopback(in.Listen) {
		r.bad(r.at["ingest.listen"], "ingest.listen is "+in.Listen+", which others can reach, without ingest.tls",
			"a loopback address, or ingest.tls, or ingest.allow_plain: true where something before it ends TLS")
	}
	for _, s := range in.Sources {
		if s.Verify == "" {
			r.bad(r.at["ingest.sources."+s.Name], "ingest.sources: one is "+unverified(s), howKnown)
		}
	}
	if len(c.Kafka.Topics) == 0 {
		return // a mistake of its own
	}
	topic := in.TopicOf(c)
	// Taken from kafka.topics it is a mistake there, and told of there.
	if in.Topic != "" && (topic == c.Kafka.AlertsTopic || topic == c.Kafka.DeadLetterTopic) {
		r.bad(r.at["ingest.topic"], "ingest.topic is "+topic+", which sendwatch writes alerts or dead letters to", "a topic of events")
	}
	i := slices.IndexFunc(c.Kafka.Topics, func(t Topic) bool { return t.Name == topic })
	if i < 0 || c.Kafka.Topics[i].Format == provider.Auto {
		return
	}
	for _, s := range in.Sources {
		if only := c.Kafka.Topics[i].Format; s.Format != "" && s.Format != only {
			r.bad(r.at["ingest.sources."+s.Name], fmt.Sprintf("ingest.sources: %s has the format %s, but the topic %s takes %s alone", s.Name, s.Format, topic, only),
				"sources of that format, or the format auto for the topic")
		}
	}
}
