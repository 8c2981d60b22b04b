package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"

	"sendwatch/internal/testparts"
)

// One broker with TLS and SASL, reached in every right and several wrong ways. The library says EOF to most of the wrong ones;
// what a user sees has to name the setting.
func TestTLSAndSASL(t *testing.T) {
	if testing.Short() {
		t.Skip("real broker")
	}
	b := testparts.Kafka(t, testparts.KafkaOptions{Secure: true})
	pem, err := os.ReadFile(b.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	secure := &tls.Config{RootCAs: pool}
	testparts.CreateTopic(t, b.Addr, "secure", 2)

	for _, mechanism := range Mechanisms() {
		t.Run(mechanism, func(t *testing.T) {
			c := client(t, Options{Brokers: []string{b.SecureAddr}, TLS: secure,
				SASL: SASL{Mechanism: mechanism, Username: testparts.User, Password: testparts.Password}})
			p, err := c.Produce(t.Context(), "secure", Record{Key: []byte("k"), Value: []byte(mechanism)})
			if err != nil {
				t.Fatal(err)
			}
			found := false
			if _, err := c.Read(t.Context(), "secure", p[0].Partition, p[0].Offset, func(_ int64, v []byte) error {
				found = found || string(v) == mechanism
				return nil
			}); err != nil || !found {
				t.Fatalf("read: %v, found: %v", err, found)
			}
			group, err := c.Join(GroupOptions{ID: "g-" + mechanism, Topics: []string{"secure"}})
			if err != nil {
				t.Fatal(err)
			}
			gen := next(t, group)
			if len(gen.Assigned["secure"]) != 2 {
				t.Errorf("assigned %v", gen.Assigned)
			}
			if err := group.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	right := SASL{Mechanism: "scram-sha-512", Username: testparts.User, Password: testparts.Password}
	wrongPassword := right
	wrongPassword.Password = "guess"
	for name, wrong := range map[string]struct {
		o        Options
		category Category
		advice   string
	}{
		"password":                {Options{Brokers: []string{b.SecureAddr}, TLS: secure, SASL: wrongPassword}, Auth, "kafka.sasl"},
		"no TLS":                  {Options{Brokers: []string{b.SecureAddr}}, Connection, "kafka.tls"},
		"no TLS but SASL":         {Options{Brokers: []string{b.SecureAddr}, SASL: right}, Connection, "kafka.tls"},
		"no SASL":                 {Options{Brokers: []string{b.SecureAddr}, TLS: secure}, Connection, "kafka.sasl"},
		"unknown authority":       {Options{Brokers: []string{b.SecureAddr}, TLS: &tls.Config{}, SASL: right}, TLS, "kafka.tls"},
		"TLS to a plain listener": {Options{Brokers: b.Addrs, TLS: secure}, Connection, "does not speak TLS"},
		"wrong name":              {Options{Brokers: []string{b.SecureAddr}, TLS: &tls.Config{RootCAs: pool, ServerName: "elsewhere"}, SASL: right}, TLS, "server name"},
	} {
		t.Run("wrong "+name, func(t *testing.T) {
			_, err := client(t, wrong.o).Topics(t.Context(), "secure")
			t.Log(err)
			if err == nil || CategoryOf(err) != wrong.category || !strings.Contains(err.Error(), wrong.advice) {
				t.Errorf("category %q; %q and advice on %s expected", CategoryOf(err), wrong.category, wrong.advice)
			}
		})
	}
}
