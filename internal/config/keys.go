package config

import (
	"slices"
	"strings"
	"time"

	"sendwatch/internal/event/provider"
)

// key is one setting: where it stands, what is allowed there and how it is read.
type key struct {
	path     string
	allowed  string
	read     func(r *reader, v value)
	text     bool // an environment variable is taken as it stands, not as YAML
	list     bool // an environment variable may give it as words between commas
	nullable bool // null is as absent
}

const (
	century         = 100 * 365 * 24 * time.Hour
	anyText         = "a text"
	aFile           = "the path of a readable file"
	aName           = "a name of letters, digits, '.', '_' and '-', at most 249 long"
	addressList     = "a list of host:port"
	trueFalse       = "true or false"
	durationAllowed = "a duration such as 30s, 10m, 48h or 30d"
)

// newKeys lists all settings, in the order of the reference (configs/monitor.yaml).
func newKeys() []key {
	k := []key{
		{path: "kafka.brokers", allowed: addressList, list: true, read: addresses(func(c *Config) *[]string { return &c.Kafka.Brokers })},
		{path: "kafka.topics", allowed: "a list of topic names, or of {name: TOPIC, format: FORMAT}, where FORMAT is one of formats or of " + strings.Join(provider.Names(), "|"), list: true, read: topics},
		{path: "kafka.group", allowed: aName, text: true, read: name(func(c *Config) *string { return &c.Kafka.Group })},
		{path: "kafka.alerts_topic", allowed: aName, text: true, read: name(func(c *Config) *string { return &c.Kafka.AlertsTopic })},
		{path: "kafka.dead_letter_topic", allowed: aName, text: true, read: name(func(c *Config) *string { return &c.Kafka.DeadLetterTopic })},
		{path: "kafka.create_topics", allowed: trueFalse, read: flag(func(c *Config) *bool { return &c.Kafka.CreateTopics })},
		{path: "kafka.session_timeout", allowed: "a duration from 1s to 30m", read: span(func(c *Config) *time.Duration { return &c.Kafka.SessionTimeout }, time.Second, 30*time.Minute)},
		{path: "kafka.sasl.mechanism", allowed: "plain, scram-sha-256 or scram-sha-512", text: true, read: word(func(c *Config) *string { return &c.Kafka.SASL.Mechanism }, "plain", "scram-sha-256", "scram-sha-512")},
		{path: "kafka.sasl.username", allowed: anyText, text: true, read: text(func(c *Config) *string { return &c.Kafka.SASL.Username })},
		{path: "kafka.sasl.password", allowed: anyText, text: true, read: text(func(c *Config) *string { return &c.Kafka.SASL.Password })},
		{path: "kafka.sasl.password_file", allowed: aFile, text: true, read: secretFile(func(s *secrets) *secret { return &s.kafkaPassword })},

		{path: "redis.addresses", allowed: addressList + ": one = standalone, several = cluster", list: true, read: addresses(func(c *Config) *[]string { return &c.Redis.Addresses })},
		{path: "redis.username", allowed: anyText, text: true, nullable: true, read: text(func(c *Config) *string { return &c.Redis.Username })},
		{path: "redis.password", allowed: anyText, text: true, nullable: true, read: text(func(c *Config) *string { return &c.Redis.Password })},
		{path: "redis.password_file", allowed: aFile, text: true, nullable: true, read: secretFile(func(s *secrets) *secret { return &s.redisPassword })},
		{path: "redis.prefix", allowed: "a name of letters, digits, '.', '_' and '-'", text: true, read: name(func(c *Config) *string { return &c.Redis.Prefix })},
		{path: "redis.shards", allowed: "a power of two from 1 to 256", read: shards},

		{path: "http.listen", allowed: "host:port, such as 127.0.0.1:8225", text: true, read: func(r *reader, v value) {
			if s, ok := v.address(); ok {
				r.config.HTTP.Listen = s
			}
		}},
		{path: "http.allow_anonymous", allowed: trueFalse, read: flag(func(c *Config) *bool { return &c.HTTP.AllowAnonymous })},
		{path: "http.tokens_file", allowed: aFile, text: true, nullable: true, read: file(func(c *Config) *string { return &c.HTTP.TokensFile })},
		{path: "http.tls.cert_file", allowed: aFile, text: true, read: file(func(c *Config) *string { return &c.HTTP.CertFile })},
		{path: "http.tls.key_file", allowed: aFile, text: true, read: file(func(c *Config) *string { return &c.HTTP.KeyFile })},

		{path: "subjects", allowed: "a list of lists of dimensions, such as [[], [tenant], [tenant, ip]]", read: subjects},
		{path: "windows", allowed: "a list of {name: NAME, length: DURATION, step: 1m|1h|1d}", read: windowList},
		{path: "policies", allowed: "a list of built-in policies or of policies of your own", list: true, read: policies},

		{path: "alerts.evaluate_every", allowed: "a duration from 100ms to 1h", read: span(func(c *Config) *time.Duration { return &c.Alerts.EvaluateEvery }, 100*time.Millisecond, time.Hour)},
		{path: "alerts.stale_after", allowed: "a duration of at least 1s", read: span(func(c *Config) *time.Duration { return &c.Alerts.StaleAfter }, time.Second, century)},
		{path: "alerts.remind_every", allowed: "a duration of at least 1s", read: span(func(c *Config) *time.Duration { return &c.Alerts.RemindEvery }, time.Second, century)},
		{path: "alerts.keep_firing_for", allowed: "a duration, or one for each window: {1h: 1h, 24h: 6h}", read: func(r *reader, v value) {
			perWindow(v, &r.config.Alerts.KeepFiringFor, func(v value) (time.Duration, bool) { return v.duration(0, century) })
		}},

		{path: "events.max_bytes", allowed: "a number of bytes from 1024 to 104857600", read: whole(func(c *Config) *int { return &c.Events.MaxBytes }, 1024, 100<<20)},
		{path: "events.max_ahead", allowed: durationAllowed, read: span(func(c *Config) *time.Duration { return &c.Events.MaxAhead }, 0, century)},
		{path: "dedupe.horizon", allowed: durationAllowed + ", at most 31d; 0 turns it off", read: span(func(c *Config) *time.Duration { return &c.Dedupe.Horizon }, 0, 31*24*time.Hour)},

		{path: "engagement.enabled", allowed: trueFalse, read: flag(func(c *Config) *bool { return &c.Engagement.Enabled })},
		{path: "engagement.period", allowed: "a number of calendar months from 1mo to 24mo", text: true, read: period},
		{path: "engagement.new_for", allowed: "whole days from 0 to 365d", read: days(func(c *Config) *time.Duration { return &c.Engagement.NewFor }, 365)},
		{path: "engagement.honour_within", allowed: "a duration of at most 31d", read: span(func(c *Config) *time.Duration { return &c.Engagement.HonourWithin }, 0, 31*24*time.Hour)},
		{path: "engagement.key_file", allowed: aFile, text: true, nullable: true, read: secretFile(func(s *secrets) *secret { return &s.key })},
		{path: "engagement.accept_new_key", allowed: trueFalse, read: flag(func(c *Config) *bool { return &c.Engagement.AcceptNewKey })},
		{path: "retention.days", allowed: "a number of days from 1 to 4000", read: whole(func(c *Config) *int { return &c.Retention.Days }, 1, 4000)},

		{path: "providers.domains", allowed: "a mapping of domains (mail.example, or mail.example.* for any ending) to providers", nullable: true, read: providerDomains},
		{path: "providers.reporting", allowed: "a list of mailbox providers that send complaint reports", list: true, read: reporting},

		{path: "log.level", allowed: "debug, info, warn or error", text: true, read: word(func(c *Config) *string { return &c.Log.Level }, "debug", "info", "warn", "error")},
		{path: "log.format", allowed: "json or console", text: true, read: word(func(c *Config) *string { return &c.Log.Format }, "json", "console")},
	}
	k = append(k, ingestKeys()...)
	k = append(k, formatKeys()...)
	k = append(k, tlsKeys("kafka.tls", func(c *Config) *TLS { return &c.Kafka.TLS })...)
	return append(k, tlsKeys("redis.tls", func(c *Config) *TLS { return &c.Redis.TLS })...)
}

func tlsKeys(path string, of func(*Config) *TLS) []key {
	return []key{
		{path: path + ".enabled", allowed: trueFalse, read: flag(func(c *Config) *bool { return &of(c).Enabled })},
		{path: path + ".ca_file", allowed: aFile, text: true, read: file(func(c *Config) *string { return &of(c).CAFile })},
		{path: path + ".cert_file", allowed: aFile, text: true, read: file(func(c *Config) *string { return &of(c).CertFile })},
		{path: path + ".key_file", allowed: aFile, text: true, read: file(func(c *Config) *string { return &of(c).KeyFile })},
		{path: path + ".server_name", allowed: "a host name", text: true, read: text(func(c *Config) *string { return &of(c).ServerName })},
		{path: path + ".insecure_skip_verify", allowed: trueFalse, read: flag(func(c *Config) *bool { return &of(c).InsecureSkipVerify })},
	}
}

func (r *reader) findKey(path string) (*key, bool) {
	i := slices.IndexFunc(r.keys, func(k key) bool { return k.path == path })
	if i < 0 {
		return nil, false
	}
	return &r.keys[i], true
}

// childrenOf lists the names that may stand directly below a path ("" = the top), in the order of the reference.
func (r *reader) childrenOf(path string) []string {
	prefix := ""
	if path != "" {
		prefix = path + "."
	}
	var children []string
	for _, k := range r.keys {
		rest, ok := strings.CutPrefix(k.path, prefix)
		if !ok {
			continue
		}
		child, _, _ := strings.Cut(rest, ".")
		if !slices.Contains(children, child) {
			children = append(children, child)
		}
	}
	return children
}

// Keys lists the path of every setting.
func Keys() []string {
	var paths []string
	for _, k := range newKeys() {
		paths = append(paths, k.path)
	}
	return paths
}
