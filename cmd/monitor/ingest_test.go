package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"sendwatch/internal/config"
)

func TestIngestNeedsSources(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "monitor.yaml")
	if err := os.WriteFile(empty, []byte("log: {level: error}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "monitor.yaml")
	if err := os.WriteFile(wrong, []byte("ingest:\n  sources: [{name: x, format: postmark}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{empty: "ingest.sources is empty", wrong: wrong + ":2: ingest.sources[0] is x, without verify"} {
		var out, messages bytes.Buffer
		if code := run(t.Context(), []string{"ingest", "--config", path}, nil, &out, &messages); code != exitUsage {
			t.Errorf("exit status %d", code)
		}
		if !strings.Contains(messages.String(), want) || out.Len() > 0 {
			t.Errorf("%s%s, want %q", out.String(), messages.String(), want)
		}
	}
}

func TestIngestFromTheWireToTheTopic(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "mail.events"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	c, err := config.Parse("test", []byte(`
kafka: {brokers: [`+cluster.ListenAddrs()[0]+`]}
ingest:
  listen: 127.0.0.1:0
  admin: ""
  sources: [{name: pm, format: postmark, verify: basic, username: hooks, secret: a-password-of-good-length}]
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	address, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- runIngest(ctx, c, zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)), func(a string) { address <- a })
	}()
	var base string
	select {
	case base = <-address:
	case err := <-ended:
		t.Fatal(err)
	}
	const body = `{"RecordType":"Open","Recipient":"Ann@example.org","MessageID":"m1","ReceivedAt":"2026-03-02T08:15:04Z"}`
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+base+"/ingest/pm", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("hooks", "a-password-of-good-length")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", res.StatusCode, answer)
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics("mail.events"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	within, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	records := reader.PollFetches(within).Records()
	if len(records) != 1 || string(records[0].Key) != "ann@example.org" || string(records[0].Value) != body {
		t.Errorf("%+v", records)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
