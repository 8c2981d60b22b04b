package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"sendwatch/internal/event"
	"sendwatch/internal/kafka"
)

// measureLive writes 20,000 events a second and, twice a second, a mailing of a new tenant that breaks its limit at once: how
// long it takes from the acknowledgement of its last event to its first alert in the alert topic.
func (m *measured) measureLive(ctx context.Context) error {
	client, err := kafka.New(kafka.Options{Brokers: []string{m.broker}})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := context.WithTimeout(ctx, m.live+5*time.Second)
	defer stop()
	var mu sync.Mutex
	sent := map[string]time.Time{}
	var took []time.Duration
	_, next, err := client.Offsets(ctx, "mail.alerts", 0)
	if err != nil {
		return err
	}
	go client.Follow(ctx, "mail.alerts", 0, next, func(_ int64, value []byte) error {
		var a struct {
			Subject map[string]string `json:"subject"`
		}
		now := time.Now()
		if json.Unmarshal(value, &a) == nil {
			mu.Lock()
			defer mu.Unlock()
			if at, ok := sent[a.Subject["tenant"]]; ok {
				took = append(took, now.Sub(at))
				delete(sent, a.Subject["tenant"])
			}
		}
		return nil
	})
	begin := time.Now()
	events := newMaker(2, begin.UTC(), 50*time.Microsecond)
	written, probes := 0, 0
	for time.Since(begin) < m.live {
		due := int(time.Since(begin).Seconds() * 20_000)
		var records []kafka.Record
		for ; written < due; written++ {
			e := events.next()
			e.ID = "live-" + e.ID
			records = append(records, kafka.Record{Key: []byte(e.Recipient), Value: event.AppendJSON(nil, &e)})
		}
		for part := range slices.Chunk(records, 1000) {
			if _, err := client.Produce(ctx, "mail.events", part...); err != nil {
				return err
			}
		}
		if probes < int(time.Since(begin)/(500*time.Millisecond)) {
			probes++
			tenant := fmt.Sprintf("probe-%03d", probes)
			if _, err := client.Produce(ctx, "mail.events", mailing(tenant)...); err != nil {
				return err
			}
			mu.Lock()
			sent[tenant] = time.Now()
			mu.Unlock()
		}
		time.Sleep(20 * time.Millisecond)
	}
	<-ctx.Done()
	mu.Lock()
	defer mu.Unlock()
	if len(sent) > 0 || len(took) == 0 {
		return fmt.Errorf("%d of %d mailings raised no alert", len(sent), probes)
	}
	slices.Sort(took)
	fmt.Printf("%-28s median %s, p99 %s, worst %s, of %d, at 20,000 events/s\n", "from an event to its alert", took[len(took)/2].Round(time.Millisecond),
		took[len(took)*99/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), len(took))
	return nil
}

// mailing is 300 mails of which 60 bounce.
func mailing(tenant string) []kafka.Record {
	var records []kafka.Record
	now := time.Now().UTC()
	for i := range 300 {
		e := event.Event{Type: event.Delivery, Time: now, ID: fmt.Sprintf("%s-%d", tenant, i), Recipient: fmt.Sprintf("u%d@example.org", i), Tenant: tenant}
		if i%5 == 0 {
			e.Type, e.BounceClass = event.Bounce, event.Hard
		}
		records = append(records, kafka.Record{Key: []byte(e.Recipient), Value: event.AppendJSON(nil, &e)})
	}
	return records
}
