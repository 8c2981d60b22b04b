package ingest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"

	"sendwatch/internal/ingest/verify"
	"sendwatch/internal/ingest/verifytest"
)

// Receiving without Kafka: reading, verifying, cutting, and decoding each event twice.
func BenchmarkReceive(b *testing.B) {
	key := verifytest.NewKey(b)
	for _, n := range []int{1, 100} {
		var events []string
		for i := range n {
			events = append(events, sendGrid(i, "delivered"))
		}
		body := []byte("[" + strings.Join(events, ",") + "]")
		header := key.SendGrid(body, now())
		s, err := New(Options{Topic: "t", Producer: nowhere{newWritten()}, Log: zap.NewNop(), Now: now,
			Sources: []Source{{Name: "sg", Format: "sendgrid", Verify: verify.Options{Kind: verify.SendGrid, Secret: key.Public()}}}})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/ingest/sg", bytes.NewReader(body))
				r.Header = header
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
