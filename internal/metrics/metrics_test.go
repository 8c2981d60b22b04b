package metrics

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"sendwatch/internal/alerts/holder"
	"sendwatch/internal/api/answer"
	"sendwatch/internal/api/apitest"
	"sendwatch/internal/consumer"
	"sendwatch/internal/kafka"
)

type fakeConsumer consumer.Stats

func (f fakeConsumer) Stats() consumer.Stats { return consumer.Stats(f) }

type fakeHolder holder.Status

func (f fakeHolder) Status() holder.Status { return holder.Status(f) }

// scrape returns the exposition, which must be free of what promtool warns of.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	rec := httptest.NewRecorder()
	m.Handler().ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	text := rec.Body.String()
	if rec.Code != http.StatusOK {
		t.Fatalf("%d %s", rec.Code, text)
	}
	problems, err := promlint.New(io.Reader(strings.NewReader(text))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sendwatch_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	return text
}

func TestEverything(t *testing.T) {
	book := apitest.NewStory()
	m := New(Build{Version: "1.2.3", Revision: "abc"})
	m.Register(
		State(book.Source()),
		Consumer(fakeConsumer{Records: 10, Applies: 2, ApplyTime: 300 * time.Millisecond, Errors: map[kafka.Category]int64{kafka.Timeout: 3}}),
		Evaluation(
			fakeHolder{Partition: 0, Holding: true, Evaluated: apitest.StoryTime, Took: 20 * time.Millisecond, Subjects: 40, Open: 7, Records: 9, Published: 8},
			fakeHolder{Partition: 1, Trouble: "Redis is away"},
		),
	)
	m.Request("/api/v1/rates", http.MethodGet, http.StatusOK, time.Millisecond)
	m.RedisError("timeout")
	m.StreamOpened(1)
	m.Reloaded(errors.New("wrong"))
	text := scrape(t, m)
	for _, want := range []string{
		`sendwatch_build_info{goversion="go`, `sendwatch_http_requests_total{method="GET",route="/api/v1/rates",status="200"} 1`,
		`sendwatch_redis_errors_total{category="timeout"} 1`, `sendwatch_http_streams 1`, `sendwatch_config_last_reload_success 0`,
		`sendwatch_state_up 1`, `sendwatch_stale 0`, `sendwatch_as_of_age_seconds 0`, `sendwatch_events_total{outcome="duplicate"} 18442`,
		`sendwatch_events_total{outcome="rejected"} 177`, `sendwatch_events_rejected_total{reason="not_json"} 41`,
		`sendwatch_partition_lag_records{partition="1",topic="mail.events"} 1`, `sendwatch_rate{rate="bounce",window="24h"} 0.`,
		`sendwatch_rate_limit{policy="dynamics-365",rate="bounce",window="24h"} 0.03`, `sendwatch_alerts_open{policy="dynamics-365",rate="bounce",severity="critical",window="24h"}`,
		`sendwatch_alerts_worst_ratio{rate="bounce",window="24h"}`,
		`sendwatch_consumer_records_total 10`, `sendwatch_consumer_apply_duration_seconds_sum 0.3`, `sendwatch_consumer_errors_total{category="timeout"} 3`,
		`sendwatch_evaluation_holding{evaluation_partition="0"} 1`, `sendwatch_evaluation_open_alerts{evaluation_partition="0"} 7`,
		`sendwatch_evaluation_trouble{evaluation_partition="1"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, "tenant") || strings.Contains(line, "203.0.113") {
			t.Errorf("a subject is a label: %s", line)
		}
	}
}

func TestStateAway(t *testing.T) {
	book := apitest.NewBook(apitest.StoryTime)
	m := New(Build{})
	m.Register(State(book.Source()))
	book.Break(fmt.Errorf("redis: %w", answer.ErrUnavailable))
	text := scrape(t, m)
	if !strings.Contains(text, "sendwatch_state_up 0") || strings.Contains(text, "sendwatch_events_total") {
		t.Errorf("while the state is away:\n%s", text)
	}
	book.Break(nil)
	if text := scrape(t, m); !strings.Contains(text, "sendwatch_state_up 0") {
		t.Error("read again within a moment")
	}
	book.Evaluate(apitest.StoryTime.Add(stateLife))
	if text := scrape(t, m); !strings.Contains(text, "sendwatch_state_up 1") {
		t.Error("it does not recover")
	}
}
