package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"sendwatch/internal/config"
	"sendwatch/internal/engagement"
	"sendwatch/internal/kafka"
	"sendwatch/internal/policy"
	"sendwatch/internal/windows"
	"sendwatch/internal/windows/redisstore"
)

// KafkaOptions says how to reach the configuration's Kafka.
func KafkaOptions(c *config.Config) (kafka.Options, error) {
	o := kafka.Options{Brokers: c.Kafka.Brokers, ClientID: "sendwatch",
		SASL: kafka.SASL{Mechanism: c.Kafka.SASL.Mechanism, Username: c.Kafka.SASL.Username, Password: c.Kafka.SASL.Password}}
	var err error
	if o.TLS, err = tlsConfig(c.Kafka.TLS); err != nil {
		return o, fmt.Errorf("kafka.tls: %w", err)
	}
	return o, nil
}

// RedisConnection says how to reach the configuration's Redis.
func RedisConnection(c *config.Config) (redisstore.Connection, error) {
	o := redisstore.Connection{Addresses: c.Redis.Addresses, Username: c.Redis.Username, Password: c.Redis.Password}
	var err error
	if o.TLS, err = tlsConfig(c.Redis.TLS); err != nil {
		return o, fmt.Errorf("redis.tls: %w", err)
	}
	return o, nil
}

func tlsConfig(c config.TLS) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName, InsecureSkipVerify: c.InsecureSkipVerify}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, err
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s holds no PEM certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, err
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// Rules are the configuration's rules of engagement.
func Rules(c *config.Config) engagement.Rules {
	return engagement.Rules{Period: windows.Period{Months: c.Engagement.Months}, NewFor: int(c.Engagement.NewFor / (24 * time.Hour)),
		HonourWithin: c.Engagement.HonourWithin}
}

// ProvidersOf is the configuration's table of mailbox providers.
func ProvidersOf(c *config.Config) *windows.Providers {
	return windows.NewProviders(c.Providers.Domains, c.Providers.Reporting)
}

// Policies puts the configuration's policies in force.
func Policies(c *config.Config) *policy.Set {
	return policy.NewSet(c.Policies, c.Windows, windows.DefaultRetention(c.Retention.Days),
		policy.Defaults{KeepFiringFor: c.Alerts.KeepFiringFor, RemindEvery: c.Alerts.RemindEvery})
}

// StoreOptions say what is counted and kept.
func StoreOptions(c *config.Config) (redisstore.Options, error) {
	o := redisstore.Options{
		Prefix: c.Redis.Prefix, Shards: c.Redis.Shards, Combinations: c.Subjects, Retention: windows.DefaultRetention(c.Retention.Days),
		Late: time.Duration(c.Retention.Days) * 24 * time.Hour, Horizon: c.Dedupe.Horizon, Providers: ProvidersOf(c),
	}
	if c.Engagement.Enabled {
		rules := Rules(c)
		o.Engagement = &rules
	}
	if c.Engagement.Key != nil {
		key, err := engagement.ParseKey(c.Engagement.Key)
		if err != nil {
			return o, fmt.Errorf("engagement.key_file: %w", err)
		}
		o.Key, o.AcceptNewKey = key, c.Engagement.AcceptNewKey
	}
	return o, nil
}

// Logger writes to standard error as the configuration says, from the returned level on, which may be changed.
func Logger(c *config.Config) (*zap.Logger, zap.AtomicLevel, error) {
	level, err := zap.ParseAtomicLevel(c.Log.Level)
	if err != nil {
		return nil, level, err
	}
	z := zap.NewProductionConfig()
	z.Level = level
	z.Encoding = c.Log.Format
	z.DisableStacktrace = true
	z.DisableCaller = true
	z.EncoderConfig.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	z.EncoderConfig.TimeKey = "time"
	log, err := z.Build()
	return log, level, err
}
