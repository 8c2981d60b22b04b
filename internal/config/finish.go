package config

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"sendwatch/internal/windows"
)

// finish checks how keys fit together, once each has been read by itself. What follows from a mistake is no second mistake:
// keys with one of their own are left out.
func (r *reader) finish() {
	c := r.config
	r.placeSecrets()
	r.formatsKnown()
	r.enableTLS("kafka.tls", &c.Kafka.TLS)
	r.enableTLS("redis.tls", &c.Redis.TLS)
	r.pair("kafka.sasl.mechanism", c.Kafka.SASL.Mechanism, "kafka.sasl.username", c.Kafka.SASL.Username)
	r.pair("kafka.sasl.username", c.Kafka.SASL.Username, "kafka.sasl.mechanism", c.Kafka.SASL.Mechanism)
	r.pair("http.tls.cert_file", c.HTTP.CertFile, "http.tls.key_file", c.HTTP.KeyFile)
	r.pair("http.tls.key_file", c.HTTP.KeyFile, "http.tls.cert_file", c.HTTP.CertFile)
	r.topicsApart()
	r.windowsKept()
	if r.goodBelow("ingest", "kafka.topics") {
		r.finishIngest()
	}
	if r.good("http.listen", "http.allow_anonymous", "http.tokens_file", "http.tls.cert_file", "http.tls.key_file") && !c.HTTP.AllowAnonymous && c.HTTP.TokensFile == "" && c.HTTP.CertFile == "" && !loopback(c.HTTP.Listen) {
		r.bad(r.at["http.listen"], "http.listen is "+c.HTTP.Listen+", which others can reach, without http.tls and http.tokens_file",
			"a loopback address, or http.tls or http.tokens_file, or http.allow_anonymous: true")
	}
}

func (r *reader) good(keys ...string) bool {
	return !slices.ContainsFunc(keys, func(k string) bool { return r.wrong[k] })
}

// goodBelow is good for all keys of sections.
func (r *reader) goodBelow(sections ...string) bool {
	for k := range r.wrong {
		for _, s := range sections {
			if k == s || strings.HasPrefix(k, s+".") {
				return false
			}
		}
	}
	return true
}

func (r *reader) placeSecrets() {
	for _, s := range []struct {
		key  string
		from secret
		to   *string
	}{
		{"kafka.sasl.password", r.secrets.kafkaPassword, &r.config.Kafka.SASL.Password},
		{"redis.password", r.secrets.redisPassword, &r.config.Redis.Password},
	} {
		if s.from.bytes == nil {
			continue
		}
		if *s.to != "" {
			r.bad(s.from.at, s.key+"_file is set beside "+s.key, "one of the two")
		}
		*s.to = string(s.from.bytes)
	}
	r.config.Engagement.Key = r.secrets.key.bytes
}

// enableTLS turns TLS on when anything of it was set and nobody said otherwise.
func (r *reader) enableTLS(path string, t *TLS) {
	if _, said := r.at[path+".enabled"]; said {
		return
	}
	for at := range r.at {
		if strings.HasPrefix(at, path+".") {
			t.Enabled = true
		}
	}
}

func (r *reader) pair(key, set, other, missing string) {
	if r.good(key, other) && set != "" && missing == "" {
		r.bad(r.at[key], key+" is set without "+other, "both or neither")
	}
}

// topicsApart refuses to read what sendwatch itself writes.
func (r *reader) topicsApart() {
	k := r.config.Kafka
	if !r.good("kafka.topics", "kafka.alerts_topic", "kafka.dead_letter_topic") {
		return
	}
	for _, t := range k.Topics {
		own := ""
		switch t.Name {
		case k.AlertsTopic:
			own = "kafka.alerts_topic"
		case k.DeadLetterTopic:
			own = "kafka.dead_letter_topic"
		default:
			continue
		}
		r.bad(r.at["kafka.topics"], fmt.Sprintf("kafka.topics names %s, which is %s", t.Name, own), "topics that sendwatch does not write")
	}
	if k.AlertsTopic == k.DeadLetterTopic {
		r.bad(r.at["kafka.dead_letter_topic"], "kafka.dead_letter_topic is kafka.alerts_topic, "+k.AlertsTopic, "two topics")
	}
}

// windowsKept refuses windows that are longer than their buckets are kept.
func (r *reader) windowsKept() {
	if !r.good("windows", "retention.days") {
		return
	}
	kept := windows.DefaultRetention(r.config.Retention.Days)
	for _, w := range r.config.Windows {
		if w.Length <= kept[w.Step] {
			continue
		}
		at, ok := r.at["windows."+w.Name]
		if !ok {
			at = r.at["retention.days"]
		}
		r.bad(at, fmt.Sprintf("window %s is longer than its %s buckets are kept", w.Name, w.Step),
			fmt.Sprintf("at most %s in steps of %s", days24(kept[w.Step]), w.Step))
	}
}

func days24(d time.Duration) string {
	if d >= 24*time.Hour {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return fmt.Sprintf("%dh", d/time.Hour)
}

func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
